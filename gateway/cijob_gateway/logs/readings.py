"""One request for a Pod's log: from a place in it to the end of the answer.

Used by podlogs.py, which knows what the end of an answer is worth. Decides nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast

from cijob_api.lines import NOTHING, REMEMBERED, LineId, Lines, Parser, Resume, seconds_between
from cijob_kube.api import Api
from cijob_kube.errors import ApiError

CONTAINER = "job"
OVERDUE_SECONDS = 1.0
# The end of a log is so many lines: half of them are behind those that a place needs before it.
END_LINES = 2 * REMEMBERED
# Its timestamp is in them.
FIRST_BYTES = 64
# A busy log comes in thousands of small pieces a second: what comes in so short a time is one.
GATHER_SECONDS = 0.005


@dataclass(frozen=True)
class Source:
    """Whose log."""

    namespace: str
    pod: str
    attempt: int

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/log"


def wall_clock() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Pace:
    """How fast a log is asked for again, in seconds, and when an answer is believed."""

    first: float = 0.05
    most: float = 2.0
    silent: float = 1.0
    """A follow that is silent so long before it comes by its place is given up."""
    heard: float = 0.2
    """A follow is heard out when it is silent so long and the container has ended."""
    rotation: float = 3.0
    """A log is not rotated sooner again: the kubelet refuses a shorter time between two looks."""
    look: float = 1.5
    """So often a newer file of a busy log is looked for."""
    second_line: float = 0.5
    """So long the second line of a newer file is waited for."""
    look_bytes: int = 32 * 1024
    """Of a log of which less came nothing was rotated away: any useful file is larger."""
    tries: int = 6
    """How often an ended container's log is asked for that the API server refuses, at least."""
    patience: float = 0.0
    """And for how long: a node whose runtime is restarted refuses the logs that it has, too."""
    now: Callable[[], datetime] = wall_clock


PACE = Pace()


@dataclass(frozen=True)
class Place:
    """A place in a log: behind a line, or before the first one."""

    after: LineId | None = None
    text: bytes | None = None
    """The bytes of that line, where they are known: another line with its id is another log."""


class Scope(Enum):
    """What is asked for."""

    FOLLOW = "the log from the place on, and what comes"
    REST = "the log from the place on, as it is now"
    END = "the last lines"
    FIRST = "the beginning of the first line"


class Outcome(Enum):
    """What a read came to."""

    READ = "the place was found, and the answer read to its end"
    ABSENT = "the answer has an end, and the place is not in it"
    FAILED = "there was no answer, or no end of it"


class Reading:
    """An answer of the log API; read `lines` to its end, then look at the rest."""

    def __init__(self, api: Api, path: str, place: Place, scope: Scope) -> None:
        self.rest = NOTHING
        """The last line, if it had no newline when the answer ended."""
        behind = REMEMBERED if scope is Scope.END else 0
        self.resume = Resume(place.after, place.text, behind=behind)
        self._after = place.after
        self._parser = Parser()
        query = {"container": CONTAINER, "timestamps": "true"}
        if scope is Scope.FOLLOW:
            query["follow"] = "true"
        if scope is Scope.END:
            query["tailLines"] = str(END_LINES)
        if scope is Scope.FIRST:
            query["limitBytes"] = str(FIRST_BYTES)
        if place.after:
            query["sinceTime"] = place.after.look_from()
        # The generator itself, so that it can be closed: a stream left open costs the node a watch.
        self._chunks = cast("AsyncGenerator[bytes]", api.stream(path, query, gather=GATHER_SECONDS))

    @property
    def strange(self) -> str:
        """Words of the kubelet's in place of lines, if there were any."""
        return self._parser.strange.decode(errors="replace").strip()

    @property
    def overdue(self) -> bool:
        """Whether the place should have been met: what comes is younger by more than a second."""
        resume = self.resume
        if resume.found or self._after is None or not resume.newest:
            return False
        return seconds_between(self._after.timestamp, resume.newest) > OVERDUE_SECONDS

    async def lines(self) -> AsyncGenerator[Lines]:
        """Lines behind the place, as they come; empty ones show that something came.

        Ends with the answer, or with words that are not the job's. Raises ApiError.
        """
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                yield self.resume.feed(self._parser.feed(chunk))
                if self._parser.strange:
                    return
        self.leave()

    def leave(self) -> None:
        """Nothing more is read: what came of the last line is the rest."""
        self.rest = self.resume.feed(self._parser.finish())


