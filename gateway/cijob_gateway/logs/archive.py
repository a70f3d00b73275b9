"""Where the archive of a job lies in the bucket, and how a log is written down there.

Used by the archiver, which writes it, and by the gateway, which reads it. Below `<namespace>/`:

    job/<uid>/log/<attempt>/<offset>   a chunk: lines as `<timestamp> <text>`, one after the other
    job/<uid>/log/<attempt>/end.json   what the attempt's log came to: an `End`
    job/<uid>/log/<attempt>/tail       its last lines as the job wrote them, of a job that failed
    job/<uid>/final.json               the CIJob as it ended
    index/<newest first>-<name>-<uid>  empty: from a name to a uid, also when the CIJob is gone
    same/<digest>/…                    empty: jobs by what they ran, see twins.py

Timestamps are those of line ids. A text has its newline if the job wrote one: only the last line of
a chunk may have none. A chunk begins with a line; its offset is the number of bytes in the chunks
before it. The last one is written again and again as it grows, the others never.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

from pydantic import BaseModel

from cijob_api.lines import NOTHING, LineId, Lines, Ordinals, columns
from cijob_gateway.store import Store, Stored

# A chunk that has so many bytes gets no further line.
CHUNK_BYTES = 4 * 1024 * 1024
# A timestamp and the space behind it.
PREFIX_BYTES = 31

_LATEST = 9_999_999_999_999
_INDEX = re.compile(r"[^/]+/index/(\d{13})-(.+)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Corrupt(Exception):
    """An object of the archive is not what its name says; the message names it."""


# -- names -------------------------------------------------------------------------------------


def job_prefix(namespace: str, uid: str) -> str:
    """What the names of all objects of a job begin with."""
    return f"{namespace}/job/{uid}/"


def log_prefix(namespace: str, uid: str, attempt: int) -> str:
    """What the names of all objects of an attempt's log begin with."""
    return f"{job_prefix(namespace, uid)}log/{attempt}/"


def chunk_name(namespace: str, uid: str, attempt: int, offset: int) -> str:
    """The chunk that begins at an offset; in the order of their names they are the log."""
    return f"{log_prefix(namespace, uid, attempt)}{offset:016d}"


def end_name(namespace: str, uid: str, attempt: int) -> str:
    """What an attempt's log came to; there once nothing more is added."""
    return f"{log_prefix(namespace, uid, attempt)}end.json"


def tail_name(namespace: str, uid: str, attempt: int) -> str:
    """The last lines of an attempt that failed."""
    return f"{log_prefix(namespace, uid, attempt)}tail"


def final_name(namespace: str, uid: str) -> str:
    """The CIJob as it ended."""
    return f"{job_prefix(namespace, uid)}final.json"


def index_prefix(namespace: str) -> str:
    """What the names of all index entries of a namespace begin with."""
    return f"{namespace}/index/"


@dataclass(frozen=True)
class Entry:
    """A line of the index: a job that has ended."""

    namespace: str
    created_milliseconds: int
    """Since 1970."""
    name: str
    uid: str

    @property
    def object_name(self) -> str:
        """Its name in the bucket: the newest job comes first in a list."""
        newest_first = _LATEST - self.created_milliseconds
        return f"{index_prefix(self.namespace)}{newest_first:013d}-{self.name}-{self.uid}"

    @classmethod
    def of(cls, namespace: str, name: str, uid: str, created: datetime) -> Self:
        """The entry of a job."""
        return cls(namespace, int(created.timestamp() * 1000), name, uid)

    @classmethod
    def parse(cls, object_name: str) -> Self | None:
        """Read an entry's name in the bucket; None if it is none."""
        found = _INDEX.fullmatch(object_name)
        if found is None:
            return None
        namespace = object_name.partition("/")[0]
        return cls(namespace, _LATEST - int(found[1]), found[2], found[3])


