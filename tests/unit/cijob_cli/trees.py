"""Directories as the tests write them."""

import subprocess
from pathlib import Path

AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")


def write(folder: Path, *paths: str, **contents: str) -> None:
    """Files with their own names as their content, or with the given ones."""
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path)
    for path, content in contents.items():
        (folder / path).write_text(content)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *AUTHOR, "-C", str(folder), *arguments], check=True, capture_output=True)


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    return folder


def commit_all(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
