"""A fetched archive, checked as a whole before anything of it is written; called by `stages`.

`read_plan` says what would be written, or why nothing will be. It reads the archive only: the
workspace is `workspace`'s.
"""

import stat
import zlib
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from cijob_agent import records
from cijob_agent.errors import SourceRejected, SourceTooLarge
from cijob_agent.names import clean_path
from cijob_agent.records import AGAIN, Entry
from cijob_agent.trees import FILE, FOLDER, LINK, MAX_TARGET_BYTES, Tree, check_link
from cijob_agent.wording import quoted, size

# Deflate packs at most 1032 : 1, text seldom 20 : 1; below this size a ratio says nothing.
MAX_RATIO = 200
RATIO_FROM_BYTES = 16 << 20
# What a file or folder takes on the disk even when it is empty.
BLOCK = 4096
PIECE = 1 << 18


class File(NamedTuple):
    """A file to write: its path, its entry and where its packed bytes lie."""

    path: str
    entry: Entry
    start: int
    stop: int


class Plan(NamedTuple):
    """What a checked archive unpacks to. Folders come parents first."""

    folders: list[str]
    files: list[File]
    links: dict[str, str]
    unpacked: int


def read_plan(image: mmap, limit: int) -> Plan:
    """Check the whole archive; `limit` is what may be unpacked, in bytes.

    Raises SourceRejected and SourceTooLarge.
    """
    directory = records.find_directory(image)
    tree = Tree()
    found: list[tuple[str, str, Entry]] = []
    unpacked = 0
    for entry in records.read_entries(image, directory):
        path, kind = clean_path(entry.name), _kind(entry)
        if path:
            tree.add(path, kind)
        elif kind != FOLDER:
            raise SourceRejected(f"entry {quoted(entry.name)} is the workspace itself; {AGAIN}")
        found.append((path, kind, entry))
        unpacked += _room(entry, kind)
        _check_total(unpacked + len(tree.folders) * BLOCK, limit)
    _check_ratio("the whole archive", unpacked, len(image))
    files = list(_located(image, found, directory.offset))
    links = {file.path: _target(image, file) for file in files if _kind(file.entry) == LINK}
    for path in links:
        check_link(path, links)
    beside = {"", *links, *tree.folders}
    written = [file for file in files if file.path not in beside]
    return Plan(list(tree.folders), written, links, unpacked)


def _kind(entry: Entry) -> str:
    """What the entry is. Raises SourceRejected for what no source may hold."""
    shown = quoted(entry.name)
    if entry.flags & records.UNREADABLE:
        raise SourceRejected(f"entry {shown} is encrypted or a patch; {AGAIN}")
    if entry.method not in (records.STORED, records.DEFLATED):
        raise SourceRejected(f"entry {shown} is packed by method {entry.method}; {AGAIN}")
    if entry.method == records.STORED and entry.packed != entry.size:
        raise SourceRejected(
            f"entry {shown} is stored in {entry.packed} bytes but should have {entry.size}; {AGAIN}"
        )
    type_ = stat.S_IFMT(entry.mode)
    if type_ not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise SourceRejected(
            f"entry {shown} is a device, FIFO or socket; remove it or add it to .ciignore"
        )
    is_folder = entry.name.endswith("/")
    if (type_ == stat.S_IFDIR) != is_folder and not (is_folder and type_ == 0):
        raise SourceRejected(f"entry {shown} is a folder by name or by mode, not by both; {AGAIN}")
    if is_folder and entry.size:
        raise SourceRejected(f"folder {shown} has {entry.size} bytes of its own; {AGAIN}")
    if type_ == stat.S_IFLNK:
        return LINK
    return FOLDER if is_folder else FILE


