"""Names of files that somebody else's job has chosen, made safe for this machine. Pure."""

import re

_LONGEST_BYTES = 200
# Neither separators nor what a terminal, a shell or another system takes for something else.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]')


def safe_name(file: str, otherwise: str) -> str:
    """The file's own name if it is harmless, else a similar one, or `otherwise`.

    Never a path, hidden, or like an option.
    """
    name = _UNSAFE.sub("_", file).strip(" ").rstrip(".").lstrip(".-")
    while len(name.encode("utf-8", "replace")) > _LONGEST_BYTES:
        name = name[1:]  # the end says what it is
    return name if name.strip("_ ") else otherwise


def distinct_names(files: list[tuple[str, str]]) -> dict[str, str]:
    """A safe name for each of (artifact, file): two that would be one get the artifact's before."""
    safe = {artifact: safe_name(file, artifact) for artifact, file in files}
    lower = [name.lower() for name in safe.values()]
    return {
        artifact: f"{artifact}-{name}" if lower.count(name.lower()) > 1 else name
        for artifact, name in safe.items()
    }
