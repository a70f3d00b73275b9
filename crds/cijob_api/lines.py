"""The lines of a Pod's log, their ids, and how a reader finds its place again.

Used by whoever reads logs and whoever checks what was read. Pure: bytes in, lines out; it opens
nothing and knows no time but the one written in the log.

The kubelet serves a log with timestamps as `TIMESTAMP SP text LF`, in the log's own order. A line's
id is `<attempt>.<timestamp>.<k>`: the timestamp in UTC with nine digits, and k, the number of lines
with the same timestamp before it. `sinceTime` keeps or drops all lines of one timestamp alike,
wherever they stand: who reads from some seconds before a line counts the same k as who has read
from the start. Two streams write with timestamps that go back and forth, so lines are never sorted;
a place in the log is found by reading up to it.

What begins with no timestamp is not a line: at the beginning of an answer it is the end of a line
that `sinceTime` cut, anywhere else it is the kubelet speaking of its own troubles.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from operator import lt
from typing import Self

# A line longer than this comes in pieces, each with an id: no job can fill a reader's memory by
# never ending its line.
LONGEST = 8 * 1024 * 1024
# Timestamps that are remembered to number equal ones. Two streams are apart by microseconds, which
# is a few lines; the whole log's would not fit into memory.
REMEMBERED = 8192
# How far before a line a reader begins to look for it, in seconds.
LOOK_BACK = 5
# How much is kept of a text that is no line, in bytes.
_STRANGE = 1024

_TIME = (
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"  # to :SS
)
_PLAIN = re.compile(rf"{_TIME}\.\d{{9}}Z ([^\n]*\n)".encode())
_ANY = re.compile(rf"({_TIME})(?:\.(\d{{1,9}}))?(Z|[+-]\d\d:\d\d) ".encode())
_ID = re.compile(rf"([1-9]\d{{0,3}})\.({_TIME}\.\d{{9}}Z)\.(0|[1-9]\d{{0,9}})", re.ASCII)
_PREFIX = len("2026-01-31T12:00:00.123456789Z ")
_STAMP = _PREFIX - 1


@dataclass(frozen=True, slots=True)
class LineId:
    """Which line of a job's log: equal or not, never greater or smaller."""

    attempt: int
    timestamp: str
    """UTC, nine digits, `Z`."""
    k: int
    """How many lines with the same timestamp came before it."""

    def __str__(self) -> str:
        return f"{self.attempt}.{self.timestamp}.{self.k}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id as `str` writes it. Raises ValueError on anything else."""
        found = _ID.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:80]!r} is no line id: it looks like 1.<timestamp in UTC>.0")
        _seconds(found[2])  # a 31st of February is no time
        return cls(int(found[1]), found[2], int(found[3]))

    def look_from(self) -> str:
        """The `sinceTime`, in whole seconds, from which a reader meets this line again."""
        # isoformat, not strftime: that drops the zeros of years before 1000 on some systems.
        since = max(_seconds(self.timestamp), _EARLIEST) - timedelta(seconds=LOOK_BACK)
        return f"{since.replace(tzinfo=None).isoformat()}Z"


def _seconds(timestamp: str) -> datetime:
    return datetime.fromisoformat(f"{timestamp[:19]}+00:00")


