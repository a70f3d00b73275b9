"""One request for a Pod's log: from a place in it to the end of the answer.

Used by podlogs.py, which knows what the end of an answer is worth. Decides nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from cijob_api.lines import NOTHING, LineId, Lines, Parser, Resume
from cijob_kube.api import Api

CONTAINER = "job"


@dataclass(frozen=True)
class Place:
    """A place in a log: behind a line, or before the first one."""

    after: LineId | None = None
    text: bytes | None = None
    """The bytes of that line, where they are known: another line with its id is another log."""


class Reading:
    """An answer of the log API; read `lines` to its end, then look at the rest."""

    def __init__(self, api: Api, path: str, place: Place, *, follow: bool) -> None:
        self.follow = follow
        self.rest = NOTHING
        """The last line, if it had no newline when the answer ended."""
        self.resume = Resume(place.after, place.text)
        self._parser = Parser()
        query = {"container": CONTAINER, "timestamps": "true"}
        if follow:
            query["follow"] = "true"
        if place.after:
            query["sinceTime"] = place.after.look_from()
        self._chunks = api.stream(path, **query)

    @property
    def strange(self) -> str:
        """Words of the kubelet's in place of lines, if there were any."""
        return self._parser.strange.decode(errors="replace").strip()

    @property
    def at_a_line_end(self) -> bool:
        """Whether the answer ended where a line did."""
        return not self.rest and not self._parser.strange

    async def lines(self) -> AsyncIterator[Lines]:
        """Lines behind the place, as they come; empty ones show that something came.

        Ends with the answer, or with words that are not the job's. Raises ApiError.
        """
        async with aclosing(self._chunks) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield self.resume.feed(self._parser.feed(chunk))
                if self._parser.strange:
                    return
        self.rest = self.resume.feed(self._parser.finish())


class Steps:
    """An iterator that can be waited for together with something else, step by step."""

    def __init__(self, lines: AsyncIterator[Lines]) -> None:
        self._lines = lines
        self._step: asyncio.Future[Lines | None] | None = None

    async def wait(self, other: asyncio.Future[object], seconds: float | None) -> bool:
        """Wait for the next step, for the other thing, or so long; whether the step is there."""
        if self._step is None:
            self._step = asyncio.ensure_future(anext(self._lines, None))
        waited = {self._step} if other.done() else {self._step, other}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._step.done()

    def take(self) -> Lines | None:
        """The step that is there; None at the end. Raises what the iterator raised."""
        assert self._step is not None
        step, self._step = self._step, None
        return step.result()

    async def aclose(self) -> None:
        """Stop in the middle; nothing is left behind."""
        if self._step:
            self._step.cancel()
            await asyncio.wait({self._step})
            if not self._step.cancelled():
                self._step.exception()  # it was ready after all; nobody wants it any more
        await self._lines.aclose()  # type: ignore[attr-defined]
