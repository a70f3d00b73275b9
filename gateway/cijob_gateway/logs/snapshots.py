"""What one attempt's log has now, by answers that have an end.

Used by podlogs.py, which follows, and says what the end of an answer is worth.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from time import monotonic

from cijob_api.lines import LineId, Lines, Resume
from cijob_gateway.logs.bookmarks import Bookmark
from cijob_gateway.logs.logitems import Batch, Gap, lost
from cijob_gateway.logs.readings import Outcome, Pace, Reading, Scope, Source
from cijob_kube.api import Api
from cijob_kube.errors import ApiError, Gone, Unavailable

# The node has removed the container, as it does in an evicted Pod: its log does not come back.
_NO_LOG = re.compile('container ".+" in pod ".+" is terminated')


class Snapshots:
    """Reads of a log, each as it is at that time, one behind the other."""

    def __init__(self, api: Api, source: Source, ended: asyncio.Event, pace: Pace) -> None:
        self.mark = Bookmark(source.attempt)
        """How far the log was read."""
        self.outcome = Outcome.READ
        """What the last read came to."""
        self.settled = False
        """The container has ended, and everything was read."""
        self.refused = ""
        """Why the log cannot be read any further, in words; empty while it can."""
        self.trouble = ""
        """Why the last read failed, in words; empty if it did not."""
        self._api = api
        self._source = source
        self._ended = ended
        self._pace = pace
        self._idle = 0  # pauses since lines came
        self._sure = False  # the container had ended before the last answer was asked for
        self._refusals = 0  # in a row, since the container has ended
        self._refused_at = 0.0  # when the first of them came
        self._seen = Resume(None)  # of the last answer that had an end

    def begin_after(self, last: LineId | None) -> None:
        """Begin behind a line."""
        self.mark = Bookmark(self._source.attempt, last)

    async def read_to_end(self) -> AsyncGenerator[Batch | Gap]:
        """Everything of a container that has ended."""
        while not (self.settled or self.refused):
            async with aclosing(self.read_once()) as items:
                async for item in items:
                    yield item
            if self.outcome is Outcome.FAILED:
                await self.pause()
        if self.settled:
            for batch in self.mark.take_rest():
                yield batch

    async def read_once(self) -> AsyncGenerator[Batch | Gap]:
        """What is there now, complete lines only; a gap where the last line is not found."""
        async with aclosing(self.ask(self.scopes)) as items:
            async for batch in items:
                yield batch
        if self.outcome is Outcome.ABSENT and (gap := self._lose()):
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

    def open(self, scope: Scope) -> Reading:
        """A request from the place on, not sent yet."""
        return Reading(self._api, self._source.path, self.mark.place, scope)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What to ask for: of a long log that grows no more first its end."""
        long = self._ended.is_set() and self.mark.dense
        return (Scope.END, Scope.REST) if long else (Scope.REST,)

    async def ask(self, scopes: tuple[Scope, ...]) -> AsyncGenerator[Batch]:
        """An answer that has an end; the next one where the place is not in it."""
        for scope in scopes:
            reading = self.open(scope)
            async with aclosing(self._read(reading)) as items:
                async for batch in items:
                    yield batch
            self._seen = reading.resume
            if self.outcome is not Outcome.ABSENT:
                return

    def take(self, lines: Lines) -> Iterator[Batch]:
        """Read on: these lines come next."""
        if lines:
            self._idle = self._refusals = 0
        return self.mark.take(lines)

    def fail(self, error: ApiError) -> None:
        """There was no answer, or it broke off."""
        self._break_off(error.message)
        if isinstance(error, Unavailable):
            return  # the API server is away: it comes back
        if isinstance(error, Gone) and f'pods "{self._source.pod}" not found' in error.message:
            self.refused = f"Pod {self._source.pod} is gone, and the rest of its log with it"
            return
        self.refuse(error.message)

    def refuse(self, words: str) -> None:
        """The answer was no log, but these words."""
        self._break_off(words)
        if not self._ended.is_set():
            return
        self._refused_at = self._refused_at if self._refusals else monotonic()
        self._refusals += 1
        patience = 0.0 if _NO_LOG.fullmatch(words) else self._pace.patience
        waited = monotonic() - self._refused_at
        if self._refusals >= self._pace.tries and waited >= patience:
            self.refused = f"the log of Pod {self._source.pod} cannot be read: {words}"

    async def _read(self, reading: Reading) -> AsyncGenerator[Batch]:
        self._sure = self._ended.is_set()
        try:
            async with aclosing(reading.lines()) as found:
                async for lines in found:
                    for batch in self.take(lines):
                        yield batch
        except ApiError as error:
            self.fail(error)
            return
        if reading.strange:
            self.refuse(reading.strange)
            return
        self.trouble = ""
        self.outcome = Outcome.READ if reading.resume.found else Outcome.ABSENT
        if self.outcome is Outcome.READ:
            self._refusals = 0
            self.mark.ends(reading, file=False)
            self.settled = self._sure and self.mark.agreed

    def _lose(self) -> Gap | None:
        """The place is not in the log: go on where the log begins now."""
        first = self._seen.first
        if not self.mark.believes(self._seen):
            self.outcome = Outcome.FAILED
            self.trouble = "the answer was cut short"
            return None
        if not first and (self.mark.file_ended or not self._sure):
            # Rotated, and nothing was written since: what comes, or that nothing does, will tell
            # whether the place was where the file ended.
            self.outcome = Outcome.READ
            self.settled = self._sure
            return None
        return lost(self.mark.last) if self.mark.is_lost(first) else None

    def _break_off(self, words: str) -> None:
        self.outcome = Outcome.FAILED
        self.mark.breaks_off()
        self.trouble = words
