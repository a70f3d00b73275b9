"""The body of an upload, and what it must be. Used by store.py, whose client reads it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import NoReturn

from cijob_gateway.errors import DigestMismatch, Problem, SlowUpload, SourceTooLarge
from cijob_gateway.settings import MIB

SILENT_SECONDS = 60
# However slowly it drips: a few such clients would take all threads that uploads have.
UPLOAD_SECONDS = 3600


def too_large(size: int, limit: int) -> SourceTooLarge:
    """The answer to a source over the limit."""
    words = f"the source has {size / MIB:.0f} MiB or more, the limit is {limit / MIB:.0f} MiB"
    return SourceTooLarge(f"{words}; add build outputs to .ciignore", limitBytes=limit)


@dataclass(frozen=True)
class Wanted:
    """What an upload must be: at most so many bytes, and with that digest if one is named."""

    limit: int
    sha256: str | None = None
    size: int | None = None
    kind: str = "application/zip"
    problem: Callable[[int, int], Problem] = too_large  # what to say of its size and the limit


class Body:
    """A request's body as the file that the client reads, from its own thread.

    Each `read` waits for what the event loop receives: nothing is kept but the part being sent.
    What is wrong with the bytes is raised before the last of them are handed over, so that the
    client never completes the object.
    """

    def __init__(
        self, body: AsyncIterator[bytes], wanted: Wanted, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._body = body
        self._wanted = wanted
        self._loop = loop
        self._ends = loop.time() + UPLOAD_SECONDS
        self._rest = b""
        self._hash = hashlib.sha256()
        self._ended = False
        self.size = 0
        """Bytes that were read so far."""
        self.problem: Problem | None = None
        """What was wrong with them."""

    @property
    def digest(self) -> str:
        """The digest of what was read so far."""
        return self._hash.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end: the client joins portions by copying all so far."""
        taken = bytearray()
        while not self._ended and (size < 0 or len(taken) < size):
            chunk = self._rest or self._next()
            fits = len(chunk) if size < 0 else size - len(taken)
            taken += chunk[:fits]
            self._rest = chunk[fits:]
        return bytes(taken)

    def _next(self) -> bytes:
        async def chunk() -> bytes:
            async for received in self._body:
                if received:
                    return received
            return b""

        waiting = asyncio.run_coroutine_threadsafe(chunk(), self._loop)
        try:
            received = waiting.result(max(0.0, min(SILENT_SECONDS, self._ends - self._loop.time())))
        except TimeoutError:
            waiting.cancel()
            words = f"nothing came for {SILENT_SECONDS} s, or not all within {UPLOAD_SECONDS} s"
            self._fail(SlowUpload(f"{words}; upload again"))
        self._ended = not received
        self._hash.update(received)
        self.size += len(received)
        self._check()
        return received

    def _check(self) -> None:
        if self.size > self._wanted.limit:
            self._fail(self._wanted.problem(self.size, self._wanted.limit))
        whole = self._ended or self.size == self._wanted.size
        if whole and self._wanted.sha256 not in {None, self.digest}:
            words = f"the {self.size} bytes that came have the digest {self.digest}"
            self._fail(DigestMismatch(f"{words}, not {self._wanted.sha256}; upload again"))

    def _fail(self, problem: Problem) -> NoReturn:
        self.problem = problem
        raise problem
