"""Prints a log, as far as it is there or until the end. Called by logs."""

import base64
import hashlib
from collections.abc import Iterable, Iterator

from cijob_cli.errors import LogIncomplete
from cijob_cli.follow import Following
from cijob_cli.gateway import Gateway, Job
from cijob_cli.outcome import see
from cijob_cli.screen import Screen
from cijob_cli.watching import watching


def log_so_far(gateway: Gateway, screen: Screen, job: Job, query: list[tuple[str, str]]) -> None:
    """The log as it is now. Raises LogIncomplete when it is not what was archived."""
    name = str(job["metadata"]["name"])
    digest = hashlib.sha256()
    with gateway.log(name, query) as log:
        for text in _whole_lines(_hashed(log.chunks, digest)):
            screen.lines([text])
    came = f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    if log.digest.startswith("sha-256=") and log.digest != came:
        again = screen.command("logs", name)
        raise LogIncomplete(f"the log did not arrive as it was archived; read it again: {again}")


def followed_log(gateway: Gateway, screen: Screen, job: Job, query: list[tuple[str, str]]) -> None:
    """The log until the job ends. Raises LogIncomplete when lines are missing at the end."""
    following = Following(screen, whole=not query, job=job)
    end = see(gateway, following, watching(gateway, query))
    if missing := following.missing(end):
        again = screen.command("logs", following.name or "JOB")
        raise LogIncomplete(f"{missing}; read it again: {again}")


def _hashed(chunks: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Text that ends at a line's end: an escape sequence must not be cut in two."""
    rest = b""
    for chunk in chunks:
        whole, newline, after = chunk.rpartition(b"\n")
        if newline:
            yield (rest + whole + newline).decode("utf-8", "surrogateescape")
            rest = after
        else:
            rest += chunk
    if rest:
        yield rest.decode("utf-8", "surrogateescape")
