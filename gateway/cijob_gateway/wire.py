"""Server-sent events as bytes. Used by streams.py and the routes; asks nobody.

The bytes are made here by hand: logs are the hot path. A batch is encoded once for all who read it
at the same time, and what is kept for that is bounded in bytes. A line may have 8 MiB, and as JSON
six times as many: its event is made in pieces while it is sent, and nobody holds all of it.
"""

import codecs
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cijob_gateway.logs.logitems import Batch, Closed, End, Gap, Item, State

# A text over so many characters is encoded in pieces of that length.
LONG = 64 * 1024
# Of batches and their events together, for all readers of all logs: those of the last moments.
KEPT_BYTES = 16 * 1024 * 1024
Pieces = Iterable[bytes]
"""One event: what may come between two is never sent between two pieces."""


def event(kind: str, data: object, identity: str = "") -> bytes:
    """One event. ASCII only: bytes that are no UTF-8 survive as lone surrogates."""
    return _head(kind, identity) + f"{_compact(data)}\n\n".encode()


def pieces(kind: str, data: object, identity: str = "") -> Iterator[bytes]:
    """The same event in pieces, none of which is much longer than LONG."""
    yield _head(kind, identity)
    for piece in _json(data):
        yield piece.encode()
    yield b"\n\n"


class Encodings:
    """The events of the batches that were encoded last, in bounded memory."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self.bytes = 0
        """What is kept."""
        self._most = most_bytes
        self._kept: OrderedDict[Batch, tuple[bytes, int]] = OrderedDict()

    def of(self, batch: Batch) -> bytes:
        """A batch as an event."""
        if found := self._kept.get(batch):
            return found[0]
        lines = [line.decode("utf-8", "surrogateescape") for line in batch.lines]
        made = event("log", {"attempt": batch.attempt, "lines": lines}, str(batch.last))
        cost = len(made) + batch.cost
        self._kept[batch] = made, cost
        self.bytes += cost
        while self.bytes > self._most:
            self.bytes -= self._kept.popitem(last=False)[1][1]
        return made


_encodings = Encodings()


def encode(item: Item, encodings: Encodings = _encodings) -> Pieces:
    """An item of a follow as an event."""
    match item:
        case Batch():
            if len(item.lines) == 1 and len(item.lines[0]) > LONG:
                return _long_line(item)
            return (encodings.of(item),)
        case State():
            said = {"phase": item.phase, "reason": item.reason, "message": item.message}
            return (event("status", {**said, "attempt": item.attempt}),)
        case Closed():
            return ()  # clients see it by what comes next
        case Gap():
            return (event("gap", {"message": item.message}),)
        case End():
            said = {"phase": item.phase, "reason": item.reason, "message": item.message}
            log = {"lines": item.lines, "bytes": item.bytes, "sha256": item.sha256}
            complete = {"exitCode": item.exit_code, **log, "complete": item.complete}
            return (event("end", {**said, **complete}),)


def stamped(batch: Batch) -> Batch:
    """The same lines, each behind its time; their ids stay."""
    pairs = zip(batch.timestamps, batch.lines, strict=True)
    texts = tuple(time + b" " + line for time, line in pairs)
    return replace(batch, content=replace(batch.content, texts=texts))


def _long_line(batch: Batch) -> Iterator[bytes]:
    """A batch of one long line as `Encodings` would make it; its readers share the line itself."""
    yield _head("log", str(batch.last)) + f'{{"attempt":{batch.attempt},"lines":["'.encode()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    line = batch.lines[0]
    for start in range(0, len(line), LONG):
        text = decoder.decode(line[start : start + LONG], final=start + LONG >= len(line))
        yield _compact(text)[1:-1].encode()
    yield b'"]}\n\n'


def _head(kind: str, identity: str) -> bytes:
    first = f"id: {identity}\n" if identity else ""
    return f"{first}event: {kind}\ndata: ".encode()


def _json(value: object) -> Iterator[str]:
    """JSON in pieces; long texts anywhere in it are cut."""
    match value:
        case str() if len(value) > LONG:
            yield '"'
            for start in range(0, len(value), LONG):
                yield _compact(value[start : start + LONG])[1:-1]
            yield '"'
        case dict() if value:
            for number, (key, one) in enumerate(value.items()):
                yield f"{',' if number else '{'}{_compact(key)}:"
                yield from _json(one)
            yield "}"
        case list() if value:
            for number, one in enumerate(value):
                yield "," if number else "["
                yield from _json(one)
            yield "]"
        case _:
            yield _compact(value)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
