"""The files that git knows or would add, below a directory. Called by tree; runs `git`."""

import subprocess
from pathlib import Path

from cijob_cli.settings import git_environment


def git_files(folder: Path, *, ignored: bool = False) -> list[str] | None:
    """Paths below `folder` of tracked and untracked files, or of the ignored ones instead.

    None: not in a work tree of git, or no git here. Submodules that are checked out and other
    repositories in the tree are looked into. Paths may be gone from the disk.
    """
    which = ["--others", "--ignored"] if ignored else ["--cached", "--others"]
    listed = _ls_files(folder, which)
    if listed is None:
        return None
    found: list[str] = []
    for path in listed:
        inner = folder / path
        if inner.is_dir() and not inner.is_symlink():
            found += _nested(inner, path.rstrip("/"), ignored=ignored)
        else:
            found.append(path)
    return found


def _nested(inner: Path, path: str, *, ignored: bool) -> list[str]:
    """The files of a repository in the repository, or its empty folder if not checked out."""
    if not (inner / ".git").exists():
        return [path]
    return [f"{path}/{name}" for name in git_files(inner, ignored=ignored) or []]


def _ls_files(folder: Path, which: list[str]) -> list[str] | None:
    command = ["git", "-C", str(folder), "ls-files", "-z", *which, "--exclude-standard"]
    try:
        done = subprocess.run(command, env=git_environment(), capture_output=True, check=False)
    except FileNotFoundError:
        return None
    if done.returncode != 0:
        return None
    # Twice in the list: a path with a merge conflict, once for each side.
    return list(dict.fromkeys(done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]))
