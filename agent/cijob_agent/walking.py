"""What lies in the workspace, found without following a link; called by `collecting`.

The job has left this tree behind, and may go on changing it: every folder is opened from the one
above it by its name, no name is trusted twice, and what a name is now is asked of the open file.
All work is bounded: entries looked at, the length of their paths, depth, and time.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cijob_agent.globs import Glob, Places, is_glob
from cijob_agent.problems import Problems
from cijob_agent.wording import quoted, size

FOLDER, FILE, LINK = "folder", "file", "link"
MOST_ENTRIES = 100_000
# Of all paths, and of what links lead to: they are in memory, and each may be 25 KB long.
MOST_PATH_BYTES = 32 << 20
# As many folders are open at a time.
MOST_DEPTH = 100
_CHECKED_EVERY = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO or a device in a file's place must not be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Missing(Exception):
    """Something cannot be kept; the message says what and why, for the job's owner."""


class Entry(NamedTuple):
    """One thing that is to be kept."""

    path: str  # below the workspace; bytes that are no UTF-8 stand as surrogates
    kind: str
    size: int = 0  # in bytes, when it was looked at
    executable: bool = False
    target: str = ""  # of a link


class Walk:
    """One look at the workspace; `tick` is called now and then, and may raise to end it."""

    def __init__(self, root: int, tick: Callable[[], None], most: int = MOST_ENTRIES) -> None:
        """`root` is the open workspace; `most` is how many entries are looked at in all."""
        self._root = root
        self._tick = tick
        self._most = most
        self._looked = 0
        self._path_bytes = 0
        self.left_out = Problems()

    def find(self, pattern: str) -> list[Entry]:
        """What a path or glob names, in order, with all that is in its folders. Raises Missing."""
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Missing(f"{quoted(pattern)} leads out of the workspace")
        if is_glob(pattern):
            return list(self._matching(parts))
        return self._named(parts)

    # -- one path ------------------------------------------------------------------------------

    def _named(self, parts: list[str]) -> list[Entry]:
        path = "/".join(parts)
        with _folders(self._root, parts[:-1]) as parent:
            if not parts:
                return list(self._below(parent, "", 0))
            found = _look(parent, parts[-1], path)
            if found.kind == LINK:
                raise Missing(f"{quoted(path)} is a link, and links are not followed")
            if found.kind == FILE:
                return [found]
            with _opened(parent, parts[-1], _FOLDER, path) as folder:
                return [found, *self._below(folder, f"{path}/", len(parts))]

    def _below(self, folder: int, prefix: str, depth: int) -> Iterator[Entry]:
        """Everything in a folder, in the order of its names."""
        if self._is_too_deep(prefix, depth):
            return
        for name in self._names(folder, prefix):
            path = self._joined(prefix, name)
            try:
                found = self._look(folder, name, path)
                yield found
                if found.kind == FOLDER:
                    with _opened(folder, name, _FOLDER, path) as inner:
                        yield from self._below(inner, f"{path}/", depth + 1)
            except Missing as problem:
                self.left_out.add(str(problem))

    # -- globs ---------------------------------------------------------------------------------

    def _matching(self, parts: list[str]) -> Iterator[Entry]:
        glob = Glob(parts)
        with _folders(self._root, []) as root:
            yield from self._matching_in(root, "", glob, glob.begin)

    def _matching_in(self, folder: int, prefix: str, glob: Glob, places: Places) -> Iterator[Entry]:
        """What matches in a folder and below; a folder that matches comes with all in it."""
        depth = prefix.count("/")
        if self._is_too_deep(prefix, depth):
            return
        for name in self._names(folder, prefix):
            after = glob.after(places, name)
            if not after:
                continue
            path = self._joined(prefix, name)
            try:
                found = self._look(folder, name, path)
                if glob.matches(after):
                    yield found
                if found.kind != FOLDER:
                    continue
                with _opened(folder, name, _FOLDER, path) as inner:
                    if glob.matches(after):
                        yield from self._below(inner, f"{path}/", depth + 1)
                    else:
                        yield from self._matching_in(inner, f"{path}/", glob, after)
            except Missing as problem:
                self.left_out.add(str(problem))

    def _is_too_deep(self, prefix: str, depth: int) -> bool:
        if depth >= MOST_DEPTH:
            self.left_out.add(f"{quoted(prefix)} is over {MOST_DEPTH} folders deep")
        return depth >= MOST_DEPTH

    def _joined(self, prefix: str, name: str) -> str:
        """The path of a name. Raises TooMany."""
        path = f"{prefix}{name}"
        self._hold(path)
        return path

    def _look(self, folder: int, name: str, path: str) -> Entry:
        """What a name in a folder is. Raises Missing for what is never kept, and TooMany."""
        found = _look(folder, name, path)
        if found.target:
            self._hold(found.target)
        return found

    def _hold(self, path: str) -> None:
        """Count a path that stays in memory. Raises TooMany when all are too long together."""
        self._path_bytes += sys.getsizeof(path)  # one rare letter makes all its others as wide
        if self._path_bytes > MOST_PATH_BYTES:
            most = size(MOST_PATH_BYTES)
            raise TooMany(f"the paths of its files are longer than {most} together; name fewer")

    def _names(self, folder: int, path: str) -> list[str]:
        """The names in a folder, sorted. Raises Missing, and TooMany when there are too many."""
        names = []
        try:
            entries = os.scandir(folder)
        except OSError as error:
            raise Missing(_words(path or ".", error)) from error
        with entries:
            for entry in entries:
                self._looked += 1
                if self._looked > self._most:
                    raise TooMany(f"there are more than {self._most} files; name fewer")
                if self._looked % _CHECKED_EVERY == 0:
                    self._tick()
                names.append(os.fsencode(entry.name))
        return [name.decode("utf-8", "surrogateescape") for name in sorted(names)]


