"""One attempt's log, read from its Pod until nothing more can come: no line lost, none twice.

Used by follows.py. What the log API can do and cannot decides the rules here:

- The end of an answer is never the end of the log: a follow may end early, without an error. So
  the log is opened again some seconds before the last line, and read on behind it, until the
  container has ended (the caller knows) and two answers in a row end alike.
- `sinceTime` is whole seconds; only the newest file is readable. The last line not found is a gap,
  by a read without `follow`, which has an end. A follow that does not come by it soon is given up.
- A late follow can leave out a file and give the next one twice (leaps.py): if its last line is
  gone, the newest file is followed anew.
- Seconds of a fast log are many megabytes. Once the container has ended, a follow that is behind
  is heard out, and the last lines are read again (`tailLines`): the place counts there behind as
  many lines as are remembered to number equal timestamps, else all is read.
- A container that ends while the kubelet still reads its last but one file ends the follow at the
  end of that file, and the last line is not in the newest one, though nothing is missing. No file
  is shorter than the seconds between the kubelet's rotations: lines that begin sooner follow.
- A runtime that is told to begin a new file cuts the line that it is writing: its beginning ends
  the old file, without a newline, and the rest begins the new one, with a time of its own. A follow
  that crosses gives them as one line; so does who reads the two files one after the other.
- Not guarded against: a node's clock that is set back by more than 5 s just when a follow is cut.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import Self

from cijob_api.lines import NOTHING, LineId, Lines, Resume, seconds_between
from cijob_gateway.logs.leaps import ROTATION_SECONDS, Pulse
from cijob_gateway.logs.logitems import Batch, Gap, batches, lost
from cijob_gateway.logs.readings import (
    Dense,
    Outcome,
    Pace,
    Place,
    Reading,
    Scope,
    Source,
    Steps,
    joined,
    meets,
    stop,
)
from cijob_kube.api import Api
from cijob_kube.errors import ApiError, Gone, Unavailable

# After how many answers in a row without it a line is believed to be gone.
ABSENT_TRIES = 2
ABSENT_TRIES_EMPTY = 4


class PodLog:
    """A reader's place in the log of one attempt, and what it knows about it."""

    def __init__(self, api: Api, source: Source, ended: asyncio.Event, *, pace: Pace) -> None:
        self._api = api
        self._source = source
        self._ended = ended
        self._pace = pace
        self._place = Place()
        self._outcome = Outcome.READ
        self._rest = NOTHING
        self._file_ended = False  # the place is where a file of the log ends
        self._cut = NOTHING  # what stands there of a line that goes on in the next file
        self._agreeing = 0  # answers in a row that have ended alike, and added nothing
        self._idle = 0  # pauses since lines came
        self._refusals = 0
        self._absences = 0
        self._settled = False
        self._dense = Dense()
        self._seen = Resume(None)  # of the last answer that had an end
        self.last: LineId | None = None
        """The last line that was given, or that reading began behind."""
        self.refused = ""
        """Why the log cannot be read any further, in words; empty while it can."""
        self.trouble = ""
        """Why the last read failed, in words; empty if it did not."""

    def begin_after(self, last: LineId | None) -> Self:
        """Begin behind a line."""
        self.last = last
        self._place = Place(last)
        return self

    async def follow(self) -> AsyncGenerator[Batch | Gap]:
        """Everything until nothing more can come."""
        while not (self._ended.is_set() or self.refused):
            if self._place.after:
                async with aclosing(self.read_once()) as items:
                    async for item in items:
                        yield item
            if self._outcome is Outcome.READ or not self._place.after:
                async with aclosing(self._live()) as found:
                    async for batch in found:
                        yield batch
            if not self._ended.is_set():
                await self.pause()
        async with aclosing(self.read_to_end()) as items:
            async for item in items:
                yield item

    async def read_to_end(self) -> AsyncGenerator[Batch | Gap]:
        """Everything of a container that has ended."""
        while not (self._settled or self.refused):
            async with aclosing(self.read_once()) as items:
                async for item in items:
                    yield item
            if self._outcome is Outcome.FAILED:
                await self.pause()
        rest, self._rest = self._rest, NOTHING
        if self._settled:
            for batch in self._take(rest):
                yield batch

    async def read_once(self) -> AsyncGenerator[Batch | Gap]:
        """What is there now, complete lines only; a gap where the last line is not found."""
        async with aclosing(self._ask()) as items:
            async for batch in items:
                yield batch
        if self._outcome is Outcome.ABSENT and (gap := self._lose()):
            yield gap

    async def pause(self) -> None:
        """Wait a little, longer each time that nothing came; the container's end ends it."""
        self._idle += 1
        seconds = min(self._pace.most, self._pace.first * 2 ** min(self._idle, 16))
        if self._ended.is_set():
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)

    def _open(self, scope: Scope) -> Reading:
        return Reading(self._api, self._source.path, self._place, scope)

    async def _ask(self) -> AsyncGenerator[Batch]:
        """An answer that has an end; a long log that grows no more is asked for its end first."""
        long = self._ended.is_set() and self._dense.at(self._place.after)
        for scope in (Scope.END, Scope.REST) if long else (Scope.REST,):
            reading = self._open(scope)
            async with aclosing(self._read(reading)) as items:
                async for batch in items:
                    yield batch
            self._seen = reading.resume
            if self._outcome is not Outcome.ABSENT:
                return

    async def _read(self, reading: Reading) -> AsyncGenerator[Batch]:
        sure = self._ended.is_set()
        try:
            async with aclosing(reading.lines()) as found:
                async for lines in found:
                    for batch in self._take(lines):
                        yield batch
        except ApiError as error:
            self._fail(error)
            return
        if reading.strange:
            self._refuse(reading.strange)
            return
        self.trouble = ""
        self._outcome = Outcome.READ if reading.resume.found else Outcome.ABSENT
        if self._outcome is Outcome.READ:
            self._refusals = self._absences = 0
            self._agree(reading)
            # One answer may be cut short and look like an end; two do not end alike by chance.
            self._settled = sure and self._agreeing >= 2

    def _agree(self, reading: Reading) -> None:
        """An answer has ended: as the one before it did?"""
        same = self._rest.texts == reading.rest.texts
        self._agreeing = self._agreeing + 1 if same else 1
        self._rest = reading.rest

    def _take(self, lines: Lines) -> Iterator[Batch]:
        if lines:
            self._idle = self._refusals = self._agreeing = 0
            self._file_ended = False
        cut, self._cut = (self._cut, NOTHING) if lines else (NOTHING, self._cut)
        for batch in batches(joined(cut, lines), self._source.attempt):
            self.last = batch.last
            self._dense.add(len(batch.lines), self.last)
            self._place = Place(self.last, batch.lines[-1])
            if cut and len(batch.lines) == 1:  # in this file stands only the rest of it
                self._place = Place(lines.id_of(0, self._source.attempt), lines.texts[0])
            cut = NOTHING
            yield batch

    async def _live(self) -> AsyncGenerator[Batch | Gap]:
        reading = self._open(Scope.FOLLOW)
        steps = Steps(reading.lines())
        ended = asyncio.create_task(steps.caught_up(self._ended, self._pace.heard))
        try:
            async with aclosing(self._steps(reading, steps, ended)) as found:
                async for item in found:
                    yield item
        except ApiError as error:
            self._fail(error)
        finally:
            await stop(ended)
            await steps.aclose()

    async def _steps(
        self, reading: Reading, steps: Steps, ended: asyncio.Task[None]
    ) -> AsyncGenerator[Batch | Gap]:
        told, pulse = False, Pulse(self._place.after)
        while not reading.overdue:
            patience = None if reading.resume.found else self._pace.silent
            if await steps.wait(None if told else ended, patience):
                lines = steps.take()
                if lines is None:
                    self._end(reading)
                    return
                leaps = pulse.leaps(lines, self._pace.now(), found=reading.resume.found)
                async for item in self._pass(lines, leaps):
                    yield item
                if lines and not self._place.after:
                    return
            elif ended.done() and not told:
                told, before = True, self.last
                async with aclosing(self._last_reads()) as found:
                    async for batch in found:
                        yield batch
                if self._settled or self.last != before:
                    return  # what the follow still brings was read by the other way
            elif not reading.resume.found:
                return

    async def _pass(self, lines: Lines, leaps: list[int]) -> AsyncGenerator[Batch | Gap]:
        """Lines of a follow, up to a leap behind which the newest file is to be read anew."""
        start = 0
        for end in (*leaps, len(lines)):
            for batch in self._take(lines.part(start, end)):
                yield batch
            start = end
            if end < len(lines) and not await meets(self._open(Scope.REST)):
                self._place = Place()
                yield lost(self.last)
                break

    async def _last_reads(self) -> AsyncGenerator[Batch]:
        """Read to the end beside a follow, which is late to hear of it, but may have more."""
        self._outcome = Outcome.READ
        while self._outcome is Outcome.READ and not self._settled:
            async with aclosing(self._ask()) as found:
                async for batch in found:
                    yield batch

    def _end(self, reading: Reading) -> None:
        if reading.strange:
            self._refuse(reading.strange)
            return
        if reading.resume.found:
            self._agree(reading)
            self._file_ended = True

    def _lose(self) -> Gap | None:
        """The place is not in the log: go on where the log begins now."""
        resume = self._seen
        after = self._place.after.timestamp if self._place.after else ""
        # One answer may be cut short before the place and look whole. It is likely to be so, or the
        # new file to be empty still, if nothing in it is younger than the place.
        self._absences += 1
        if self._absences < (ABSENT_TRIES_EMPTY if resume.newest <= after else ABSENT_TRIES):
            self._outcome = Outcome.FAILED
            self.trouble = "the answer was cut short"
            return None
        self._absences = 0
        if self._file_ended and not resume.first:  # rotated when nothing more was to come
            self._outcome = Outcome.READ
            self._settled = self._ended.is_set()
            return None
        self._place = Place()
        since = seconds_between(after, resume.first) if resume.first else ROTATION_SECONDS
        if self._file_ended and 0 <= since < ROTATION_SECONDS:  # the next file
            self._cut, self._rest = self._rest, NOTHING
            return None
        return lost(self.last)

    def _fail(self, error: ApiError) -> None:
        self._break_off(error.message)
        if isinstance(error, Unavailable):
            return  # the API server is away: it comes back
        if isinstance(error, Gone) and f'pods "{self._source.pod}" not found' in error.message:
            self.refused = f"Pod {self._source.pod} is gone, and the rest of its log with it"
            return
        self._refuse(error.message)

    def _refuse(self, words: str) -> None:
        self._break_off(words)
        self._refusals += 1
        if self._ended.is_set() and self._refusals >= self._pace.tries:
            self.refused = f"the log of Pod {self._source.pod} cannot be read: {words}"

    def _break_off(self, words: str) -> None:
        self._outcome = Outcome.FAILED
        self._file_ended = False
        self._agreeing = 0
        self.trouble = words
