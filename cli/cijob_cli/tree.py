"""The source: which files of a directory are submitted. Called by submission.

In a work tree of git it is what git knows or would add, elsewhere what .gitignore files leave;
`.ciignore` in the submitted directory takes out more, or back in with `!`. Never `.git`. Reads
names and sizes, no contents.
"""

import os
import posixpath
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cijob_cli.errors import SourceRefused
from cijob_cli.gitfiles import git_files
from cijob_cli.ignoring import Patterns
from cijob_cli.units import counted
from cijob_cli.walking import Walk


@dataclass(frozen=True)
class Entry:
    """One file, link or empty folder of the source."""

    path: str  # relative, with `/`
    mode: int
    size: int = 0  # of a file, in bytes
    target: str = ""  # of a link


@dataclass(frozen=True)
class Tree:
    """The source as it was found, sorted by path, and what is to be said about it."""

    root: Path
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """How many files and links."""
        return sum(not stat.S_ISDIR(entry.mode) for entry in self.entries)


def read_tree(root: Path) -> Tree:
    """Choose the files of a directory. Raises SourceRefused, naming the path that is in the way."""
    own = Patterns(root / ".ciignore")
    warnings: list[str] = []
    chosen = [path for path in _candidates(root, own, warnings) if own.ignored(path) is not True]
    through_link = _Links(root)
    entries = []
    for path in sorted(chosen, key=os.fsencode):
        if through_link.above(path) or ".git" in path.split("/"):
            continue
        entry = _entry(root, path)
        if entry is None:
            continue
        if stat.S_ISREG(entry.mode) or stat.S_ISLNK(entry.mode) or stat.S_ISDIR(entry.mode):
            entries.append(entry)
        else:
            warnings.append(f"{path} is a pipe, socket or device: left out")
    _refuse_clashes(entries)
    if not any(not stat.S_ISDIR(entry.mode) for entry in entries):
        raise _empty(root)
    return Tree(root, tuple(entries), tuple(warnings))


def _candidates(root: Path, own: Patterns, warnings: list[str]) -> Iterable[str]:
    known = git_files(root)
    if known is None and any((folder / ".git").exists() for folder in _and_parents(root)):
        warnings.append("git could not list the files (`git status`?): took what .gitignore leaves")
    # Nothing at all: git ignores the whole directory, and its caller wants it nevertheless.
    if known:
        back = git_files(root, ignored=True) or [] if own.takes_back else []
        return [*known, *(path for path in back if own.ignored(path) is False)]
    walk = Walk(root, own)
    walk.down()
    return walk.found


def _and_parents(root: Path) -> tuple[Path, ...]:
    whole = root.absolute()
    return (whole, *whole.parents)


class _Links:
    """Knows the folders that are links: git lists files below a folder that became a link."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known = {"": False}

    def above(self, path: str) -> bool:
        """Whether the way to a path leads through a link."""
        parent = path.rpartition("/")[0]
        if parent not in self._known:
            self._known[parent] = self.above(parent) or (self._root / parent).is_symlink()
        return self._known[parent]


def _entry(root: Path, path: str) -> Entry | None:
    """What is on the disk; None when it is gone, as a tracked file that was deleted."""
    _refuse_names(path)
    try:
        found = (root / path).lstat()
        if not stat.S_ISLNK(found.st_mode):
            return Entry(path, found.st_mode, found.st_size)
        target = os.readlink(root / path)  # noqa: PTH115 - Path.readlink() would tidy it
        return Entry(path, found.st_mode, target=_inside(path, target))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SourceRefused(f"{path}: {error.strerror}; add it to .ciignore") from error


def _inside(path: str, target: str) -> str:
    """The target of a link, if it stays in the source; the agent would refuse any other."""
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or reached == ".." or reached.startswith("../"):
        raise SourceRefused(
            f"{path} is a link out of the source, to {target}; "
            "make it relative and within, or add it to .ciignore"
        )
    _refuse_names(target)
    return target


def _refuse_names(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise SourceRefused(
            f"{shown}: a name that is not UTF-8; rename it, or add it to .ciignore"
        ) from error
    if "\\" in name:
        raise SourceRefused(f"{name}: a name with a backslash; rename it, or add it to .ciignore")


def _refuse_clashes(entries: list[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        other = seen.setdefault(entry.path.casefold(), entry.path)
        if other != entry.path:
            raise SourceRefused(
                f"{other} and {entry.path} differ in case only; rename one, or add it to .ciignore"
            )


def _empty(root: Path) -> SourceRefused:
    there = len(list(root.iterdir()))
    left_out = f": all of its {counted(there, 'item')} are ignored" if there else ""
    return SourceRefused(
        f"{root} has no files to submit{left_out}; see `git status --ignored` and .ciignore, "
        "or use `ci run --no-source`"
    )