_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one timestamp of an id to another; negative when time went back."""
    whole = (_seconds(later) - _seconds(earlier)).total_seconds()
    return whole + (int(later[20:29]) - int(earlier[20:29])) / 1e9


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that follow each other, as columns: what is done to all is done at once."""

    timestamps: tuple[bytes, ...] = ()
    ordinals: tuple[int, ...] = ()
    """The k of each."""
    texts: tuple[bytes, ...] = ()
    """What the job wrote, with the newline if it wrote one."""

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[bytes, int, bytes]]) -> "Lines":
        """Lines from timestamp, k and text of each; at least one."""
        timestamps, ordinals, texts = zip(*rows, strict=True)
        return cls(timestamps, ordinals, texts)

    def rows(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Timestamp, k and text of each."""
        return zip(self.timestamps, self.ordinals, self.texts, strict=True)

    def part(self, start: int, end: int | None = None) -> "Lines":
        """Some of them; positions as in a slice."""
        where = slice(start, end)
        return Lines(self.timestamps[where], self.ordinals[where], self.texts[where])

    def id_of(self, position: int, attempt: int) -> LineId:
        """The id of one of them. Raises IndexError."""
        return LineId(attempt, self.timestamps[position].decode(), self.ordinals[position])

    def ids(self, attempt: int) -> Iterator[LineId]:
        """The ids of all of them."""
        return (self.id_of(position, attempt) for position in range(len(self)))

    def position(self, line: LineId) -> int | None:
        """Where the line of that timestamp and k stands, if it is here."""
        timestamp = line.timestamp.encode()
        if timestamp not in self.timestamps:  # nearly always so, and fast
            return None
        pairs = zip(self.timestamps, self.ordinals, strict=True)
        wanted = (timestamp, line.k)
        return next((place for place, pair in enumerate(pairs) if pair == wanted), None)


NOTHING = Lines()


def columns(block: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]] | None:
    """Timestamps and texts of plain lines that all end with a newline; None if some are no such.

    Nothing is made for a line but its timestamp and its text: a pair for each is twice as slow,
    and the garbage collector looks at every one.
    """
    texts = tuple(_PLAIN.findall(block))
    if sum(map(len, texts)) + _PREFIX * len(texts) != len(block):  # some bytes were not matched
        return None
    return tuple([line[:_STAMP] for line in block.split(b"\n")[:-1]]), texts


class Ordinals:
    """Counts equal timestamps, the last ones only."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}
        # Behind those: timestamps that only rose, as nearly all do. They are looked into when one
        # comes that does not, or not at all.
        self._risen: deque[Sequence[bytes]] = deque()
        self._many = 0
        self._newest = b""

    def number(self, timestamps: Sequence[bytes]) -> tuple[int, ...]:
        """The k of each of the next lines."""
        if not timestamps:
            return ()
        rises = all(map(lt, timestamps, islice(timestamps, 1, None)))
        if not (rises and timestamps[0] > self._newest):
            return self._count(timestamps)
        self._newest = timestamps[-1]
        self._risen.append(timestamps)
        self._many += len(timestamps)
        while self._many - len(self._risen[0]) >= REMEMBERED:
            self._many -= len(self._risen.popleft())
            self._seen = {}
        return (0,) * len(timestamps)

    def _count(self, timestamps: Sequence[bytes]) -> tuple[int, ...]:
        seen = self._seen
        for risen in self._risen:
            seen.update(dict.fromkeys(risen, 0))
        self._risen.clear()
        self._many = 0
        self._newest = max(self._newest, *timestamps)
        numbers = []
        for timestamp in timestamps:
            seen[timestamp] = k = seen.get(timestamp, -1) + 1
            numbers.append(k)
        if len(seen) > 2 * REMEMBERED:
            self._seen = dict(islice(seen.items(), len(seen) - REMEMBERED, None))
        return tuple(numbers)


class Parser:
    """Reads one answer of the log API, in chunks cut anywhere."""

    def __init__(self) -> None:
        self._ordinals = Ordinals()
        self._pieces: list[bytes] = []  # of the line whose end has not come yet
        self._size = 0
        self._begun = False
        self._head = b""
        self.strange = b""
        """Words that are not the job's, once there are any: nothing after them is read."""

    def feed(self, chunk: bytes) -> Lines:
        """The lines that end in this chunk."""
        if self.strange:
            return NOTHING
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._keep(chunk)
            return self._cut() if self._size > LONGEST else NOTHING
        block = b"".join((*self._pieces, chunk[:end]))
        self._pieces, self._size = [], 0
        lines = self._number(*self._parse(block))
        self._keep(chunk[end:])
        return lines

    def finish(self) -> Lines:
        """The last line when it has no newline: the job's last words, or an answer cut short."""
        if self.strange:
            return NOTHING
        rest = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        if rest and (found := _ANY.match(rest)):
            text = rest[found.end() :]
            return self._number([_utc(found)], [text]) if text else NOTHING
        if rest or not self._begun:  # nothing but words without a time: no log of a job's
            self.strange = (rest or self._head)[:_STRANGE]
        return NOTHING

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)

    def _cut(self) -> Lines:
        rest = b"".join(self._pieces)
        found = _ANY.match(rest)
        if found is None:  # the end of a line that sinceTime cut: nobody wants it
            self._pieces = [rest[:_STRANGE]]
            self._size = len(self._pieces[0])
            return NOTHING
        *whole, last = _cut(rest[found.end() :])
        self._pieces = [found[0], last]
        self._size = len(found[0]) + len(last)
        return self._number([_utc(found)] * len(whole), whole)

    def _number(self, timestamps: Sequence[bytes], texts: Sequence[bytes]) -> Lines:
        if not texts:
            return NOTHING
        self._begun = True
        return Lines(tuple(timestamps), self._ordinals.number(timestamps), tuple(texts))

    def _parse(self, block: bytes) -> tuple[Sequence[bytes], Sequence[bytes]]:
        plain = columns(block) if len(block) <= LONGEST else None  # as nearly always
        return plain or self._parse_each(block)

    def _parse_each(self, block: bytes) -> tuple[list[bytes], list[bytes]]:
        timestamps: list[bytes] = []
        texts: list[bytes] = []
        for line in block.split(b"\n")[:-1]:
            if found := _ANY.match(line):
                pieces = _cut(line[found.end() :] + b"\n")
                timestamps.extend([_utc(found)] * len(pieces))
                texts.extend(pieces)
            elif self._begun or texts or self._head:
                self.strange = line[:_STRANGE]
                break
            else:
                self._head = line[:_STRANGE] or b"\n"
        return timestamps, texts


