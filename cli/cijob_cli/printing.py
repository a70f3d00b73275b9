"""Prints a log, as far as it is there or until the end. Called by logs.

A text that breaks off is asked for again, and what of it is new goes on where it was.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cijob_cli.errors import Cut, LogIncomplete, Unavailable, Unreachable
from cijob_cli.follow import Following
from cijob_cli.gateway import Gateway, Job
from cijob_cli.outcome import see
from cijob_cli.screen import Screen
from cijob_cli.watching import watching

# In a row in which nothing new came: 25 seconds, in which another gateway has begun.
_TRIES = 8


@dataclass
class Came:
    """What of a text has come, of all tries together."""

    size: int = 0
    lines: int = 0
    told: str = ""  # the digest of the whole text, if the gateway knows it
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def behind(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """What is new in a text from its start. Raises LogIncomplete if it is another text now."""
        before, left, again = self.digest.digest(), self.size, hashlib.sha256()
        for chunk in chunks:
            again.update(chunk[:left])
            new, left = chunk[left:], max(left - len(chunk), 0)
            if not left and again.digest() != before:
                break
            if new:
                self.digest.update(new)
                self.size += len(new)
                self.lines += new.count(b"\n")
                yield new
        if left or again.digest() != before:
            raise LogIncomplete(
                f"the connection broke after {self.lines} lines, and the log does not begin there"
                " any more"
            )


def log_so_far(gateway: Gateway, screen: Screen, job: Job, query: list[tuple[str, str]]) -> None:
    """The log as it is now. Raises LogIncomplete when it is not what was archived, Cut."""
    name = str(job["metadata"]["name"])
    again = f"read it again: {screen.command('logs', name)}"
    came = Came()
    try:
        for text in _whole_lines(_unbroken(gateway, name, query, came)):
            screen.lines([text])
    except LogIncomplete as error:
        raise LogIncomplete(f"{error}; {again}") from error
    except Unreachable as error:
        if not came.size:
            raise
        raise Cut(f"the log broke off after {came.lines} lines: {error}; {again}") from error
    digest = f"sha-256=:{base64.b64encode(came.digest.digest()).decode()}:"
    if came.told.startswith("sha-256=") and came.told != digest:
        raise LogIncomplete(f"the log did not arrive as it was archived; {again}")


def followed_log(gateway: Gateway, screen: Screen, job: Job, query: list[tuple[str, str]]) -> None:
    """The log until the job ends. Raises LogIncomplete when lines are missing at the end."""
    following = Following(screen, whole=not query, job=job)
    end = see(gateway, following, watching(gateway, query))
    if missing := following.missing(end):
        again = screen.command("logs", following.name or "JOB")
        raise LogIncomplete(f"{missing}; read it again: {again}")


def _unbroken(
    gateway: Gateway, name: str, query: list[tuple[str, str]], came: Came
) -> Iterator[bytes]:
    """The text, read again where it breaks off. Raises Cut or Unavailable if that does not help."""
    failures = 0
    while True:
        before = came.size
        try:
            with gateway.log(name, query) as log:
                came.told = log.digest
                yield from came.behind(log.chunks)
        except (Cut, Unavailable) as error:
            failures = 1 if came.size > before else failures + 1
            if not came.size or failures == _TRIES:
                raise
            gateway.transport.pause(gateway.transport.before_next(error, failures))
        else:
            return


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
