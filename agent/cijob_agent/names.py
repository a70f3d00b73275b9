"""Which names an archive may use, and which of them are the same file somewhere. Pure."""

import re

from cijob_agent.errors import SourceRejected
from cijob_agent.wording import quoted

MAX_NAME_BYTES = 255  # NAME_MAX of Linux
MAX_PATH_BYTES = 4000  # PATH_MAX is 4096, with the workspace's own path before it
MAX_DEPTH = 100

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile("[A-Za-z]:")


def clean_path(name: str) -> str:
    """The path of an entry below the workspace, without `.` and the slash of a folder.

    Raises SourceRejected for a name that could leave the workspace, or that other systems read
    differently. An empty path is the workspace itself.
    """
    problem = _problem(name)
    if problem:
        raise SourceRejected(f"entry {quoted(name)} {problem}; rename it or add it to .ciignore")
    return "/".join(part for part in name.removesuffix("/").split("/") if part != ".")


def _problem(name: str) -> str:
    if not name:
        return "has no name"
    if name.startswith("/"):
        return "is an absolute path"
    if "\\" in name:
        return "has a backslash in its name"
    if _DRIVE.match(name):
        return "begins with a drive letter"
    if _CONTROL.search(name):
        return "has a control character in its name"
    parts = name.removesuffix("/").split("/")
    if ".." in parts:
        return "has '..' in its path"
    if "" in parts:
        return "has an empty folder name in its path"
    return _too_long(name, parts)


def _too_long(name: str, parts: list[str]) -> str:
    if len(parts) > MAX_DEPTH:
        return f"is {len(parts)} folders deep, the limit is {MAX_DEPTH}"
    # A character has at most four bytes: short names need no counting.
    if len(name) * 4 <= MAX_NAME_BYTES:
        return ""
    longest = max(len(part.encode()) for part in parts)
    if longest > MAX_NAME_BYTES:
        return f"has a name of {longest} bytes, the limit is {MAX_NAME_BYTES}"
    length = len(name.encode())
    return f"is {length} bytes long, the limit is {MAX_PATH_BYTES}" * (length > MAX_PATH_BYTES)


def folded(path: str) -> str:
    """What a file system that ignores case and the writing of accents takes a path for."""
    if path.isascii():
        return path.lower()
    import unicodedata  # noqa: PLC0415  # a megabyte that few sources need

    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
