"""Results on their way to the gateway; called by `collecting`.

A body is pushed in chunks, since nobody knows an archive's size before it is made, and hashed on
its way; the gateway says what it has stored. What may pass is tried again, from the start of that
body, while there is time.
"""

import hashlib
import json
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cijob_agent.clocks import Clock, OutOfTime
from cijob_agent.errors import AgentError
from cijob_agent.gateway import connect, detail, read_token

ANSWER_SECONDS = 20.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
# Chunks of less are joined: each costs the gateway a turn.
_CHUNK = 1 << 17
Write = Callable[[bytes], None]


class Refused(Exception):
    """The gateway does not take it, and never will; its words."""


class Unreachable(Exception):
    """The gateway could not be reached while there was time."""


class _Passing(Exception):
    """Trying again may help."""


class Stored(NamedTuple):
    """What the gateway has of a body."""

    size: int
    sha256: str


class Delivery:
    """The gateway's endpoints for one job's results. One connection, opened anew when it breaks."""

    def __init__(self, url: str, token: str, clock: Clock) -> None:
        """`url` is the job's own below `/internal/v1`, `token` the path of the token's file."""
        self._url = urlsplit(url)
        self._token = token
        self._clock = clock
        self._connection: HTTPConnection | None = None

    def ask(self, method: str, path: str, said: Any = None, *, last: bool = False) -> Any:
        """A small request and its answer, as JSON. Raises Refused, Unreachable.

        `last` may use the time that is kept for it.
        """
        body = None if said is None else json.dumps(said).encode()
        return self._patiently(lambda: self._ask_once(method, path, body), last=last)

    def send(self, path: str, produce: Callable[[Write], None]) -> Stored:
        """Store what `produce` writes; called anew for each try. Raises Refused, Unreachable.

        What `produce` raises ends it: the gateway then stores nothing.
        """
        stored: Stored = self._patiently(lambda: self._send_once(path, produce))
        return stored

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _patiently(self, once: Callable[[], Any], *, last: bool = False) -> Any:
        tries = 0
        while True:
            try:
                return once()
            except _Passing as error:
                self.close()
                pause = _PAUSES[min(tries, len(_PAUSES) - 1)]
                tries += 1
                problem = error
            except BaseException:
                self.close()  # in the middle of a body, perhaps
                raise
            if self._clock.left <= pause:
                raise Unreachable(str(problem)) from problem
            if not last:
                try:
                    self._clock.tick()
                except OutOfTime:
                    raise Unreachable(str(problem)) from problem
            time.sleep(pause)

    def _ask_once(self, method: str, path: str, body: bytes | None) -> Any:
        def go(connection: HTTPConnection) -> None:
            headers = {**self._headers(), "Content-Type": "application/json"}
            connection.request(method, f"{self._url.path}/{path}", body, headers)

        return self._exchange(go)

    def _send_once(self, path: str, produce: Callable[[Write], None]) -> Stored:
        body = _Body(self._clock)

        def go(connection: HTTPConnection) -> None:
            connection.putrequest("PUT", f"{self._url.path}/{path}")
            for name, value in self._headers().items():
                connection.putheader(name, value)
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            body.to(connection, produce)

        answer = self._exchange(go)
        stored = body.stored
        if answer != {"sizeBytes": stored.size, "sha256": stored.sha256}:
            raise _Passing(f"the gateway at {self._url.netloc} stored other bytes than were sent")
        return stored

    def _exchange(self, go: Callable[[HTTPConnection], None]) -> Any:
        """One request. Raises Refused, _Passing."""
        where = f"the gateway at {self._url.netloc}"
        connection = self._connected()
        try:
            try:
                go(connection)
            except (BrokenPipeError, ConnectionResetError):
                # It may have answered before it had everything: too large, not allowed.
                return _answer(where, connection.getresponse())
            return _answer(where, connection.getresponse())
        except AgentError as error:  # the token, which the kubelet replaces now and then
            raise _Passing(str(error)) from error
        except TimeoutError as error:
            raise _Passing(f"{where} was silent for too long") from error
        except (OSError, HTTPException) as error:
            words = str(error) or type(error).__name__
            raise _Passing(f"{where} does not answer: {words}") from error

    def _connected(self) -> HTTPConnection:
        seconds = min(ANSWER_SECONDS, max(0.1, self._clock.left))
        if self._connection is None:
            self._connection = connect(self._url.geturl(), seconds)
        if self._connection.sock:
            self._connection.sock.settimeout(seconds)
        return self._connection

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {read_token(self._token)}", "Accept": "application/json"}


class _Body:
    """A body in chunks, hashed on its way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._digest = hashlib.sha256()
        self._size = 0
        self._waiting = bytearray()

    @property
    def stored(self) -> Stored:
        """What the gateway must have of it."""
        return Stored(self._size, self._digest.hexdigest())

    def to(self, connection: HTTPConnection, produce: Callable[[Write], None]) -> None:
        """Send all that `produce` writes."""

        def write(piece: bytes) -> None:
            self._digest.update(piece)
            self._size += len(piece)
            self._waiting += piece
            if len(self._waiting) >= _CHUNK:
                self._push(connection)

        produce(write)
        if self._waiting:
            self._push(connection)
        connection.send(b"0\r\n\r\n")

    def _push(self, connection: HTTPConnection) -> None:
        self._clock.tick()
        length = b"%x\r\n" % len(self._waiting)
        connection.send(b"".join((length, self._waiting, b"\r\n")))
        self._waiting.clear()


def _answer(where: str, response: HTTPResponse) -> Any:
    if 200 <= response.status < 300:
        try:
            return json.loads(response.read())
        except ValueError as error:
            raise _Passing(f"{where} answered with something else than JSON") from error
    words = f"{where} answered {response.status}: {detail(response)}"
    response.read()
    # 401 and 403 too: the API server may be away from the gateway, or not know the Pod yet.
    if response.status in (401, 403, 408, 425, 429) or response.status >= 500:
        raise _Passing(words)
    raise Refused(words)
