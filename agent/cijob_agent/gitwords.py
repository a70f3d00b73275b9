"""What git's words mean, as errors of ours. Pure; called by `clones`.

The words are those of our image's git, curl (with GnuTLS) and OpenSSH in the C locale, as they were
heard: see tests/unit/cijob_agent/test_gitwords.py. The first row that fits counts: a server that
ends a connection makes git add `the remote end hung up` to whatever went wrong before, and a pack
that was cut is a broken pack, too.
"""

import re
from typing import NamedTuple

from cijob_agent.errors import (
    AgentError,
    GitAuthFailed,
    GitHostKey,
    GitRefNotFound,
    SourceNotFound,
    SourceRejected,
    SourceTooLarge,
    SourceUnreachable,
)

LONGEST = 600


class _Row(NamedTuple):
    """An error, what it means for the user, and the words that it is known by."""

    error: type[AgentError]
    means: str
    words: tuple[str, ...]


_ROWS = (
    _Row(
        SourceUnreachable, "the server says to come again later", (r"error: 429\b", r"HTTP 429\b")
    ),
    _Row(
        SourceTooLarge,
        "the repository is over the job's limit of ephemeral-storage; raise it",
        ("File too large", "No space left on device", "Disk quota exceeded"),
    ),
    _Row(
        GitHostKey,
        "the server's host key is not the one in known_hosts of the Secret; if it is genuine, add"
        " what `ssh-keyscan HOST` prints",
        (
            "REMOTE HOST IDENTIFICATION HAS CHANGED",
            "Host key verification failed",
            "host key is known for",
            "no matching host key type",
        ),
    ),
    _Row(
        GitHostKey,
        "the server's certificate is not trusted; add its authority to the installation's caBundle",
        (
            "server certificate verification failed",
            "SSL: certificate subject name",
            "Problem with the SSL CA cert",
        ),
    ),
    _Row(
        GitAuthFailed,
        "the server refuses the credentials, or wants some; check source.git.secretName",
        (
            "Authentication failed for",
            "could not read (?:Username|Password) for",
            r"error: 40[137]\b",
            r"HTTP 40[137]\b",
            r"Permission denied \(",
            "Load key ",
            "Too many authentication failures",
        ),
    ),
    _Row(
        SourceRejected,
        "the repository holds, or leads to, something that is refused",
        (
            r"transport '\S*' not allowed",
            "rotocol .*(?:not supported|disabled)",
            "fsck error",
            "uses plaintext credentials",
            "invalid path",
            r"strange \w+ .*blocked",
            "refusing to (?:create|clone|fetch|work)",
            "disallowed submodule",
            "repository '.*' does not exist",  # a path, for git: never a server's
            "dumb http transport",
            "unable to create symlink",
        ),
    ),
    _Row(
        GitRefNotFound,
        "the repository has no such branch, tag or commit; check source.git.ref and commit",
        (
            "couldn't find remote ref",
            "not our ref",
            "unadvertised object",
            r"want \S+ not valid",  # JGit's, so Gerrit's
            "Needed a single revision",
            "did not contain",
        ),
    ),
    _Row(
        SourceNotFound,
        "the server has no such repository, or does not show it to these credentials; check"
        " source.git.url",
        (
            "repository '.*' not found",
            "[Rr]epository .*not (?:found|exported)",
            "does not appear to be a git repository",
            "is this a git repository",
            "unable to update url base",
            "redirects followed",
            r"error: 4\d\d\b",
        ),
    ),
    _Row(
        SourceUnreachable,
        "the server does not answer as it should",
        (
            "Could not resolve host",
            "Failed to connect",
            "[Cc]onnect(?:ion)? .*(?:refused|reset|closed|timed out)",
            "Connection (?:refused|reset|closed|timed out)",
            "Operation too slow",
            "[Tt]imed out",
            "Empty reply",
            "early EOF",
            "hung up",
            "RPC failed",
            "unexpected disconnect",
            "unable to access",
            "Could not read from remote repository",
            "No route to host",
            "Network is unreachable",
            "bad line length",
            "expected (?:flush|'packfile')",
        ),
    ),
    _Row(
        SourceRejected,
        "the server sent a broken pack; its repository is damaged",
        ("pack has bad object", "bad pack header", "index-pack (?:output|failed)"),
    ),
)


def read(words: str, code: int) -> AgentError:
    """What git meant by its last words and exit code, as an error to raise."""
    said = shown(words)
    for row in _ROWS:
        if re.search("|".join(row.words), words):
            return row.error(f"{row.means}: {said}")
    return AgentError(f"git failed with {code}: {said}")


def shown(words: str) -> str:
    """The lines that say something, as one, and short, without what stands before a host's name.

    A submodule's URL may hold a password, and git repeats it.
    """
    words = re.sub(r"(https?://)[^\s/@]+@|(ssh://[^\s/@:]*):[^\s/@]+@", r"\1\2…@", words)
    noise = re.compile("hint:|Please make sure|and the repository exists|@@@|$")
    lines = (line.strip() for line in words.replace("\r", "\n").splitlines())
    return "; ".join(line for line in lines if not noise.match(line))[-LONGEST:] or "no words"
