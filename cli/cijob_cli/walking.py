"""The files below a directory that is no work tree of git. Called by tree."""

import os
from pathlib import Path

from cijob_cli.errors import SourceRefused
from cijob_cli.ignoring import Ignoring, Patterns


class Walk:
    """Goes down a tree, .gitignore files at hand, never through a link.

    Files are kept, and folders with nothing in them.
    """

    def __init__(self, root: Path, own: Patterns) -> None:
        self._root = root
        self._gits = Ignoring(root)
        self._own = own
        self.found: list[str] = []

    def down(self, folder: str = "", *, ignored: bool = False) -> None:
        """Add what is in `folder` (`""` or `a/b/`), which git ignores or not."""
        entries = self._entries(folder)
        if not entries and folder and not ignored:
            self.found.append(folder.rstrip("/"))
        for entry in entries:
            self._take(entry, folder + entry.name, ignored=ignored)

    def _take(self, entry: os.DirEntry[str], path: str, *, ignored: bool) -> None:
        is_folder = entry.is_dir(follow_symlinks=False)
        asked = path + "/" if is_folder else path
        ignored = ignored or self._gits.ignored(asked)
        # An ignored folder may hold files that .ciignore takes back with `!`.
        if is_folder and (not ignored or self._own.takes_back):
            if self._own.ignored(asked) is not True or self._own.takes_back:
                self.down(asked, ignored=ignored)
        elif not is_folder and (not ignored or self._own.ignored(path) is False):
            self.found.append(path)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / folder) as listing:
                return [entry for entry in listing if entry.name != ".git"]
        except OSError as error:
            raise SourceRefused(
                f"{folder or self._root}: {error.strerror}; "
                "make it readable, or add it to .ciignore"
            ) from error
