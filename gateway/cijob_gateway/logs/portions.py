"""Chunks of an archive as bytes that begin and end with a line. Used by archivelogs.py.

Each portion is fetched whole while the one before it is given: memory is bounded however slowly
somebody reads, and no connection is held open meanwhile.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from cijob_gateway.logs.archive import Chunk, Corrupt
from cijob_gateway.logs.readings import stop
from cijob_gateway.store import Store

PORTION_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Part:
    """A part of a chunk: from `start` up to `stop`, counted in its own bytes."""

    chunk: Chunk
    start: int
    stop: int

    @property
    def is_last(self) -> bool:
        """Whether the chunk ends here, as far as it was stored when it was looked at."""
        return self.stop == self.chunk.size


class Portions:
    """Reads parts of chunks from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, parts: Iterable[Part]) -> AsyncGenerator[tuple[Chunk, bytes]]:
        """Bytes that begin and end with a line, and the chunk that they are from."""
        rest: list[bytes] = []
        async with aclosing(self._fetched(parts)) as fetched:
            async for part, content in fetched:
                cut = len(content) if part.is_last else content.rfind(b"\n") + 1
                if cut:
                    yield part.chunk, b"".join((*rest, content[:cut]))
                    rest = []
                if cut < len(content):
                    rest.append(content[cut:])

    async def _fetched(self, parts: Iterable[Part]) -> AsyncGenerator[tuple[Part, bytes]]:
        """The content of each part, fetched while the one before it is used."""
        coming: list[tuple[Part, asyncio.Task[bytes]]] = []
        try:
            for part in parts:
                coming.append((part, asyncio.create_task(self.fetch(part))))
                if len(coming) > 1:
                    done, task = coming[0]
                    content = await task
                    del coming[0]
                    yield done, content
            for done, task in coming:
                yield done, await task
            coming = []
        finally:
            for _, task in coming:
                await stop(task)

    async def fetch(self, part: Part) -> bytes:
        """The bytes of a part. Raises Down, Corrupt."""
        length = part.stop - part.start
        try:
            stream = self._store.read(part.chunk.name, start=part.start, length=length)
            async with aclosing(cast("AsyncGenerator[bytes]", stream)) as pieces:
                content = b"".join([piece async for piece in pieces])
        except FileNotFoundError as error:
            raise Corrupt(f"{part.chunk.name} is not there any more") from error
        if len(content) != length:
            raise Corrupt(f"{part.chunk.name} has {len(content)} of {length} bytes")
        return content


def parts_of(chunks: Iterable[Chunk]) -> Iterable[Part]:
    """All parts of these chunks."""
    for chunk in chunks:
        for start in range(0, chunk.size, PORTION_BYTES):
            yield Part(chunk, start, min(start + PORTION_BYTES, chunk.size))


def last_parts(chunks: Sequence[Chunk], size: int) -> list[Part]:
    """The last so many bytes; all if there are not so many."""
    parts: list[Part] = []
    for chunk in reversed(chunks):
        if size <= 0:
            break
        parts.insert(0, Part(chunk, max(chunk.size - size, 0), chunk.size))
        size -= chunk.size
    return parts
