"""The gateway's side of a collection on a loopback port: it keeps what it is brought."""

import hashlib
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMITS = {"artifactBytes": 1 << 20, "totalBytes": 3 << 20, "reportBytes": 1 << 16, "reports": 5}
TOKEN = "not-a-real-token"
PATH = "/internal/v1/namespaces/ci/jobs/tests"
HANG_UP = 0


class Collector:
    """`fails` may answer a request instead: it gets its method and path below the job's own."""

    def __init__(self, **limits: int) -> None:
        self.limits = {**LIMITS, **limits}
        self.fails: Callable[[str], int | None] = lambda request: None
        self.changes: Callable[[bytes], bytes] = lambda body: body  # what is stored of a body
        self.bodies: dict[str, bytes] = {}
        self.said: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.broken: list[str] = []  # bodies that broke off
        handler = type("Handler", (_Handler,), {"collector": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{PATH}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    collector: Collector

    @property
    def below(self) -> str:
        return self.path.removeprefix(f"{PATH}/")

    def do_GET(self) -> None:
        self._handle(lambda: self.collector.limits)

    def do_POST(self) -> None:
        self._handle(self._take_words)

    def do_PUT(self) -> None:
        self._handle(self._take_body)

    def _handle(self, work: Callable[[], Any]) -> None:
        assert self.headers["Authorization"] == f"Bearer {TOKEN}"
        request = f"{self.command} {self.below}"
        self.collector.asked.append(request)
        status = self.collector.fails(request)
        answer = {"detail": "words"} if status else None if status == HANG_UP else work()
        self.close_connection = status is not None or answer is None  # a body was not read
        if answer is None:
            return
        text = json.dumps(answer).encode()
        self.send_response(status or 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _take_words(self) -> dict[str, int]:
        length = int(self.headers["Content-Length"])
        self.collector.said.append(json.loads(self.rfile.read(length)))
        return {"attempt": 1}

    def _take_body(self) -> dict[str, Any] | None:
        body = b""
        while line := self.rfile.readline():
            size = int(line, 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                stored = self.collector.bodies[self.below] = self.collector.changes(body)
                return {"sizeBytes": len(stored), "sha256": hashlib.sha256(stored).hexdigest()}
        self.collector.broken.append(self.below)
        return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the test's output is the test's."""
