"""The records of a zip archive, read strictly; called by `archives`.

Written by hand instead of with `zipfile`: that trusts the central directory alone, forgives bytes
before and after, and imports more than the rest of the agent. What two readers could understand in
two ways is refused here. The format is PKWARE's APPNOTE.TXT 6.3.10. Nothing is written here.
"""

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from cijob_agent.errors import SourceRejected, SourceTooLarge
from cijob_agent.wording import quoted

MAX_ENTRIES = 100_000
MAX_DIRECTORY_BYTES = 32 << 20
STORED, DEFLATED = 0, 8
STREAMED, UTF8 = 1 << 3, 1 << 11
# Encrypted, patched, strongly encrypted, central directory encrypted.
UNREADABLE = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13
MASK16, MASK32 = 0xFFFF, 0xFFFFFFFF

_END = struct.Struct("<4sHHHHLLH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQHHLLQQQQ")
_CENTRAL = struct.Struct("<4sBBHHHHHLLLHHHHHLL")
_LOCAL = struct.Struct("<4sHHHHHLLLHH")
END, LOCATOR, END64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
CENTRAL, LOCAL, DESCRIPTOR = b"PK\x01\x02", b"PK\x03\x04", b"PK\x07\x08"
AGAIN = "make the archive again with `ci submit`"


class Directory(NamedTuple):
    """Where the central directory lies and how many entries it has."""

    entries: int
    size: int
    offset: int


class Entry(NamedTuple):
    """One entry as the central directory has it. `mode` is Unix's st_mode, or 0."""

    name: str
    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int


def find_directory(image: mmap) -> Directory:
    """The central directory, by the one end record that reaches exactly to the end."""
    at = _find_end(image)
    _, disk, first_disk, here, count, size, offset, _ = _END.unpack_from(image, at)
    ends = at
    if at >= _LOCATOR.size and image[at - _LOCATOR.size :][:4] == LOCATOR:
        ends, wide = _wide_directory(image, at - _LOCATOR.size)
        narrow = ((count, MASK16), (size, MASK32), (offset, MASK32))
        pairs = zip(narrow, wide, strict=True)
        if any(value not in (mask, full) for (value, mask), full in pairs):
            raise SourceRejected(f"the archive's two end records differ; {AGAIN}")
        here = count = wide.entries
        size, offset = wide.size, wide.offset
    if disk or first_disk or here != count:
        raise SourceRejected(f"the archive is one part of several; {AGAIN}")
    if offset + size != ends:
        raise SourceRejected(
            f"the archive's directory should end at byte {offset + size} and ends at {ends}:"
            f" bytes were added or lost; {AGAIN}"
        )
    return Directory(count, size, offset)


def _find_end(image: mmap) -> int:
    """Two ends that fit would be two archives in one: which one it is depends on the reader."""
    found = []
    at = len(image)
    lowest = max(0, len(image) - _END.size - MASK16)
    while (at := image.rfind(END, lowest, at + 3)) >= 0:
        if at + _END.size <= len(image):
            comment = _END.unpack_from(image, at)[-1]
            if at + _END.size + comment == len(image):
                found.append(at)
    if len(found) != 1:
        problem = f"has {len(found)} ends" if found else "has no end: it was cut, or is no zip"
        raise SourceRejected(f"the archive of {len(image)} bytes {problem}; {AGAIN}")
    return found[0]


def _wide_directory(image: mmap, locator: int) -> tuple[int, Directory]:
    _, disk, at, disks = _LOCATOR.unpack_from(image, locator)
    fits = at + _END64.size <= locator and image[at : at + 4] == END64
    if not fits or disk or disks > 1:
        raise SourceRejected(f"the archive's zip64 end record is not at byte {at}; {AGAIN}")
    _, length, _, _, disk, first, here, count, size, offset = _END64.unpack_from(image, at)
    if at + 12 + length != locator or disk or first or here != count:
        raise SourceRejected(f"the archive's zip64 end record at byte {at} is forged; {AGAIN}")
    return at, Directory(count, size, offset)


def read_entries(image: mmap, directory: Directory) -> Iterator[Entry]:
    """Every entry of the central directory. Raises SourceTooLarge before reading too many."""
    if directory.entries > MAX_ENTRIES or directory.size > MAX_DIRECTORY_BYTES:
        raise SourceTooLarge(
            f"the source has {directory.entries} entries in a directory of {directory.size} bytes,"
            f" the limits are {MAX_ENTRIES} and {MAX_DIRECTORY_BYTES};"
            " leave generated folders out with .ciignore"
        )
    at, ends = directory.offset, directory.offset + directory.size
    for number in range(directory.entries):
        if at + _CENTRAL.size > ends or image[at : at + 4] != CENTRAL:
            raise SourceRejected(
                f"the archive promises {directory.entries} entries and has {number}; {AGAIN}"
            )
        entry, at = _entry(image, at, ends)
        yield entry
    if at != ends:
        raise SourceRejected(
            f"the archive has {ends - at} bytes behind its {directory.entries} entries; {AGAIN}"
        )


