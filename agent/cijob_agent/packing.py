"""Folders and globs as one archive: gzipped tar, the same bytes for the same tree.

Called by `collecting`. Entries come in the order of their names, with their paths in the workspace,
and without times and owners. Links are kept as links if they stay in the archive; nothing is read
through one. The stream is pushed on in pieces: the archive is never in memory.
"""

import os
import tarfile
import zlib
from collections.abc import Callable, Iterable

from cijob_agent.problems import Problems
from cijob_agent.walking import FILE, FOLDER, Entry, Missing, opened_file
from cijob_agent.wording import quoted

PIECE = 1 << 18
_BLOCK = 512
# A record of tar: readers expect the end at a multiple of it.
_RECORD = 20 * _BLOCK
# Fast: the job's end waits for it. 31: a gzip header, which zlib writes without a time.
_LEVEL, _WINDOW = 1, 31
Write = Callable[[bytes], None]


def pack(root: int, entries: Iterable[Entry], write: Write) -> Problems:
    """Write the archive of these entries of the open workspace; what was left out, in words."""
    archive = _Archive(root, write)
    for entry in entries:
        archive.add(entry)
    archive.end()
    return archive.left_out


def send_file(file: int, size: int, write: Write) -> int:
    """Write that many bytes of an open file; how many it had less than that."""
    left = size
    while left:
        try:
            piece = os.read(file, min(PIECE, left))
        except OSError:  # the node's disk: as good as the end
            break
        if not piece:
            break
        left -= len(piece)
        write(piece)
    return left


class _Archive:
    """The archive as it is written."""

    def __init__(self, root: int, write: Write) -> None:
        self._root = root
        self._write = write
        self._gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW)
        self._size = 0  # before compression
        self.left_out = Problems()

    def add(self, entry: Entry) -> None:
        """One entry; what cannot be read any more is left out."""
        if entry.kind == FOLDER:
            self._put(_header(entry, tarfile.DIRTYPE, 0o755))
        elif entry.kind == FILE:
            self._add_file(entry)
        elif stays_inside(entry):
            self._put(_header(entry, tarfile.SYMTYPE, 0o777))
        else:
            self.left_out.add(
                f"link {quoted(entry.path)} leads to {quoted(entry.target)}, out of the workspace"
            )

    def end(self) -> None:
        """The end of the archive."""
        self._put(bytes(2 * _BLOCK))
        self._put(bytes(-self._size % _RECORD))
        self._write(self._gzip.flush())

    def _add_file(self, entry: Entry) -> None:
        size = entry.size  # as it was found: a file that grows since then is cut
        try:
            with opened_file(self._root, entry.path) as (file, _):
                mode = 0o755 if entry.executable else 0o644
                self._put(_header(entry, tarfile.REGTYPE, mode, size))
                if short := send_file(file, size, self._put):
                    # The header has promised a size, and the archive must stay readable.
                    self._fill(short)
                    self.left_out.add(f"the last {short} bytes of {quoted(entry.path)}")
                self._put(bytes(-size % _BLOCK))
        except Missing as problem:
            self.left_out.add(str(problem))

    def _fill(self, count: int) -> None:
        while count:
            self._put(bytes(min(PIECE, count)))
            count -= min(PIECE, count)

    def _put(self, piece: bytes) -> None:
        self._size += len(piece)
        if packed := self._gzip.compress(piece):
            self._write(packed)


def stays_inside(link: Entry) -> bool:
    """Whether a link leads to a place in the workspace, whatever other links there are.

    Steps up are taken from the link's own folder, which is one; behind another step they could
    start from wherever that one leads.
    """
    steps = link.target.split("/")
    up = 0
    while up < len(steps) and steps[up] == "..":
        up += 1
    return bool(steps[0]) and ".." not in steps[up:] and up <= link.path.count("/")


def _header(entry: Entry, kind: bytes, mode: int, size: int = 0) -> bytes:
    found = tarfile.TarInfo(entry.path)
    found.type, found.mode, found.size = kind, mode, size
    found.linkname = entry.target
    # GNU's form takes names of any length and any bytes.
    return found.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
