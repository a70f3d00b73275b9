"""Repositories for the tests of clones: ordinary ones, and such as no honest git would make."""

from pathlib import Path

from kit.gitserver import git

LINK, FILE, EXECUTABLE = "120000", "100644", "100755"
FOLDER, SUBMODULE = "40000", "160000"
Entry = tuple[str, str, str]  # mode, name of the object, path


class Repository:
    """A bare repository below the root of a git server."""

    def __init__(self, root: Path, name: str) -> None:
        self.folder = root / name
        git(root, "init", "--quiet", "--bare", name)

    def blob(self, content: bytes) -> str:
        return git(self.folder, "hash-object", "-w", "--stdin", stdin=content)

    def tree(self, *entries: Entry) -> str:
        """A tree of these, in git's order and otherwise as they are said: any name will do."""

        def key(entry: Entry) -> bytes:
            return (entry[2] + ("/" if entry[0] == FOLDER else "")).encode()

        rows = b"".join(
            f"{mode} {path}\0".encode() + bytes.fromhex(name)
            for mode, name, path in sorted(entries, key=key)
        )
        words = ("hash-object", "-w", "--literally", "-t", "tree", "--stdin")
        return git(self.folder, *words, stdin=rows)

    def commit(self, tree: str, *parents: str, message: str = "a change") -> str:
        before = [word for parent in parents for word in ("-p", parent)]
        return git(self.folder, "commit-tree", tree, *before, "-m", message)

    def point(self, ref: str, commit: str) -> None:
        git(self.folder, "update-ref", ref, commit)

    def serve(self, *entries: Entry) -> str:
        """Make a tree the tip of main."""
        commit = self.commit(self.tree(*entries))
        self.point("refs/heads/main", commit)
        return commit

    def file(self, path: str, content: str = "content\n") -> Entry:
        return (FILE, self.blob(content.encode()), path)

    def link(self, path: str, target: str) -> Entry:
        return (LINK, self.blob(target.encode()), path)

    def submodule(self, url: str, commit: str, *, path: str = "sub", more: str = "") -> list[Entry]:
        """The entries of a submodule."""
        said = f'[submodule "sub"]\n\tpath = {path}\n\turl = {url}\n{more}'
        return [self.file(".gitmodules", said), (SUBMODULE, commit, path)]
