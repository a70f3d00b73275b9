"""Which files .gitignore and .ciignore leave out, as git reads such files.

Called by tree and walking. Knows paths relative to the submitted directory; reads only the ignore
files themselves.
"""

from pathlib import Path

from pathspec import GitIgnoreSpec

from cijob_cli.errors import SourceRefused


class Patterns:
    """One ignore file, or none."""

    def __init__(self, path: Path) -> None:
        try:
            lines = path.read_text("utf-8", "surrogateescape").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            lines = []
        except OSError as error:
            raise SourceRefused(f"{path}: {error.strerror}; make it readable") from error
        self._spec = GitIgnoreSpec.from_lines(lines) if lines else None
        self.takes_back = any(line.startswith("!") for line in lines)

    def ignored(self, path: str) -> bool | None:
        """True: left out. False: taken back by `!`. None: nothing is said. Folders end in `/`."""
        return self._spec.check_file(path).include if self._spec else None


class Ignoring:
    """The .gitignore files on the way down a tree; the deepest that says something decides."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._of_folder: dict[str, Patterns] = {}

    def ignored(self, path: str) -> bool:
        """Whether git would leave this path out; its folders are asked before it."""
        for folder in reversed(_folders_above(path)):
            patterns = self._of_folder.get(folder)
            if patterns is None:
                patterns = Patterns(self._root / folder / ".gitignore")
                self._of_folder[folder] = patterns
            verdict = patterns.ignored(path[len(folder) :])
            if verdict is not None:
                return verdict
        return False


def _folders_above(path: str) -> list[str]:
    """`""`, `a/`, `a/b/` for `a/b/c`."""
    steps = path.rstrip("/").split("/")[:-1]
    return ["", *("/".join(steps[: count + 1]) + "/" for count in range(len(steps)))]