class TooMany(Exception):
    """The workspace has more than is looked at."""


@contextmanager
def opened_file(root: int, path: str) -> Iterator[tuple[int, int]]:
    """An open regular file of the workspace, and its size now. Raises Missing."""
    *folders, name = path.split("/")
    with _folders(root, folders) as parent, _opened(parent, name, _FILE, path) as file:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise Missing(f"{quoted(path)} is no file any more")
        yield file, status.st_size


def _look(folder: int, name: str, path: str) -> Entry:
    """What a name in a folder is. Raises Missing for what is never kept."""
    raw = _raw(name)
    try:
        status = os.stat(raw, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            return Entry(path, FOLDER)
        if stat.S_ISREG(status.st_mode):
            return Entry(path, FILE, status.st_size, bool(status.st_mode & 0o100))
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(raw, dir_fd=folder)
            return Entry(path, LINK, target=target.decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise Missing(_words(path, error)) from error
    raise Missing(f"{quoted(path)} is no file, folder or link")


@contextmanager
def _folders(root: int, names: list[str]) -> Iterator[int]:
    """The folder that these names lead to from the root, opened one by one. Raises Missing."""
    here = os.dup(root)
    try:
        for place, name in enumerate(names):
            try:
                inner = os.open(_raw(name), _FOLDER, dir_fd=here)
            except OSError as error:
                raise Missing(_words("/".join(names[: place + 1]), error)) from error
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


@contextmanager
def _opened(folder: int, name: str, flags: int, path: str) -> Iterator[int]:
    try:
        file = os.open(_raw(name), flags, dir_fd=folder)
    except OSError as error:
        raise Missing(_words(path, error)) from error
    try:
        yield file
    finally:
        os.close(file)


def _raw(name: str) -> bytes:
    """A name as the kernel has it; the file system's encoding depends on a locale nobody set."""
    return name.encode("utf-8", "surrogateescape")


def _words(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no {quoted(path)}"
    return f"{quoted(path)} cannot be read: {error.strerror}"
