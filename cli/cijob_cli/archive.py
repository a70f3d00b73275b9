"""The archive: a tree as a zip that is the same, byte for byte, for the same tree.

Called by submission. So the digest says whether the source has changed, and an unchanged one is
not uploaded again: sorted names, one date, no owner, of the mode only whether it is executable.
Files go through a fixed buffer into a temporary file: memory does not grow with the tree.
"""

import hashlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from cijob_cli.errors import SourceRefused
from cijob_cli.tree import Entry, Tree

# Level 1 is twice as fast as 6 and 10 % larger: every submit packs, only a changed tree is sent.
_LEVEL = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say
_UNIX = 3
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Archive:
    """A packed tree in a temporary file, which goes when the archive is closed."""

    file: IO[bytes]
    sha256: str
    size: int  # bytes
    files: int

    def chunks(self) -> Iterator[bytes]:
        """The bytes from the start, piece by piece; may be asked for again."""
        self.file.seek(0)
        while chunk := self.file.read(_CHUNK):
            yield chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.file.close()


def pack(tree: Tree) -> Archive:
    """Pack a tree. Raises SourceRefused for a file that cannot be read."""
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(prefix="ci-"))
        with ZipFile(file, "w") as packed:
            for entry in tree.entries:
                _add(packed, tree, entry)
        size = file.tell()
        file.seek(0)
        # Read again rather than hashed on the way: zipfile goes back to fill in sizes.
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        stack.pop_all()  # the archive closes it
        return Archive(file, sha256, size, tree.files)


def _add(packed: ZipFile, tree: Tree, entry: Entry) -> None:
    if stat.S_ISLNK(entry.mode):
        packed.writestr(_header(entry.path, stat.S_IFLNK | 0o777), entry.target.encode())
    elif stat.S_ISDIR(entry.mode):
        packed.writestr(_header(entry.path + "/", stat.S_IFDIR | 0o755), b"")
    else:
        _add_file(packed, tree, entry)


def _add_file(packed: ZipFile, tree: Tree, entry: Entry) -> None:
    header = _header(entry.path, stat.S_IFREG | (0o755 if entry.mode & 0o111 else 0o644))
    header.compress_type = ZIP_DEFLATED
    header._compresslevel = _LEVEL  # type: ignore[attr-defined]  # noqa: SLF001 - public in 3.13
    header.file_size = entry.size  # tells zipfile whether to use zip64
    try:
        file = (tree.root / entry.path).open("rb")
    except OSError as error:
        raise SourceRefused(
            f"{entry.path}: {error.strerror}; make it readable, or add it to .ciignore"
        ) from error
    with file, packed.open(header, "w") as into:
        shutil.copyfileobj(file, into, _CHUNK)


def _header(name: str, mode: int) -> ZipInfo:
    header = ZipInfo(name, _EPOCH)
    header.create_system = _UNIX
    header.external_attr = mode << 16
    header.compress_type = ZIP_STORED
    return header
