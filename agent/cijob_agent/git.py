"""The `git` program, run so that nothing of a repository or server is ever run by it.

Called by `clones`. A fixed list of words and an environment made from nothing: no shell, no
settings of a machine or person, no hooks, no filters, no programs that a repository names; https
and ssh only. git's own words come back in the C locale, the last of them when there are many.
"""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread, Timer
from typing import IO, NamedTuple, cast

PATH = "/usr/local/bin:/usr/bin:/bin"
# What is kept of git's words: a server can send them without end.
WORDS = 1 << 14
# Old histories hold objects that are written in slightly wrong ways and harm nobody.
_HARMLESS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badFilemode",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)
OPTIONS = {
    "advice.detachedHead": "false",
    "core.autocrlf": "false",
    "core.bigFileThreshold": "16m",  # the agent has little memory
    "core.deltaBaseCacheLimit": "32m",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.symlinks": "true",
    "credential.helper": "",  # forget those that stand elsewhere; ours comes behind
    "fetch.fsckObjects": "true",
    **{f"fetch.fsck.{what}": "ignore" for what in _HARMLESS},
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # always one pack, so that the limit of a file's size is its limit
    "gc.auto": "0",
    # To another host, too: the credentials are bound to theirs (see `credentials`).
    "http.followRedirects": "initial",
    "http.lowSpeedLimit": "1",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "pack.threads": "2",
    "protocol.ext.allow": "never",
    "protocol.file.allow": "never",
    "safe.bareRepository": "explicit",
    "safe.directory": "*",  # the kubelet makes the workspace for root
    "submodule.recurse": "false",
    "transfer.credentialsInUrl": "die",
}


class GitFailed(Exception):
    """git said no; its words, and how it ended."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class OutOfTime(Exception):
    """git was stopped at the deadline."""


class Git(NamedTuple):
    """git for one folder."""

    folder: str
    environment: Mapping[str, str]
    ends: float  # by time.monotonic
    more: tuple[tuple[str, str], ...] = ()  # options behind OPTIONS

    def run(self, *words: str) -> str:
        """What git prints. Raises GitFailed and OutOfTime."""
        with self.printing(*words) as output:
            return output.read().decode(errors="replace")

    @contextmanager
    def printing(self, *words: str) -> Iterator[IO[bytes]]:
        """What git prints, to be read while it runs; it is stopped when the caller is done.

        Raises GitFailed and OutOfTime.
        """
        with self._started(words) as process:
            late = Timer(max(0.0, self.ends - time.monotonic()), _stop, (process.pid,))
            heard = _Tail(cast("IO[bytes]", process.stderr))
            late.start()
            heard.start()
            try:
                yield cast("IO[bytes]", process.stdout)
                # To the end of its words, also of those that its helpers still have to say.
                heard.join()
                code = process.wait()
            finally:
                late.cancel()
                _stop(process.pid)
                heard.join()
        if code and time.monotonic() >= self.ends:
            raise OutOfTime
        if code:
            raise GitFailed(heard.words(), code)

    def _started(self, words: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        options = (*OPTIONS.items(), *self.more)
        settings = [part for name, value in options for part in ("-c", f"{name}={value}")]
        return subprocess.Popen(
            ["git", *settings, *words],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # SIGXFSZ stays ignored, as Python has it: git then says that a file is too large.
            restore_signals=False,
        )


class _Tail(Thread):
    """Reads a stream to its end and keeps the last of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._kept = b""

    def run(self) -> None:
        while piece := os.read(self._stream.fileno(), WORDS):
            self._kept = (self._kept + piece)[-WORDS:]

    def words(self) -> str:
        """What was kept."""
        return self._kept.decode(errors="replace").strip()


def _stop(group: int) -> None:
    """Kill git and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def environment(private: str, network: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of git; `private` is a folder for its home, with nothing in it."""
    return {
        "PATH": PATH,
        "HOME": private,
        "XDG_CONFIG_HOME": private,
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_TEMPLATE_DIR": private,  # no hooks and no settings in a new repository
        "GIT_TERMINAL_PROMPT": "0",
        **network,
    }


@contextmanager
def largest_file(limit: int) -> Iterator[None]:
    """Let no process write a larger file: a pack that is too large ends with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    least = limit if soft == resource.RLIM_INFINITY else min(soft, limit)
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
