"""One reader's way through a job's log: attempt after attempt, shared where it can be.

Used by follows.py, which says who reads what. A reader gets what is archived first. Behind that it
rides on the shared follow of a running attempt, and reads the log by itself while it has no seat
there or when the attempt has ended. Of a log whose archive is closed no Pod is asked.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from cijob_api.lines import LineId
from cijob_api.statuses import Attempt
from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import Corrupt
from cijob_gateway.logs.archivelogs import missing
from cijob_gateway.logs.attempts import attempts_of, first_named
from cijob_gateway.logs.beginnings import Beginning, Wish, find_tail
from cijob_gateway.logs.bookmarks import NOW_TRIES
from cijob_gateway.logs.joinedlogs import JoinedLog
from cijob_gateway.logs.logitems import Batch, Closed, End, Gap, Item, State, Tally
from cijob_gateway.logs.rooms import Room, ended_before, has_started, may_be_late
from cijob_gateway.logs.sharedlogs import Seat, SharedLog

# A follow is some milliseconds behind a read of the same log; after this it is read again.
SEAT_SECONDS = 1.0


class Reader:
    """One reader of one job."""

    def __init__(self, room: Room, wish: Wish) -> None:
        self._room = room
        self._wish = wish
        self._last = wish.after
        self._tail = wish.tail  # None once it is known where that begins
        self._beginning = Beginning(since="" if wish.after else wish.since)
        self._line: int | None = None  # where in the archive the tail begins
        whole = wish.after is None and wish.tail is None and not wish.since
        self._tally = Tally() if whole else None
        self._complete = True
        self._closed = False  # the archive has all of this attempt, and it was given
        self._trouble = ""  # why the archive cannot be read
        self._told: State | None = None
        self._done = self._skipped()

    async def items(self) -> AsyncGenerator[Item]:
        """Everything, the end last."""
        while True:
            if state := self._news():
                yield state
            elif attempt := self._next():
                async with aclosing(self._attempt(attempt)) as items:
                    async for item in items:
                        if wanted := self._take(item):
                            yield wanted
                self._done = attempt.number
                yield Closed(attempt.number)
            elif self._is_over():
                break
            else:
                await self._room.news()
        if (final := State.of(self._room.job)) != self._told:
            yield final
        yield self._end()

    # -- which attempt -----------------------------------------------------------------------------

    def _skipped(self) -> int:
        """The number of the last attempt that this reader does not want."""
        if self._wish.attempt is not None:
            return self._wish.attempt - 1
        if self._last:
            return self._last.attempt - 1
        named = self._room.job.status.attempts or []
        begun = [attempt.number for attempt in named if has_started(attempt)]
        if self._tail is not None and begun:
            return begun[-1] - 1
        self._tail = None  # nothing is written yet: all of it is the tail
        return 0

    def _next(self) -> Attempt | None:
        """The next attempt that has a log, or may have one when it is over."""
        for attempt in attempts_of(self._room.job, self._done):
            if self._wish.attempt not in (None, attempt.number):
                continue
            if self._beginning.since and ended_before(attempt, self._beginning.since):
                continue
            forgotten = attempt.number < first_named(self._room.job)
            if has_started(attempt) or forgotten or (self._room.over and attempt.pod_name):
                return attempt
            if not self._room.ended(attempt.number).is_set():
                return None
        return None

    def _is_over(self) -> bool:
        wanted = self._wish.attempt
        return (
            self._room.over
            or not self._wish.follow
            or (wanted is not None and self._room.ended(wanted).is_set())
        )

    # -- one attempt -------------------------------------------------------------------------------

    async def _attempt(self, attempt: Attempt) -> AsyncGenerator[Item]:
        ended = self._room.ended(attempt.number)
        self._closed, self._trouble = False, ""
        if self._tail is not None:
            await self._find_tail(attempt, self._tail)
        async with aclosing(self._archived(attempt)) as items:
            async for item in items:
                yield item
        if self._closed:
            return
        begun = self._here(attempt)
        if ended.is_set():
            ways = self._whole(attempt)
        elif self._wish.follow:
            ways = self._live(attempt)
        else:
            ways = self._now(attempt)
        async with aclosing(ways) as items:
            async for item in items:
                if begun is None and isinstance(item, Batch):
                    if self._trouble and may_be_late(attempt, item.timestamps[0]):
                        yield Gap(f"the first lines may be missing: {self._trouble}")
                    begun = item.last
                yield item

    async def _archived(self, attempt: Attempt) -> AsyncGenerator[Item]:
        """What the archive has of an attempt, behind where this reader is."""
        archived, line, here = self._room.archived(attempt), self._line, self._here(attempt)
        if archived is None:
            return
        if line is not None:
            ways = archived.from_line(line)
        elif here is None and self._beginning.since:
            ways = archived.from_time(self._beginning.since)
        else:
            ways = archived.after(here)
        tally = self._tally if here is None else None
        before = (tally.lines, tally.bytes) if tally else (0, 0)
        try:
            async with aclosing(ways) as items:
                async for item in items:
                    yield item
        except Down as error:
            self._trouble = str(error)
            if line is not None and self._last == here:
                self._beginning.skipped = line
            return
        except Corrupt as error:
            yield Gap(str(error))
            return
        finally:
            self._line = None
        if archived.end and (here is None or line is not None or archived.found):
            self._closed = True
            if words := missing(archived.end, tally, before):
                yield Gap(words)

    def _log(self, attempt: Attempt) -> JoinedLog:
        """This reader's own way to an attempt's log, from where it is."""
        return self._room.log(attempt).begin_after(self._here(attempt))

    def _here(self, attempt: Attempt) -> LineId | None:
        """The last line that this reader has of an attempt."""
        return self._last if self._last and self._last.attempt == attempt.number else None

    async def _whole(self, attempt: Attempt) -> AsyncGenerator[Item]:
        """All that is left of an attempt whose container has ended."""
        log = self._log(attempt)
        async with aclosing(log.read_to_end()) as items:
            async for item in items:
                yield item
        if log.refused and (log.last or await self._room.may_have_run(attempt)):
            yield self._refused(log.refused, log)

    async def _now(self, attempt: Attempt) -> AsyncGenerator[Item]:
        """What an attempt that runs has written up to now."""
        log = self._log(attempt)
        for _ in range(NOW_TRIES):
            async with aclosing(log.read_once()) as items:
                async for item in items:
                    yield item
            if not log.trouble:
                return
            await log.pause()
        yield self._refused(f"the log cannot be read now: {log.trouble}", log)

    def _refused(self, words: str, log: JoinedLog | SharedLog) -> Gap:
        """That a Pod's log cannot be read. Raises Down if the archive may have it."""
        if away := log.away or self._trouble:
            raise Down(f"{words}; {away}")
        return Gap(words)

    async def _find_tail(self, attempt: Attempt, count: int) -> None:
        """Go to where the last lines begin."""
        ended = self._room.ended(attempt.number).is_set()

        def behind(last: LineId | None) -> AsyncGenerator[Item]:
            self._last = last
            return self._whole(attempt) if ended else self._now(attempt)

        place = await find_tail(count, self._room.archived(attempt), behind)
        self._tail, self._last, self._line = None, place.last, place.line
        self._beginning.skipped = place.skipped

    # -- together with others ----------------------------------------------------------------------

    async def _live(self, attempt: Attempt) -> AsyncGenerator[Item]:
        """An attempt that runs: by the shared follow, or alone while there is no seat in it."""
        async with self._room.shared(attempt.number, self._log(attempt)) as shared:
            while True:
                seat = shared.seat(self._here(attempt))
                if seat is None and shared.closed:
                    ways = self._whole(attempt)
                elif seat is None:
                    ways = self._alone(attempt)
                else:
                    ways = self._ride(shared, seat)
                mark, closed = shared.next, shared.closed
                async with aclosing(ways) as items:
                    async for item in items:
                        yield item
                if self._closed or (seat is None and closed):
                    return
                if seat and seat.number >= shared.first:  # not missed: it was the end
                    break
                if seat is None:
                    await self._seat_free(shared, attempt, mark)
            if shared.refused:
                yield self._refused(shared.refused, shared)

    async def _alone(self, attempt: Attempt) -> AsyncGenerator[Item]:
        """What there is now, beside the shared follow, which also says if the log is no more."""
        async with aclosing(self._archived(attempt)) as items:
            async for item in items:
                yield item
        if not self._closed:
            async with aclosing(self._log(attempt).read_once()) as items:
                async for item in items:
                    yield item

    async def _seat_free(self, shared: SharedLog, attempt: Attempt, mark: int) -> None:
        """Wait until the shared follow comes by this reader's place, if it can still do so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SEAT_SECONDS):
                while not (
                    shared.seat(self._here(attempt)) or shared.closed or shared.first > mark
                ):
                    await self._room.news()

    async def _ride(self, shared: SharedLog, seat: Seat) -> AsyncGenerator[Item]:
        """What the shared follow gives, until it ends or is too far ahead of this reader."""
        if seat.rest:
            yield seat.rest
        while seat.number >= shared.first:
            if state := self._news():
                yield state
            elif item := shared.at(seat.number):
                seat.number += 1
                yield item
            elif shared.closed:
                if shared.failed:
                    raise RuntimeError("the follow of a log has failed") from shared.failed
                return
            else:
                await self._room.news()

    # -- what is told ------------------------------------------------------------------------------

    def _news(self) -> State | None:
        """The job's state if it is another than was told; the final one waits for the log."""
        state = State.of(self._room.job)
        if state == self._told or self._room.job.status.phase.is_final:
            return None
        self._told = state
        return state

    def _take(self, item: Item) -> Item | None:
        """What this reader wants of an item; noted and counted."""
        if isinstance(item, Batch):
            self._last = item.last
            wanted = self._beginning.take(item)
            if wanted and self._tally:
                self._tally.add(wanted)
            return wanted
        if isinstance(item, Gap):
            self._complete = False
        return item

    def _end(self) -> End:
        status, wanted = self._room.job.status, self._wish.attempt
        over = status.phase.is_final or (wanted is not None and self._room.ended(wanted).is_set())
        deleted = "the CIJob was deleted" if self._room.deleted and not over else None
        message, complete = deleted or status.message, self._complete and over
        return End.of(self._room.job, self._tally, message=message, complete=complete)
