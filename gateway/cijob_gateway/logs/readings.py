"""One request for a Pod's log: from a place in it to the end of the answer.

Used by podlogs.py, which knows what the end of an answer is worth. Decides nothing.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from cijob_api.lines import NOTHING, LineId, Lines, Parser, Resume, seconds_between
from cijob_kube.api import Api

CONTAINER = "job"
OVERDUE_SECONDS = 1.0


@dataclass(frozen=True)
class Place:
    """A place in a log: behind a line, or before the first one."""

    after: LineId | None = None
    text: bytes | None = None
    """The bytes of that line, where they are known: another line with its id is another log."""


class Outcome(Enum):
    """What a read came to."""

    READ = "the place was found, and the answer read to its end"
    ABSENT = "the answer has an end, and the place is not in it"
    FAILED = "there was no answer, or no end of it"


class Reading:
    """An answer of the log API; read `lines` to its end, then look at the rest."""

    def __init__(self, api: Api, path: str, place: Place, *, follow: bool) -> None:
        self.follow = follow
        self.rest = NOTHING
        """The last line, if it had no newline when the answer ended."""
        self.resume = Resume(place.after, place.text)
        self._after = place.after
        self._parser = Parser()
        query = {"container": CONTAINER, "timestamps": "true"}
        if follow:
            query["follow"] = "true"
        if place.after:
            query["sinceTime"] = place.after.look_from()
        # The generator itself, so that it can be closed: a stream left open costs the node a watch.
        self._chunks = cast("AsyncGenerator[bytes]", api.stream(path, **query))

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
        self.rest = self.resume.feed(self._parser.finish())


def joined(cut: Lines, lines: Lines) -> Lines:
    """The lines that begin a file of a log, behind what the file before it has of the first."""
    if not (cut and lines):
        return lines
    (timestamp, k, text), *_ = cut.rows()
    first = (timestamp, k, text + lines.texts[0])
    return Lines.of_rows([first, *lines.part(1).rows()])


class Steps:
    """An iterator that can be waited for together with something else, step by step."""

    def __init__(self, lines: AsyncGenerator[Lines]) -> None:
        self._lines = lines
        self._step: asyncio.Task[Lines | None] | None = None

    async def wait(self, other: asyncio.Task[bool] | None, seconds: float | None) -> bool:
        """Wait for the next step, for the other thing, or so long; whether the step is there."""
        if self._step is None:
            self._step = asyncio.create_task(self._next())
        waited = {self._step, other} if other else {self._step}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._step.done()

    def take(self) -> Lines | None:
        """The step that is there; None at the end. Raises what the iterator raised."""
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
