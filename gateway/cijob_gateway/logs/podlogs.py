"""One attempt's log, read from its Pod until nothing more can come: no line lost, none twice.

Used by follows.py. What the log API can do and cannot decides the rules here:

- The end of an answer is never the end of the log: a follow may end early, without an error. So
  the log is opened again some seconds before the last line, and read on behind it, until the
  container has ended (the caller knows) and two answers in a row end alike.
- `sinceTime` is whole seconds; only the newest file is readable. The last line not found is a gap,
  by a read without `follow`, which has an end. A follow that does not come by it soon is given up.
- A late follow can leave out a file and give the next one twice, or hear of no new file any more.
  So newer files are held open while a follow is late (newerfiles.py). Where that did not work, it
  is seen (leaps.py): if the last line before is gone, that is a gap, and the newest file is read.
- Seconds of a fast log are many megabytes. Once the container has ended, a follow that is behind
  is heard out, and the last lines are read again (`tailLines`): the place counts there behind as
  many lines as are remembered to number equal timestamps, else all is read.
- A container that ends while the kubelet still reads its last but one file ends the follow at the
  end of that file, and the last line is not in the newest one, though nothing is missing. No file
  is shorter than the seconds between the kubelet's rotations: lines that begin sooner follow.
- A log that is rotated while its job is silent has nothing in its newest file. What comes next, or
  the container's end, says what that means, and until then nobody calls anything lost.
- A runtime that is told to begin a new file cuts the line that it is writing: its beginning ends
  the old file, without a newline, and the rest begins the new one, with a time of its own. A follow
  that crosses gives them as one line; so does who reads the two files one after the other.
- Not guarded against: a node's clock that is set back by more than 5 s just when a follow is cut.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Self

from cijob_api.lines import LineId, Lines, seconds_between
from cijob_gateway.logs.bookmarks import Bookmark
from cijob_gateway.logs.leaps import ROTATION_SECONDS
from cijob_gateway.logs.lives import Live
from cijob_gateway.logs.logitems import Batch, Gap, lost
from cijob_gateway.logs.newerfiles import NewerFiles
from cijob_gateway.logs.readings import Outcome, Pace, Place, Scope, Source, meets
from cijob_gateway.logs.snapshots import Snapshots
from cijob_kube.api import Api
from cijob_kube.errors import ApiError

# A file whose follow is silent is at its end, though newer lines are known: at once if it ends
# right before them, and else after so many silences, since a job may be silent, and a node slow.
RIGHT_BEFORE_SECONDS = 0.1
SILENCES = 5
# To read a long log once more costs as much as to have read it: so often it is waited instead.
HEARINGS = 5


class PodLog:
    """A reader's place in the log of one attempt, and what it knows about it."""

    def __init__(self, api: Api, source: Source, ended: asyncio.Event, *, pace: Pace) -> None:
        self._ended = ended
        self._pace = pace
        self._now = Snapshots(api, source, ended, pace)
        self._newer = NewerFiles(api, source, pace)

    @property
    def refused(self) -> str:
        """Why the log cannot be read any further, in words; empty while it can."""
        return self._now.refused

    @property
    def trouble(self) -> str:
        """Why the last read failed, in words; empty if it did not."""
        return self._now.trouble

    @property
    def last(self) -> LineId | None:
        """The last line that was given, or that reading began behind."""
        return self._mark.last

    @property
    def _mark(self) -> Bookmark:
        return self._now.mark

    def begin_after(self, last: LineId | None) -> Self:
        """Begin behind a line."""
        self._now.begin_after(last)
        return self

    async def follow(self) -> AsyncGenerator[Batch | Gap]:
        """Everything until nothing more can come."""
        try:
            while not self.refused and (self._newer or not self._ended.is_set()):
                async with aclosing(self._follow_on()) as items:
                    async for item in items:
                        yield item
                if not (self._newer or self._ended.is_set()):
                    await self.pause()
        finally:
            await self._newer.aclose()
        async with aclosing(self.read_to_end()) as items:
            async for item in items:
                yield item

    def read_to_end(self) -> AsyncGenerator[Batch | Gap]:
        """Everything of a container that has ended."""
        return self._now.read_to_end()

    def read_once(self) -> AsyncGenerator[Batch | Gap]:
        """What is there now, complete lines only; a gap where the last line is not found."""
        return self._now.read_once()

    async def pause(self) -> None:
        """Wait a little, longer each time that nothing came; the container's end ends it."""
        await self._now.pause()

    async def _follow_on(self) -> AsyncGenerator[Batch | Gap]:
        """By one follow: of the next file that is open, or of the newest from the place on."""
        self._come_to()
        if self._newer:
            if gap := self._turn():
                yield gap
            file = self._newer.take()
            live = Live(file.reading, file.steps, None)
        else:
            if self._mark.place.after:
                async with aclosing(self.read_once()) as items:
                    async for item in items:
                        yield item
                if self._now.outcome is not Outcome.READ and self._mark.place.after:
                    return
            live = Live.open(self._now.open(Scope.FOLLOW), self._mark.place.after)
        async with aclosing(self._live(live)) as found:
            async for item in found:
                yield item

    def _come_to(self) -> None:
        """Nothing comes behind the last line: it may stand in two files, and be the end of both."""
        if file := self._newer.come_to(self._mark.place.text or b""):
            self._mark.stands_at(file.first, file.text)

    def _turn(self) -> Gap | None:
        """Go on with the next file that is open; a gap if one may be missing between."""
        file, last = self._newer.next, self.last
        hole = seconds_between(last.timestamp, file.first) if last else 0.0
        self._mark.turns()
        return lost(last) if hole >= ROTATION_SECONDS and not file.is_next else None

    async def _live(self, live: Live) -> AsyncGenerator[Batch | Gap]:
        live.hear_out(self._ended, self._pace.heard)
        try:
            async with aclosing(self._steps(live)) as found:
                async for item in found:
                    yield item
        except ApiError as error:
            self._now.fail(error)
        finally:
            await live.aclose()

    async def _steps(self, live: Live) -> AsyncGenerator[Batch | Gap]:
        while not (live.over or live.reading.overdue):
            ended = None if live.told or self._newer else live.caught_up
            if await live.steps.wait(ended, self._patience(live)):
                items: AsyncGenerator[Batch | Gap] = self._step(live)
            elif ended and ended.done():
                items = self._last_reads(live)
            else:
                await self._silence(live)
                continue
            async with aclosing(items):
                async for item in items:
                    yield item

    def _patience(self, live: Live) -> float | None:
        """After how many silent seconds something is to be done."""
        if self._newer or not live.reading.resume.found:
            return self._pace.silent
        may_be_deaf = self._may_be_long(live) and not live.hears
        return self._pace.silent * min(2**live.silences, 8) if may_be_deaf else None

    def _may_be_long(self, live: Live) -> bool:
        """Whether so much came that the log may have been rotated."""
        return live.after is not None or live.came >= self._pace.look_bytes

    async def _step(self, live: Live) -> AsyncGenerator[Batch | Gap]:
        """What a follow gives next, up to where it leaves a file out."""
        lines = live.steps.take()
        if lines is None:
            self._end(live)
            return
        leaps = live.pulse.leaps(lines, self._pace.now(), found=live.reading.resume.found)
        if not lines:
            return
        size = sum(map(len, lines.texts))
        live.come(size)
        self._newer.admit(self.last)
        guarded = self._newer and self._newer.next.is_next
        end = self._newer.leap(lines, self._mark.place.text or b"")
        async with aclosing(self._pass(lines.part(0, end), [] if guarded else leaps)) as items:
            async for item in items:
                yield item
        await self._newer.clean()
        self._newer.come(size, len(lines), self.last)
        live.over = end is not None or not self._mark.place.after

    async def _pass(self, lines: Lines, leaps: list[int]) -> AsyncGenerator[Batch | Gap]:
        """Lines of a follow, up to a leap behind which the newest file is to be read anew."""
        start = 0
        for end in (*leaps, len(lines)):
            for batch in self._now.take(lines.part(start, end)):
                yield batch
            start = end
            if end < len(lines) and not await meets(self._now.open(Scope.REST)):
                self._mark.place = Place()
                yield lost(self.last)
                break

    async def _silence(self, live: Live) -> None:
        """A follow gives nothing: it waits, or is not by its place, or was left by its log."""
        if not live.reading.resume.found:
            live.over = True
            return
        live.silences += 1
        answered = await self._newer.look(self.last)
        self._come_to()
        if live.steps.ready or self.last is None:
            return
        if not self._newer:
            live.hears = live.hears or answered
            return
        hole = seconds_between(self.last.timestamp, self._newer.next.first)
        if hole < RIGHT_BEFORE_SECONDS or live.silences >= SILENCES:
            live.reading.leave()
            self._end(live)

    async def _last_reads(self, live: Live) -> AsyncGenerator[Batch | Gap]:
        """Read to the end beside a follow, which is late to hear of it, but may have more."""
        if self._may_be_long(live):
            await self._newer.look(self.last)
            self._come_to()
        if self._newer:
            return  # the follow ends where its file does
        before, scopes = self.last, self._now.scopes
        self._now.outcome = Outcome.READ
        while self._now.outcome is Outcome.READ and not self._now.settled:
            scopes = self._now.scopes
            if live.hearings < HEARINGS:
                scopes = scopes[:1]
            async with aclosing(self._now.ask(scopes)) as found:
                async for batch in found:
                    yield batch
        # What the follow still brings was read by the other way.
        live.over = self._now.settled or self.last != before
        if scopes == (Scope.END,) and self._now.outcome is Outcome.ABSENT and not live.over:
            live.hear_out(self._ended, self._pace.heard)  # it is far from the end of a long log
        else:
            live.told = True

    def _end(self, live: Live) -> None:
        """A follow is at the end of a file."""
        live.over = True
        if live.reading.strange:
            self._now.refuse(live.reading.strange)
        elif live.reading.resume.found:
            self._mark.ends(live.reading, file=True)
