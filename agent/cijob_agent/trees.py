"""The tree that an archive's entries make, checked before any of it is written. Pure.

Two entries must never be the same file, also where case or the writing of accents is ignored, and
nothing lies below a file or a link: so no write can go through a link of the archive's own.
"""

from collections.abc import Mapping

from cijob_agent.errors import SourceRejected, SourceTooLarge
from cijob_agent.names import folded
from cijob_agent.wording import quoted, size

FOLDER, FILE, LINK = "folder", "file", "link"
# As the kernel counts: a path with more links in it is ELOOP and leads nowhere.
MAX_HOPS = 40
MAX_TARGET_BYTES = 4000
# Of all folders together: two thousand entries can name two hundred thousand of them, and each is
# in memory with all above it.
MAX_FOLDERS_BYTES = 32 << 20


class Tree:
    """The paths seen so far, by what they are."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[str, str]] = {}
        self._named: set[str] = set()
        self.folders: dict[str, None] = {}  # in the order seen: every parent before its children
        self._folders_bytes = 0

    def add(self, path: str, kind: str) -> None:
        """Place an entry and the folders above it. Raises SourceRejected and SourceTooLarge."""
        if path in self._named:
            raise SourceRejected(f"entry {quoted(path)} is in the archive twice; remove one")
        self._named.add(path)
        parent = path.rpartition("/")[0]
        if parent:
            self._folder(parent)
        if kind == FOLDER:
            self._folder(path)
        else:
            self._place(path, kind)

    def _folder(self, path: str) -> None:
        missing = []
        while path and path not in self.folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        for folder in reversed(missing):
            self._place(folder, FOLDER)
            self.folders[folder] = None
            self._folders_bytes += len(folder)
        if self._folders_bytes > MAX_FOLDERS_BYTES:
            raise SourceTooLarge(
                f"the paths of its {len(self.folders)} folders are longer than"
                f" {size(MAX_FOLDERS_BYTES)} together; leave deep ones out with .ciignore"
            )

    def _place(self, path: str, kind: str) -> None:
        other, was = self._taken.setdefault(folded(path), (path, kind))
        if other != path:
            raise SourceRejected(
                f"{quoted(path)} and {quoted(other)} differ only in case or in how their accents"
                " are written; rename one"
            )
        if was != kind:
            raise SourceRejected(f"{quoted(path)} is a {was} and a {kind} at once; remove one")


def check_link(path: str, links: Mapping[str, str]) -> None:
    """Raise SourceRejected for a link that leads out of the tree, by way of others too."""
    target = links[path]
    if not target or "\0" in target or "\\" in target:
        problem = "leads to a name that is no path"
    elif target.startswith("/"):
        problem = "leads to an absolute path"
    elif not _stays_inside(path, links):
        problem = "leads out of the source"
    else:
        return
    raise SourceRejected(
        f"link {quoted(path)} {problem}, {quoted(target)}; remove it or add it to .ciignore"
    )


def _stays_inside(path: str, links: Mapping[str, str]) -> bool:
    """Walk the target as the kernel would. What is not there yet is taken for a folder."""
    here = path.split("/")[:-1]
    todo = links[path].split("/")[::-1]
    hops = 1
    while todo:
        part = todo.pop()
        if part == "..":
            if not here:
                return False
            here.pop()
        elif part not in ("", "."):
            here.append(part)
            target = links.get("/".join(here))
            if target is not None:
                if target.startswith("/"):
                    return False
                hops += 1
                if hops > MAX_HOPS:
                    return True
                here.pop()
                todo += target.split("/")[::-1]
    return True
