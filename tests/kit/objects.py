"""A bucket in memory that does what the S3 store does, and an archive written into one.

One contract test (cluster/test_store_contract.py) runs against this and against a real S3 server.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cijob_api.lines import LineId, Lines, Ordinals
from cijob_gateway.errors import Down
from cijob_gateway.logs import archive
from cijob_gateway.store import CHUNK_BYTES, Content, Store, Stored

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class MemoryStore(Store):
    """Objects in memory; `trouble` makes every call fail as if the server were away."""

    def __init__(self) -> None:
        self.trouble = ""
        self.objects: dict[str, Content] = {}
        self.asked: list[str] = []
        """What was asked of it: a verb and a name each."""
        self.reads_left: int | None = None
        """After so many reads it is away."""
        self.failures = 0
        """So many calls fail; then it is back."""
        self.used: dict[str, datetime] = {}
        """When an object was last used, if not just then."""

    async def find(self, name: str) -> Stored | None:
        self._ask("find", name)
        found = self.objects.get(name)
        return Stored(name, len(found.content), WHEN, found.metadata) if found else None

    async def read(self, name: str, *, start: int = 0, length: int = 0) -> AsyncIterator[bytes]:
        self._ask("read", name)
        content = self._get(name).content[start : start + length if length else None]
        for place in range(0, len(content), CHUNK_BYTES):
            yield content[place : place + CHUNK_BYTES]

    async def get(self, name: str) -> Content:
        self._ask("get", name)
        return self._get(name)

    async def put(
        self, name: str, content: bytes, *, kind: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._ask("put", name)
        self.objects[name] = Content(content, dict(metadata or {}))

    async def remove(self, name: str) -> None:
        self._ask("remove", name)
        self.objects.pop(name, None)

    async def under(self, prefix: str, *, after: str = "") -> AsyncIterator[Stored]:
        self._ask("list", prefix)
        for name in sorted(self.objects):
            if name.startswith(prefix) and name > after:
                yield Stored(name, len(self.objects[name].content), self.used.get(name, WHEN))

    def _get(self, name: str) -> Content:
        try:
            return self.objects[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    def _ask(self, verb: str, name: str) -> None:
        self.asked.append(f"{verb} {name}")
        if self.reads_left is not None and verb == "read":
            self.reads_left -= 1
            if self.reads_left < 0:
                self.trouble = "the object store cannot be reached"
        self.failures = max(self.failures - 1, -1)
        if self.trouble or self.failures >= 0:
            raise Down(self.trouble or "the object store cannot be reached")


@dataclass
class Archive:
    """The archive of one attempt's log, written as the archiver writes it."""

    store: Store
    namespace: str = "ns"
    uid: str = "1"
    attempt: int = 1
    chunk_bytes: int = archive.CHUNK_BYTES
    lines: int = 0
    size: int = 0
    _offset: int = 0  # of the open chunk
    _open: list[Lines] = field(default_factory=list)
    _before: tuple[int, int] = (0, 0)  # lines and bytes before the open chunk
    _gap: str = ""
    _ordinals: Ordinals = field(default_factory=Ordinals)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    async def add(self, *rows: tuple[bytes, bytes]) -> list[LineId]:
        """Store lines, each a timestamp and a text; their ids."""
        numbered = self._ordinals.number([timestamp for timestamp, _ in rows])
        ids: list[LineId] = []
        for (timestamp, text), k in zip(rows, numbered, strict=True):
            line = Lines((timestamp,), (k,), (text,))
            ids += line.ids(self.attempt)
            self._open.append(line)
            self.lines += 1
            self.size += len(text)
            self._digest.update(text)
            size = sum(len(archive.compose(one)) for one in self._open)
            if size >= self.chunk_bytes or not text.endswith(b"\n"):
                await self._write()
                self._next(size)
        await self._write()
        return ids

    async def lose(self, words: str) -> None:
        """Lines are missing here."""
        self._next(sum(len(archive.compose(one)) for one in self._open))
        self._gap = words

    async def finish(self, *, complete: bool = True, message: str | None = None) -> archive.End:
        """Nothing more comes."""
        end = archive.End(
            lines=self.lines,
            bytes=self.size,
            sha256=self._digest.hexdigest(),
            complete=complete,
            message=message,
        )
        name = archive.end_name(self.namespace, self.uid, self.attempt)
        await self.store.put(name, end.model_dump_json().encode(), kind="application/json")
        return end

    async def _write(self) -> None:
        if not self._open:
            return
        first, last = self._open[0].id_of(0, self.attempt), self._open[-1].id_of(0, self.attempt)
        notes = archive.Notes(first, last, *self._before, self._gap)
        name = archive.chunk_name(self.namespace, self.uid, self.attempt, self._offset)
        content = b"".join(map(archive.compose, self._open))
        await self.store.put(name, content, kind="text/plain", metadata=notes.metadata())

    def _next(self, size: int) -> None:
        self._offset += size
        self._open, self._before, self._gap = [], (self.lines, self.size), ""