def _room(entry: Entry, kind: str) -> int:
    """The bytes an entry takes on the disk; folders are counted by the tree."""
    if kind == FOLDER:
        return 0
    if kind == LINK and entry.size > MAX_TARGET_BYTES:
        raise SourceRejected(
            f"link {quoted(entry.name)} has a target of {entry.size} bytes, the limit is"
            f" {MAX_TARGET_BYTES}; remove it or add it to .ciignore"
        )
    _check_ratio(f"entry {quoted(entry.name)}", entry.size, entry.packed)
    return -(-entry.size // BLOCK) * BLOCK or BLOCK


def _check_ratio(what: str, unpacked: int, packed: int) -> None:
    if unpacked > RATIO_FROM_BYTES and unpacked > packed * MAX_RATIO:
        raise SourceRejected(
            f"{what} unpacks from {size(packed)} to {size(unpacked)}, more than {MAX_RATIO} times"
            " its size; add it to .ciignore and make it in the job"
        )


def _check_total(unpacked: int, limit: int) -> None:
    if unpacked > limit:
        raise SourceTooLarge(
            f"the source unpacks to more than {size(limit)}, the job's limit of ephemeral-storage;"
            " add build outputs to .ciignore or raise the limit"
        )


def _located(image: mmap, found: list[tuple[str, str, Entry]], ends: int) -> Iterator[File]:
    """The data of every entry, in the order it lies in. No byte may belong to two entries."""
    found.sort(key=lambda one: one[2].offset)
    free, before = 0, ""
    for path, _, entry in found:
        if entry.offset < free:
            raise SourceRejected(
                f"entries {quoted(before)} and {quoted(entry.name)} share bytes from"
                f" {entry.offset} on; {AGAIN}"
            )
        if not before and entry.offset:
            raise SourceRejected(
                f"the archive has {entry.offset} bytes before its first entry; {AGAIN}"
            )
        start, stop, free = records.find_data(image, entry, ends)
        before = entry.name
        yield File(path, entry, start, stop)


def _target(image: mmap, file: File) -> str:
    raw = b"".join(unpacked_bytes(image, file))
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        shown = quoted(file.path)
        raise SourceRejected(f"the target of link {shown} is not UTF-8; rename it") from error


def unpacked_bytes(image: mmap, file: File) -> Iterator[bytes]:
    """A file's bytes in pieces, never more than promised.

    Raises SourceRejected when they are not of the promised length and CRC.
    """
    pieces = _inflated if file.entry.method == records.DEFLATED else _stored
    crc = length = 0
    for piece in pieces(image, file):
        length += len(piece)
        if length > file.entry.size:
            break
        crc = zlib.crc32(piece, crc)
        yield piece
    if length != file.entry.size or crc != file.entry.crc:
        raise SourceRejected(
            f"entry {quoted(file.path)} should unpack to {file.entry.size} bytes with CRC"
            f" {file.entry.crc:08x}, and does not; {AGAIN}"
        )


def _stored(image: mmap, file: File) -> Iterator[bytes]:
    for at in range(file.start, file.stop, PIECE):
        yield image[at : min(at + PIECE, file.stop)]


def _inflated(image: mmap, file: File) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    ended = False
    try:
        for at in range(file.start, file.stop, PIECE):
            yield from _drained(inflater, image[at : min(at + PIECE, file.stop)])
            if inflater.eof:
                ended = at + PIECE >= file.stop and not inflater.unused_data
                break
    except zlib.error as error:
        raise SourceRejected(f"entry {quoted(file.path)} is broken: {error}; {AGAIN}") from error
    # The stream must end exactly where its entry ends: bytes behind it are not the source's.
    if not ended:
        raise SourceRejected(f"entry {quoted(file.path)} ends early or late; {AGAIN}")


def _drained(inflater: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """All that some packed bytes give, in pieces: a bomb is not held in memory."""
    while True:
        piece = inflater.decompress(packed, PIECE)
        packed = inflater.unconsumed_tail
        yield piece
        # A full piece may leave more inside the inflater when there is no input left.
        if inflater.eof or (not packed and len(piece) < PIECE):
            return