async def meets(reading: Reading) -> bool:
    """Whether the place is there, as far as can be known; it is read no further than that takes."""
    with suppress(ApiError):
        async with aclosing(reading.lines()) as found:
            async for _ in found:
                if reading.resume.found or reading.overdue:
                    break
    return reading.resume.found


def joined(cut: Lines, lines: Lines) -> Lines:
    """The lines that begin a file of a log, behind what the file before it has of the first."""
    if not (cut and lines):
        return lines
    (timestamp, k, text), *_ = cut.rows()
    first = (timestamp, k, text + lines.texts[0])
    return Lines.of_rows([first, *lines.part(1).rows()])


class Dense:
    """Whether lines came so densely that to look back for the last is to read many again."""

    def __init__(self) -> None:
        self._lines = 0
        self._marks: deque[tuple[int, str]] = deque()  # how many lines there were, and when

    def add(self, lines: int, last: LineId) -> None:
        """Count lines that came, up to this one."""
        self._lines += lines
        if not self._marks or self._lines - self._marks[-1][0] >= END_LINES // 16:
            self._marks.append((self._lines, last.timestamp))
            while len(self._marks) > 1 and self._lines - self._marks[1][0] >= END_LINES:
                self._marks.popleft()

    def at(self, last: LineId | None) -> bool:
        """Whether the end of the log is less than what is behind a line's `look_from`."""
        if last is None or not self._marks:
            return False
        lines, timestamp = self._marks[0]
        return self._lines - lines >= END_LINES and timestamp[:19] >= last.look_from()[:19]


class Steps:
    """An iterator that can be waited for together with something else, step by step."""

    def __init__(self, lines: AsyncGenerator[Lines]) -> None:
        self._lines = lines
        self._clock = asyncio.get_running_loop().time
        self._begun = 0.0
        self._kept = NOTHING
        self._step: asyncio.Task[Lines | None] | None = None

    async def wait(self, other: asyncio.Task[None] | None, seconds: float | None) -> bool:
        """Wait for the next step, for the other thing, or so long; whether the step is there."""
        return bool(self._kept) or await self._has_step(other, seconds)

    async def _has_step(self, other: asyncio.Task[None] | None, seconds: float | None) -> bool:
        if self._step is None:
            self._begun = self._clock()
            self._step = asyncio.create_task(self._next())
        waited = {self._step, other} if other else {self._step}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._step.done()

    async def caught_up(self, ended: asyncio.Event, seconds: float) -> None:
        """Wait for an end, and until a step was waited for so long: nothing is left behind."""
        await ended.wait()
        while (left := seconds - self._silent_seconds) > 0:  # noqa: ASYNC110  # silence is no event
            await asyncio.sleep(left)

    @property
    def _silent_seconds(self) -> float:
        """For how long the next step has been waited for."""
        return self._clock() - self._begun if self._step and not self._step.done() else 0.0

    @property
    def ready(self) -> bool:
        """Whether the next step is there."""
        return bool(self._kept) or (self._step is not None and self._step.done())

    async def gather(self, count: int, seconds: float) -> Lines:
        """Wait for so many lines, so long for each step; they stay. Raises what was raised."""
        while len(self._kept) < count and await self._has_step(None, seconds):
            step = self._step.result() if self._step else None
            if step is None:
                break  # the end, which stays
            self._step = None
            self._kept = Lines.of_rows([*self._kept.rows(), *step.rows()]) if step else self._kept
        return self._kept

    def take(self) -> Lines | None:
        """The step that is there; None at the end. Raises what the iterator raised."""
        if kept := self._kept:
            self._kept = NOTHING
            return kept
        step, self._step = self._step, None
        return step.result() if step else None

    async def aclose(self) -> None:
        """Stop in the middle; nothing is left behind."""
        if self._step:
            await stop(self._step)
        await self._lines.aclose()

    async def _next(self) -> Lines | None:
        return await anext(self._lines, None)


async def stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task of one's own and wait for its end; what it would have given is not wanted."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # asked for, or asyncio complains that nobody did
