"""The files of a log that a follow has not come to yet, each held open at its beginning.

Used by podlogs.py. Only the newest file of a log can be opened, but whoever has opened it may read
it to its end, however often the log is rotated meanwhile. A follow that is late would leave files
out, and one that was not at the end of its file before it was rotated does not hear of the next one
(the kubelet watches for it only from there on). So, while a log comes in such amounts that it may
be rotated, the first line of the newest file is asked for now and then, which is a small request;
if it is younger than all that was read, that file is opened, and nothing of it is read yet. Behind
the last line of one file the next one is read, from its beginning.
"""

import asyncio
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

from cijob_api.lines import LineId, Lines, seconds_between
from cijob_gateway.logs.leaps import ROTATION_SECONDS
from cijob_gateway.logs.readings import Pace, Place, Reading, Scope, Source, Steps, stop
from cijob_kube.api import Api
from cijob_kube.errors import ApiError

# Two streams write with times that go back and forth: a line so little younger than a file's first
# ones may still be of the file before it.
NEAR_SECONDS = 1.0
OPEN_SECONDS = 5.0
# Each one costs the node a file that it cannot delete.
MOST_FILES = 16
# The log API puts a timestamp and a space before each line.
_MARK = 31


@dataclass
class NewerFile:
    """A file that is open at its beginning."""

    reading: Reading
    steps: Steps
    times: tuple[str, ...]
    """When its first two lines were written; of one, if there was no other."""
    text: bytes
    """The first line."""
    is_next: bool
    """It is the next one for sure: there was no time for another between."""

    @property
    def first(self) -> str:
        """When its first line was written."""
        return self.times[0]

    def is_left_out(self, timestamp: str, before: bytes) -> bool | None:
        """Whether a follow that gives a line of that time, behind the text `before`, left it out.

        False: the follow has come to it. None: that cannot be said yet.
        """
        if timestamp in self.times or self.has_rest_of(before):
            return False
        return True if seconds_between(self.times[-1], timestamp) > NEAR_SECONDS else None

    def has_rest_of(self, text: bytes) -> bool:
        """Whether that line may have ended here, as all that is here.

        A line that was cut where a file begins is given in one piece, with the time of its
        beginning: so the second line of a file shows that it was come to, or else this.
        """
        alone = len(self.times) == 1
        return alone and len(text) > len(self.text) and text.endswith(self.text)


class NewerFiles:
    """Those of one attempt's log, in order."""

    def __init__(self, api: Api, source: Source, pace: Pace) -> None:
        self._api = api
        self._path = source.path
        self._pace = pace
        self._files: deque[NewerFile] = deque()
        self._found: NewerFile | None = None
        self._dropped: list[NewerFile] = []
        self._missed = False  # there was no room for one
        self._newest = ""  # the first line of the newest file that was open here
        self._came = 0  # bytes, since the last look
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[bool] | None = None

    def __bool__(self) -> bool:
        return bool(self._files)

    @property
    def next(self) -> NewerFile:
        """The file to be read next. Raises IndexError."""
        return self._files[0]

    def take(self) -> NewerFile:
        """Begin to read the next file; the caller closes it. Raises IndexError."""
        return self._files.popleft()

    def come(self, size: int, lines: int, last: LineId | None) -> None:
        """So many lines, of so many bytes, came up to the line `last`: is there a newer file?"""
        self._came += size + _MARK * lines
        if last is None or self._looking or self._came < self._pace.look_bytes:
            return
        if monotonic() - self._looked_at >= self._pace.look:
            self._looking = asyncio.create_task(self._look(last))

    async def look(self, last: LineId | None) -> bool:
        """Look for a file that is newer than the line `last`; whether there was an answer."""
        if last is None:
            return False
        looking = self._looking or asyncio.create_task(self._look(last))
        self._looking = looking
        answered = await looking
        self.admit(last)
        return answered

    def admit(self, last: LineId | None) -> None:
        """What a look has found counts, unless the follow came to it meanwhile.

        Here only, between two portions of lines: no line may pass by unseen.
        """
        if self._looking is None or not self._looking.done():
            return
        self._looking = None
        file, self._found = self._found, None
        if file is None:
            return
        is_newer = last is not None and file.first > last.timestamp
        if is_newer and len(self._files) < MOST_FILES:
            file.is_next, self._missed = file.is_next and not self._missed, False
            self._files.append(file)
        else:
            self._missed = self._missed or is_newer
            self._dropped.append(file)

    def leap(self, lines: Lines, before: bytes) -> int | None:
        """Where these lines, behind the text `before`, leave out the next file; None if nowhere."""
        while self._files and lines.timestamps[-1].decode() >= self._files[0].first:
            file = self._files[0]
            for position, timestamp in enumerate(lines.timestamps):
                if (moment := timestamp.decode()) < file.first:
                    continue
                text = lines.texts[position - 1] if position else before
                left_out = file.is_left_out(moment, text)
                if left_out:
                    return position
                if left_out is False:
                    break
            else:
                return None
            self._dropped.append(self._files.popleft())
        return None

    def come_to(self, text: bytes) -> NewerFile | None:
        """The file that the follow may have come to: the line with that text has its end there."""
        if not (self._files and self._files[0].has_rest_of(text)):
            return None
        self._dropped.append(self._files.popleft())
        return self._dropped[-1]

    async def clean(self) -> None:
        """Close the files that the follow has come to by itself."""
        while self._dropped:
            await self._dropped.pop().steps.aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        if self._looking:
            await stop(self._looking)
        if self._found:
            self._dropped.append(self._found)
        self._dropped.extend(self._files)
        self._files.clear()
        await self.clean()

    async def _look(self, last: LineId) -> bool:
        began, before = monotonic(), self._looked_at
        self._came = 0
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                first = await self._first()
            if first > max(last.timestamp, self._newest):
                file = await self._open(first)
                if file is None:
                    return False
                file.is_next = monotonic() - before < self._pace.rotation
                self._found, self._newest = file, first
        except (ApiError, TimeoutError):
            return False
        self._looked_at = began
        return bool(first)

    async def _first(self) -> str:
        """When the first line of the newest file was written; empty if it has none yet."""
        reading = Reading(self._api, self._path, Place(), Scope.FIRST)
        async with aclosing(reading.lines()) as found:
            async for lines in found:
                if lines:
                    return lines.timestamps[0].decode()
        return reading.rest.timestamps[0].decode() if reading.rest else ""

    async def _open(self, first: str) -> NewerFile | None:
        """The newest file, if it begins with a line of that time. Raises ApiError."""
        reading = Reading(self._api, self._path, Place(), Scope.FOLLOW)
        steps = Steps(reading.lines())
        try:
            lines = await steps.gather(1, OPEN_SECONDS)
            if lines and lines.timestamps[0].decode() == first:
                lines = await steps.gather(2, self._pace.second_line)
                times = [timestamp.decode() for timestamp in lines.timestamps[:2]]
                # No file is so short: a line that is so much younger may be of the one behind it.
                if seconds_between(first, times[-1]) >= ROTATION_SECONDS:
                    times = times[:1]
                return NewerFile(reading, steps, tuple(times), lines.texts[0], is_next=False)
        except BaseException:
            await steps.aclose()
            raise
        await steps.aclose()
        return None
