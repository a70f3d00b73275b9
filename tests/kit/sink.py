"""A sink on the loopback: an HTTP server that takes notifications and remembers them.

It can answer as it is told, hang, lead elsewhere, and be stopped and started again on its port.
Also the program of a sink's Pod in cluster tests (`python sink.py PORT`, standard library only),
which prints each request as a line of JSON.
"""

import base64
import hashlib
import hmac
import json
import ssl
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    """What it was answered with; 0: nothing, yet."""

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    def is_signed(self, key: bytes) -> bool:
        """Whether it has the signature of who knows the key, as www.standardwebhooks.com says."""
        head = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}."
        wanted = hmac.digest(key, head.encode() + self.body, hashlib.sha256)
        signed = self.headers.get("webhook-signature", "").removeprefix("v1,")
        return hmac.compare_digest(base64.b64encode(wanted).decode(), signed)


@dataclass
class Sink:
    """The server: how it answers, and what it saw."""

    certificate: tuple[Path, Path] | None = None  # and key; none: plain HTTP
    address: str = "127.0.0.1"
    port: int = 0
    statuses: list[int] = field(default_factory=list)  # of the next answers; then 204
    location: str = ""
    answer: bytes = b""
    hangs: threading.Event | None = None  # answers are held until it is set
    delay_body: bool = False  # the head comes, and the rest when `hangs` is set
    requests: list[Request] = field(default_factory=list)
    _server: "ThreadingHTTPServer | None" = None

    def start(self) -> "Sink":
        """Serve; again on the same port."""
        sink = self

        class Handler(_Handler):
            told = sink

        self._server = _Server((self.address, self.port), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Serve no more: connections are refused."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http{'s' if self.certificate else ''}://{self.address}:{self.port}/hook"

    @property
    def accepted(self) -> list[Request]:
        """What it said yes to."""
        return [request for request in self.requests if 200 <= request.status < 300]

    @property
    def ids(self) -> list[str]:
        """The ids of the events that it said yes to."""
        return [str(request.json["id"]) for request in self.accepted]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: Sink

    def do_POST(self) -> None:
        told = self.told
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if told.hangs and not told.delay_body:
            told.hangs.wait(60)
        status = told.statuses.pop(0) if told.statuses else 204
        headers = {key.lower(): value for key, value in self.headers.items()}
        told.requests.append(Request(self.path, headers, body, status))
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", told.location)
        length = len(told.answer) + (1 if told.delay_body else 0)
        self.send_header("Content-Length", str(length if status != 204 else 0))
        self.end_headers()
        if status != 204:
            self.wfile.write(told.answer)
        if told.delay_body and told.hangs:
            told.hangs.wait(60)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class _Printing(list[Request]):
    def append(self, request: Request) -> None:
        said = {"path": request.path, "headers": request.headers, "body": request.body.decode()}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    Sink(address="0.0.0.0", port=int(sys.argv[1]), requests=_Printing()).start()  # noqa: S104
    threading.Event().wait()