def _entry(image: mmap, at: int, ends: int) -> tuple[Entry, int]:
    (_, _, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length, comment, disk,
     _, attributes, offset) = _CENTRAL.unpack_from(image, at)  # fmt: skip
    name_at = at + _CENTRAL.size
    extra_at = name_at + name_length
    after = extra_at + extra_length + comment
    raw = image[name_at:extra_at]
    name = _decoded(raw, flags)
    if after > ends or disk not in (0, MASK16):
        raise SourceRejected(f"the directory entry of {quoted(name)} is cut; {AGAIN}")
    if MASK32 in (size, packed, offset):
        extra = image[extra_at : extra_at + extra_length]
        size, packed, offset = _widened(name, extra, [size, packed, offset])
    mode = attributes >> 16
    return Entry(name, raw, flags, method, crc, packed, size, offset, mode), after


def _decoded(raw: bytes, flags: int) -> str:
    """UTF-8 if the entry says so, or if it is; else the DOS code page of the standard."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if flags & UTF8:
            shown = quoted(raw.decode(errors="backslashreplace"))
            raise SourceRejected(f"the entry name {shown} is not UTF-8; rename it") from error
        return raw.decode("cp437")


def _widened(name: str, extra: bytes, values: list[int]) -> list[int]:
    """The 64-bit values behind those that are masked, from the zip64 extra field."""
    wide = _zip64_field(extra)
    widened = []
    for value in values:
        if value == MASK32:
            if len(wide) < 8:
                raise SourceRejected(f"entry {quoted(name)} lacks its zip64 sizes; {AGAIN}")
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]  # noqa: PLW2901
        widened.append(value)
    return widened


def _zip64_field(extra: bytes) -> bytes:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return b""


def find_data(image: mmap, entry: Entry, ends: int) -> tuple[int, int, int]:
    """Where an entry's data begins and ends and where all of it ends; `ends` bounds it.

    The local header must tell the same story as the central directory: a reader that trusts the
    other one would unpack something else.
    """
    shown = quoted(entry.name)
    at = entry.offset
    if at + _LOCAL.size > ends or image[at : at + 4] != LOCAL:
        raise SourceRejected(f"entry {shown} should be at byte {at} and is not there; {AGAIN}")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack_from(
        image, at
    )
    name_at = at + _LOCAL.size
    start = name_at + name_length + extra_length
    stop = start + entry.packed
    if stop > ends:
        raise SourceRejected(f"entry {shown} reaches past the archive's data; {AGAIN}")
    changed = (flags ^ entry.flags) & (UNREADABLE | STREAMED)
    if image[name_at : name_at + name_length] != entry.raw or method != entry.method or changed:
        raise SourceRejected(f"entry {shown} has another name or kind in its header; {AGAIN}")
    if MASK32 in (size, packed):
        extra = image[name_at + name_length : start]
        size, packed = _widened(entry.name, extra, [size, packed])
    promised = (entry.crc, entry.packed, entry.size)
    blank = flags & STREAMED and (crc, packed, size) == (0, 0, 0)
    if not blank and (crc, packed, size) != promised:
        raise SourceRejected(
            f"entry {shown} has {size} bytes by its header and {entry.size} by the archive's"
            f" directory; {AGAIN}"
        )
    return start, stop, stop + (_descriptor(image, entry, stop) if flags & STREAMED else 0)


def _descriptor(image: mmap, entry: Entry, at: int) -> int:
    """The length of the record behind streamed data: with or without a signature, 32 or 64 bit."""
    bodies = [struct.pack("<LQQ", entry.crc, entry.packed, entry.size)]
    if max(entry.packed, entry.size) <= MASK32:
        bodies.append(struct.pack("<LLL", entry.crc, entry.packed, entry.size))
    for body in bodies:
        for record in (DESCRIPTOR + body, body):
            if image[at : at + len(record)] == record:
                return len(record)
    raise SourceRejected(
        f"entry {quoted(entry.name)} has other sizes behind its data than in the archive's"
        f" directory; {AGAIN}"
    )