# -- chunks ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chunk:
    """A chunk, as a list of the bucket tells of it."""

    name: str
    attempt: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The offset of the next one."""
        return self.offset + self.size


@dataclass(frozen=True)
class Notes:
    """What stands in the metadata of a chunk, so that a reader can find its place."""

    first: LineId
    last: LineId
    lines: int
    """How many lines of the attempt come before it."""
    bytes: int
    """How many of the job's own bytes, without timestamps, come before it."""
    gap: str = ""
    """Lines are missing before it, in words; empty if none are."""

    def metadata(self) -> dict[str, str]:
        """As metadata of an object."""
        # An answer of the log API may have any letter in it; a header may not.
        gap = self.gap.encode("ascii", "backslashreplace").decode()[:1000]
        words = {key: str(value) for key, value in asdict(self).items()}
        words |= {"first": str(self.first), "last": str(self.last), "gap": " ".join(gap.split())}
        return {key: value for key, value in words.items() if value}

    @classmethod
    def parse(cls, metadata: Mapping[str, str]) -> Self:
        """From metadata of an object. Raises Corrupt."""
        try:
            return cls(
                LineId.parse(metadata["first"]),
                LineId.parse(metadata["last"]),
                int(metadata["lines"]),
                int(metadata["bytes"]),
                metadata.get("gap", ""),
            )
        except (KeyError, ValueError) as error:
            raise Corrupt(f"a chunk's metadata cannot be read: {error}") from error


def chunk_of(stored: Stored) -> Chunk | None:
    """The chunk that an object is; None if it is another one."""
    parts = stored.name.split("/")
    if len(parts) != 6 or parts[3] != "log" or not (parts[4].isdigit() and parts[5].isdigit()):
        return None
    return Chunk(stored.name, int(parts[4]), int(parts[5]), stored.size)


async def list_attempts(store: Store, namespace: str, uid: str) -> set[int]:
    """The numbers of a job's attempts of whose logs something is stored. Raises Down."""
    prefix = f"{job_prefix(namespace, uid)}log/"
    words = {
        stored.name.removeprefix(prefix).partition("/")[0] async for stored in store.under(prefix)
    }
    return {int(word) for word in words if word.isdecimal()}


async def list_chunks(store: Store, namespace: str, uid: str, attempt: int) -> list[Chunk]:
    """The chunks of an attempt that are stored now, in order. Raises Down."""
    prefix = log_prefix(namespace, uid, attempt)
    chunks = [chunk async for stored in store.under(prefix) if (chunk := chunk_of(stored))]
    return sorted(chunks, key=lambda chunk: chunk.offset)


def compose(lines: Lines) -> bytes:
    """Lines as they stand in a chunk."""
    pieces = [b" "] * (3 * len(lines))
    pieces[0::3], pieces[2::3] = lines.timestamps, lines.texts
    return b"".join(pieces)


def parse(content: bytes, ordinals: Ordinals) -> Lines:
    """The lines of a chunk, or of a part of it that begins and ends with a line.

    `ordinals` have counted the lines before it: whoever begins in the middle lets them count the
    chunk before, too. Raises Corrupt.
    """
    # The last line may have no newline: read as if it had one.
    cut = not content.endswith(b"\n") and bool(content)
    found = columns(content + b"\n" if cut else content)
    if found is None:
        raise Corrupt(f"some of {len(content)} bytes of an archived log are no lines")
    timestamps, texts = found
    if cut:
        texts = (*texts[:-1], texts[-1][:-1])
    return Lines(timestamps, ordinals.number(timestamps), texts) if texts else NOTHING


# -- what a log came to ------------------------------------------------------------------------


class End(BaseModel):
    """`end.json`: nothing more is added to the log of this attempt."""

    lines: int
    bytes: int
    """The job's own, without timestamps."""
    sha256: str
    """Of the same bytes."""
    complete: bool
    message: str | None = None
    """What is missing, if anything."""


async def read_end(store: Store, namespace: str, uid: str, attempt: int) -> End | None:
    """What an attempt's log came to; None while it may grow. Raises Down, Corrupt."""
    name = end_name(namespace, uid, attempt)
    try:
        found = await store.get(name)
    except FileNotFoundError:
        return None
    try:
        return End.model_validate_json(found.content)
    except ValueError as error:
        raise Corrupt(f"{name} cannot be read: {error}") from error
