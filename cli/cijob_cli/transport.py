"""Carries requests to the gateway: tokens, errors, and another try where that is safe.

Called by gateway. The only module that knows the HTTP library; its errors end here.
"""

import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from cijob_cli.certificates import distrust
from cijob_cli.connecting import Connection
from cijob_cli.errors import BadSetting, Cut, Rejected, Unauthenticated, Unavailable, Unreachable
from cijob_cli.events import Event
from cijob_cli.problems import error_of

# Streams have a heartbeat every 15 s: after three without a byte the connection is dead.
_SILENCE_SECONDS = 45.0
_TIMES = httpx2.Timeout(connect=10, read=_SILENCE_SECONDS, write=60, pool=10)
_TRIES = 5
# An event holds a batch of lines; one line of a job may be large.
_EVENT_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """One request. `content` gives the body's bytes anew for each try."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None  # JSON
    content: Callable[[], Iterator[bytes]] | None = None
    seconds: float | None = None  # what may be waited for (default: as long as a stream is silent)


@dataclass(frozen=True)
class Answer:
    """A success."""

    status: int
    body: Any  # JSON, or None


class Transport:
    """One connection's requests."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pause: Callable[[float], None] = time.sleep
        # One for each scheme: certificates take 30 ms to load.
        self._clients: dict[bool, httpx2.Client] = {}

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()

    def ask(self, call: Call) -> Answer:
        """Ask for JSON; a broken connection or a busy gateway is asked again, for some seconds."""
        for tried in range(1, _TRIES + 1):
            try:
                with self.open(call) as response:
                    return _answer(response)
            except (Cut, Unavailable) as error:
                if tried == _TRIES:
                    raise
                self.pause(self.before_next(error, tried))
        raise AssertionError

    def before_next(self, error: Unreachable, failures: int) -> float:
        """How long to wait before the next try, in seconds; a broken way is opened anew."""
        if isinstance(error, Cut):
            self._connection.address.reopen()
        told = error.retry_after if isinstance(error, Unavailable) else 0
        return max(told, 0.2 * 2.0 ** (failures - 1)) * random.uniform(0.8, 1.2)  # noqa: S311

    @contextmanager
    def open(self, call: Call) -> Iterator[httpx2.Response]:
        """One try; the answer's body is not read yet. Raises Cut, or what the problem says."""
        try:
            response = self._send(call)
            if response.status_code == 401 and self._connection.credentials.renew():
                response.close()
                response = self._send(call)
            try:
                self._check(response)
                yield response
            finally:
                response.close()
        except httpx2.TransportError as error:
            if untrusted := distrust(error):
                raise Unreachable(f"the gateway at {self._where()}: {untrusted}") from error
            words = str(error) or type(error).__name__
            raise Cut(f"no answer from the gateway at {self._where()}: {words}") from error
        except httpx2.InvalidURL as error:
            raise BadSetting(f"the gateway's URL is wrong: {error}") from error

    @contextmanager
    def events(self, call: Call) -> Iterator[Iterator[Event]]:
        """Open a stream of events."""
        with self.open(call) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise Rejected("the gateway answered without events; is it older than this `ci`?")
            source = httpx2.EventSource(response, max_event_size=_EVENT_BYTES)
            yield (Event(event.event, event.data, event.id) for event in source)

    def _send(self, call: Call) -> httpx2.Response:
        address = self._connection.address
        url = address.url()
        client = self._client(secure=url.startswith("https://"))
        headers = {"Accept": "application/json", **call.headers}
        token = self._connection.credentials.token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = client.build_request(
            call.method,
            url + call.path,
            params=list(call.query) or None,
            headers=headers,
            json=call.body,
            content=call.content() if call.content else None,
            timeout=_TIMES if call.seconds is None else call.seconds,
            extensions={"sni_hostname": address.certified} if address.certified else None,
        )
        return client.send(request, stream=True)

    def _client(self, *, secure: bool) -> httpx2.Client:
        if secure not in self._clients:
            verify = _authorities() if secure else False
            # A port-forward is on the loopback: no proxy.
            named = self._connection.address.certified is None
            self._clients[secure] = httpx2.Client(timeout=_TIMES, verify=verify, trust_env=named)
        return self._clients[secure]

    def _check(self, response: httpx2.Response) -> None:
        if response.is_success:
            return
        error = error_of(response.status_code, response.read(), response.headers)
        why = self._connection.credentials.explanation()
        if isinstance(error, Unauthenticated) and why:
            raise Unauthenticated(f"{error} (no token by the kubeconfig: {why})") from error
        raise error

    def _where(self) -> str:
        try:
            return self._connection.address.url()
        except Unreachable:
            return "its port-forward"


def _authorities() -> ssl.SSLContext:
    """Those of SSL_CERT_FILE or SSL_CERT_DIR, if one is set, or else this machine's own."""
    try:
        return httpx2.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        words = f"the certificates that SSL_CERT_FILE names cannot be read: {error}"
        raise BadSetting(f"{words}; name a file with certificates in PEM") from error


def _answer(response: httpx2.Response) -> Answer:
    content = response.read()
    try:
        return Answer(response.status_code, response.json() if content else None)
    except ValueError as error:
        raise Rejected(
            f"the gateway answered {response.status_code} without JSON; is its URL right?"
        ) from error
