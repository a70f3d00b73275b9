"""What was read and is not stored for good, on disk: chunk by chunk, as it goes to the bucket.

Used by attempts.py, which fills it, and uploads.py, which empties it. In memory is nothing but
counts, however many jobs there are. While the object store is away a job's part grows up to its
share; then nobody reads on: what a Pod has written waits in the node's own log.
"""

import asyncio
import os
import shutil
from collections import deque
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cijob_api.lines import LineId, Ordinals
from cijob_gateway.archiver import metrics
from cijob_gateway.logs.archive import CHUNK_BYTES, Notes, compose, parse
from cijob_gateway.logs.logitems import Batch

# A log may always have so much here, or 300 of them could stop each other for ever.
LEAST_BYTES = 1024 * 1024


class Spool:
    """The folder, and how much is in it."""

    def __init__(self, folder: Path, limit: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed: read again
        folder.mkdir(parents=True)
        self.used = 0
        self.logs = 0
        self._folder = folder
        self._limit = limit
        self._numbers = count()

    def fits(self, own: int) -> bool:
        """Whether a log that has so much here may add to it."""
        share = self._limit / (self.logs + 1)
        return own < LEAST_BYTES or (own < share and self.used < self._limit)

    def add(self, size: int) -> None:
        """Count what was added, or removed."""
        self.used += size
        metrics.spool_bytes.set(self.used)

    def new_file(self) -> Path:
        """A path that nobody has used yet."""
        return self._folder / str(next(self._numbers))


@dataclass(eq=False)
class Segment:
    """A chunk, as far as it has come."""

    offset: int
    path: Path
    lines_before: int
    bytes_before: int
    first: LineId
    last: LineId
    gap: str
    size: int = 0
    stored: int = 0
    """How many of its bytes the store has."""
    closed: bool = False

    @property
    def notes(self) -> Notes:
        """What stands in its metadata now."""
        return Notes(self.first, self.last, self.lines_before, self.bytes_before, self.gap)

    def write(self, content: bytes) -> None:
        """Add lines. Raises OSError, and then nothing was added."""
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        try:
            os.lseek(file, self.size, os.SEEK_SET)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)
        self.size += len(content)

    def read(self, size: int) -> bytes:
        """The first bytes of it."""
        with self.path.open("rb") as file:
            return file.read(size)


class LogSpool:
    """One attempt's part of the spool: the chunks that are not stored for good, in order."""

    def __init__(self, spool: Spool) -> None:
        self.lines = 0
        """How many lines the log has so far."""
        self.bytes = 0
        """How many of the job's own bytes."""
        self.offset = 0
        """How many bytes with timestamps."""
        self.finished = False
        """Nothing more is added."""
        self.news = asyncio.Event()
        """Set when there is something to store."""
        self.urgent = asyncio.Event()
        """Set when there is something to store at once."""
        self._spool = spool
        self._segments: deque[Segment] = deque()
        self._size = 0
        self._gap = ""
        self._room = asyncio.Event()
        spool.logs += 1

    @property
    def next(self) -> Segment | None:
        """The first chunk of which not all is stored."""
        return next((s for s in self._segments if s.stored < s.size), None)

    @property
    def is_full(self) -> bool:
        """Whether this log must wait for the store before it is read on."""
        return not self._spool.fits(self._size)

    def resume(self, content: bytes, notes: Notes, offset: int) -> None:
        """Go on behind the last chunk that is stored, or in it. Raises Corrupt, OSError."""
        texts = parse(content, Ordinals()).texts
        self.lines = notes.lines + len(texts)
        self.bytes = notes.bytes + sum(map(len, texts))
        self.offset = offset + len(content)
        if len(content) >= CHUNK_BYTES or not content.endswith(b"\n"):
            return
        segment = Segment(
            offset,
            self._spool.new_file(),
            notes.lines,
            notes.bytes,
            first=notes.first,
            last=notes.last,
            gap=notes.gap,
        )
        segment.write(content)
        segment.stored = segment.size
        self._count(segment.size)
        self._segments.append(segment)

    def add(self, batch: Batch) -> None:
        """Add lines behind all others. Raises OSError, and then none was added."""
        content = compose(batch.content)
        segment = self._open(batch)
        segment.write(content)
        if not self._segments or self._segments[-1] is not segment:
            self._segments.append(segment)
            self._gap = ""
        segment.last = batch.last
        self._count(len(content))
        self.offset += len(content)
        self.lines += len(batch.lines)
        self.bytes += sum(map(len, batch.lines))
        # Only the last line of a chunk may have no newline.
        if segment.size >= CHUNK_BYTES or not batch.lines[-1].endswith(b"\n"):
            self._close()
        self.news.set()

    def gap(self, words: str) -> None:
        """Lines are missing here: the next one begins a chunk that says so."""
        self._close()
        self._gap = words

    async def room(self) -> None:
        """Wait until the store has taken enough of this log."""
        self._close()
        while self.is_full:
            self._room.clear()
            await self._room.wait()

    def finish(self) -> None:
        """Nothing more comes."""
        self.finished = True
        self._close()
        self.news.set()
        self.urgent.set()

    def stored(self, segment: Segment, size: int) -> None:
        """The store has so many bytes of a chunk."""
        segment.stored = size
        self._clean()

    def aclose(self) -> None:
        """Remove what is left."""
        self._spool.logs -= 1
        while self._segments:
            self._drop(self._segments.popleft())

    def _open(self, batch: Batch) -> Segment:
        """The chunk that the next lines belong to."""
        if self._segments and not self._segments[-1].closed:
            return self._segments[-1]
        return Segment(
            self.offset,
            self._spool.new_file(),
            self.lines,
            self.bytes,
            first=batch.content.id_of(0, batch.attempt),
            last=batch.last,
            gap=self._gap,
        )

    def _close(self) -> None:
        """Nothing more is added to the last chunk."""
        if self._segments:
            self._segments[-1].closed = True
            self.urgent.set()
            self._clean()

    def _clean(self) -> None:
        while self._segments and self._segments[0].closed:
            if self._segments[0].stored < self._segments[0].size:
                break
            self._drop(self._segments.popleft())
        self._room.set()

    def _drop(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)
        self._count(-segment.size)

    def _count(self, size: int) -> None:
        self._size += size
        self._spool.add(size)