def _cut(text: bytes) -> list[bytes]:
    """A text in pieces of LONGEST bytes; the last may be shorter, and has at least one byte."""
    return [text[start : start + LONGEST] for start in range(0, len(text), LONGEST)] or [b""]


def _utc(found: re.Match[bytes]) -> bytes:
    time, fraction, offset = found.groups(default=b"")
    return _minute(time[:16], offset) + time[16:] + b"." + fraction.ljust(9, b"0") + b"Z"


@lru_cache(maxsize=64)
def _minute(minute: bytes, offset: bytes) -> bytes:
    """A minute in UTC; nearly all lines of a log share a few."""
    if offset in (b"Z", b"+00:00", b"-00:00"):
        return minute
    there = datetime.fromisoformat(f"{minute.decode()}:00{offset.decode()}")
    return there.astimezone(UTC).isoformat()[:16].encode()


class Resume:
    """Finds a reader's place in a log that is read again, and passes on what comes behind it.

    The place is the line of that timestamp and k, with those bytes if they are known. What comes
    before it was read already, whatever its timestamp says. If the answer has ended and `found` is
    false, the line is not there (any more): a gap, unless the caller knows better.

    An answer that begins anywhere, not where `sinceTime` cuts, may lack lines of equal timestamps.
    There the place counts only with so many lines before it, `behind`, as are remembered.
    """

    def __init__(self, after: LineId | None, text: bytes | None = None, *, behind: int = 0) -> None:
        self.found = after is None
        self.first = ""
        """The timestamp of the first line that was read."""
        self.newest = ""
        """The latest timestamp that was read before the place was found."""
        self._after = after
        self._text = text
        self._behind = behind

    def feed(self, lines: Lines) -> Lines:
        """The lines among these that come behind the place."""
        if self._after is None or self.found or not lines:
            return lines
        self.first = self.first or lines.timestamps[0].decode()
        self.newest = max(self.newest, max(lines.timestamps).decode())
        place = lines.position(self._after)
        if place is None or self._text not in (None, lines.texts[place]) or place < self._behind:
            self._behind = max(self._behind - len(lines), 0)
            return NOTHING
        self.found = True
        return lines.part(place + 1)
