"""One reader's way through a job's log: attempt after attempt, shared where it can be.

Used by follows.py, which says who reads what. A reader rides on the shared follow of a running
attempt, and reads the log by itself while it has no seat there or when the attempt has ended.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from cijob_api.lines import LineId, Lines
from cijob_api.statuses import Attempt
from cijob_gateway.logitems import Batch, End, Gap, Item, State, Tally, batches
from cijob_gateway.podlogs import PodLog
from cijob_gateway.rooms import Room, has_started
from cijob_gateway.sharedlogs import Seat, SharedLog

# A follow is some milliseconds behind a read of the same log; after this it is read again.
SEAT_SECONDS = 1.0
# How often a log is asked for by a reader who wants what is there now and does not follow.
NOW_TRIES = 3


@dataclass(frozen=True)
class Wish:
    """What a reader wants of a job's log."""

    after: LineId | None = None
    follow: bool = True
    attempt: int | None = None
    tail: int | None = None


class Reader:
    """One reader of one job."""

    def __init__(self, room: Room, wish: Wish) -> None:
        self._room = room
        self._wish = wish
        self._last = wish.after
        self._tail = wish.tail  # None once it was given
        whole = wish.after is None and wish.tail is None
        self._tally = Tally() if whole else None
        self._complete = True
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
                        self._count(item)
                        yield item
                self._done = attempt.number
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
        begun = [attempt.number for attempt in self._attempts() if has_started(attempt)]
        if self._tail is not None and begun:
            return begun[-1] - 1
        self._tail = None  # nothing is written yet: all of it is the tail
        return 0

    def _attempts(self) -> list[Attempt]:
        return self._room.job.status.attempts or []

    def _next(self) -> Attempt | None:
        """The next attempt that has a log, or may have one when it is over."""
        for attempt in self._attempts():
            if attempt.number <= self._done or self._wish.attempt not in (None, attempt.number):
                continue
            if has_started(attempt) or (self._room.over and attempt.pod_name):
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
        if self._tail is not None:
            async with aclosing(self._last_lines(attempt, self._tail)) as items:
                async for item in items:
                    yield item
        if ended.is_set():
            ways = self._whole(attempt)
        elif self._wish.follow:
            ways = self._live(attempt)
        else:
            ways = self._now(attempt)
        async with aclosing(ways) as items:
            async for item in items:
                yield item

    def _log(self, attempt: Attempt) -> PodLog:
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
        if log.refused and (has_started(attempt) or log.last):
            yield Gap(log.refused)

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
        yield Gap(f"the log cannot be read now: {log.trouble}")

    async def _last_lines(self, attempt: Attempt, count: int) -> AsyncGenerator[Item]:
        """The end of what there is now; ids count from the start, so that is read, too."""
        kept: deque[tuple[bytes, int, bytes]] = deque(maxlen=count)
        ended = self._room.ended(attempt.number).is_set()
        async with aclosing(self._whole(attempt) if ended else self._now(attempt)) as items:
            async for item in items:
                if isinstance(item, Batch):
                    self._last = item.last
                    kept.extend(item.content.rows())
                else:
                    yield item
        self._tail = None
        if kept:
            for batch in batches(Lines.of_rows(kept), attempt.number):
                yield batch

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
                if seat is None and closed:
                    return
                if seat and seat.number >= shared.first:  # not missed: it was the end
                    break
                if seat is None:
                    await self._seat_free(shared, attempt, mark)
            if shared.refused:
                yield Gap(shared.refused)

    async def _alone(self, attempt: Attempt) -> AsyncGenerator[Item]:
        """What there is now, beside the shared follow, which also says if the log is no more."""
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

    def _count(self, item: Item) -> None:
        if isinstance(item, Batch):
            self._last = item.last
            if self._tally:
                self._tally.add(item)
        elif isinstance(item, Gap):
            self._complete = False

    def _end(self) -> End:
        status, tally, wanted = self._room.job.status, self._tally, self._wish.attempt
        over = status.phase.is_final or (wanted is not None and self._room.ended(wanted).is_set())
        deleted = "the CIJob was deleted" if self._room.deleted and not over else None
        return End(
            phase=status.phase.value,
            reason=status.reason,
            message=deleted or status.message,
            exit_code=status.exit_code,
            lines=tally.lines if tally else None,
            bytes=tally.bytes if tally else None,
            sha256=tally.sha256 if tally else None,
            complete=self._complete and over,
        )
