"""The agent's side of the gateway's internal API; called by `stages`.

One connection, the body streamed to a file and hashed on its way: the archive may be larger than
the agent's memory. What may pass is tried again until the job's start timeout; what cannot, not.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from cijob_agent.errors import (
    AgentError,
    SourceNotFound,
    SourceRejected,
    SourceUnreachable,
)
from cijob_agent.settings import Archive
from cijob_agent.wording import size

PIECE = 1 << 18
AGAIN = "submit the job again"


class Patience(NamedTuple):
    """How long to try, in seconds."""

    total: float
    # A token this young may be refused while the gateway's watch has not seen the Pod.
    login: float = 15.0
    answer: float = 15.0  # one connect, or one silence within an answer
    first_pause: float = 0.1
    longest_pause: float = 5.0


class _Passing(Exception):
    """Something that may pass: try again, after `pause` seconds if the gateway named them."""

    def __init__(self, words: str, pause: float = 0.0) -> None:
        super().__init__(words)
        self.pause = pause


class _Refused(_Passing):
    """The gateway does not take the token, or does not yet."""


class _Differs(Exception):
    """The bytes are all there and are not the ones that the job names."""


def fetch(
    archive: Archive, token: str, into: int, patience: Patience, *, tell: Callable[[str], None]
) -> None:
    """Fetch the archive into the open file `into`; `token` is the path of the token's file.

    `tell` hears why it takes longer. Raises SourceNotFound, SourceRejected (the digest differs,
    twice), SourceUnreachable (out of patience) and AgentError.
    """
    started = time.monotonic()
    first_refused = 0.0
    pause, differed = patience.first_pause, False
    while True:
        try:
            ends = started + patience.total
            return _try_once(archive, token, into, answer=patience.answer, ends=ends)
        except _Differs as error:
            if differed:
                raise SourceRejected(f"{error}; {AGAIN}") from error
            differed, wait, problem = True, 0.0, str(error)
        except _Passing as error:
            wait, problem = max(pause, error.pause), str(error)
            pause = min(pause * 2, patience.longest_pause)
            now = time.monotonic()
            if isinstance(error, _Refused):
                first_refused = first_refused or now
                if now + wait > first_refused + patience.login:
                    raise SourceUnreachable(f"{problem}, for {patience.login:g} s") from error
            if now + wait > started + patience.total:
                raise SourceUnreachable(
                    f"{problem}; given up after {now - started:.0f} s of at most"
                    f" {patience.total:g} s (startTimeoutSeconds)"
                ) from error
        tell(f"{problem}; trying again")
        time.sleep(wait)


def _try_once(archive: Archive, token: str, into: int, *, answer: float, ends: float) -> None:
    """Ask once. Raises _Passing, _Differs, and what cannot pass."""
    os.ftruncate(into, 0)
    os.lseek(into, 0, os.SEEK_SET)
    login = {"Authorization": f"Bearer {read_token(token)}", "Accept": "application/zip"}
    url = urlsplit(archive.url)
    where = url.netloc
    connection = connect(archive.url, min(answer, max(0.1, ends - time.monotonic())))
    try:
        connection.request("GET", url.path, headers=login)
        response = connection.getresponse()
        if response.status != 200:
            raise _refusal(where, response)
        _receive(archive, response, into, ends)
    except TimeoutError as error:
        raise _Passing(f"the gateway at {where} was silent for too long") from error
    except (OSError, HTTPException) as error:
        words = str(error) or type(error).__name__
        raise _Passing(f"the gateway at {where} does not answer: {words}") from error
    finally:
        connection.close()


def connect(url: str, timeout: float) -> HTTPConnection:
    """https trusts what SSL_CERT_FILE names, by OpenSSL's own default."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout)


def read_token(path: str) -> str:
    """The token as it is now: the kubelet renews it while the agent runs."""
    try:
        with open(path) as file:  # noqa: PTH123  # pathlib would delay every start
            return file.read().strip()
    except OSError as error:
        raise AgentError(f"the agent's token cannot be read: {error}") from None


def _refusal(where: str, response: HTTPResponse) -> Exception:
    """What an answer other than 200 means."""
    status = response.status
    words = f"the gateway at {where} answered {status}: {detail(response)}"
    if status in (404, 410):
        return SourceNotFound(f"{words}; {AGAIN}")
    if status in (401, 403):
        return _Refused(words)
    if status in (408, 425, 429) or status >= 500:
        after = response.getheader("Retry-After") or ""
        return _Passing(words, min(float(after), 30.0) if after.isdecimal() else 0.0)
    return AgentError(f"{words}; is the gateway of the agent's own version?")


def detail(response: HTTPResponse) -> str:
    """The words of a problem document (RFC 9457), or of the status line."""
    try:
        problem = json.loads(response.read(1 << 14))
        return str(problem.get("detail") or problem.get("title") or response.reason)[:500]
    except (ValueError, AttributeError, HTTPException, OSError):
        return response.reason


def _receive(archive: Archive, response: HTTPResponse, into: int, ends: float) -> None:
    """The body into the file, hashed; a byte too many is enough to stop."""
    if response.length is not None and response.length != archive.size:
        raise _Differs(_difference(archive, f"{response.length} bytes"))
    digest, received = hashlib.sha256(), 0
    buffer = memoryview(bytearray(PIECE))
    while count := response.readinto(buffer):
        received += count
        if received > archive.size:
            raise _Differs(_difference(archive, f"more than {archive.size} bytes"))
        digest.update(buffer[:count])
        _write(into, buffer[:count])
        if time.monotonic() > ends:
            raise SourceUnreachable(
                f"only {size(received)} of {size(archive.size)} came within"
                " startTimeoutSeconds; raise it or make the source smaller"
            )
    if received < archive.size:
        raise _Passing(f"the source was cut after {received} of {archive.size} bytes")
    if digest.hexdigest() != archive.sha256:
        raise _Differs(_difference(archive, f"sha256 {digest.hexdigest()}"))


def _difference(archive: Archive, got: str) -> str:
    return (
        f"the source should have {archive.size} bytes and sha256 {archive.sha256},"
        f" the gateway sent {got}"
    )


def _write(into: int, piece: memoryview) -> None:
    while piece:
        try:
            piece = piece[os.write(into, piece) :]
        except OSError as error:
            # Not the gateway's doing: trying again would not help.
            raise AgentError(f"the source cannot be stored on the node: {error}") from error
