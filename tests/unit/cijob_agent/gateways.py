"""A gateway on a loopback port that answers as it is told, one answer after the other."""

import hashlib
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, TypeVar

from cijob_agent.settings import Archive

Answer = Callable[[BaseHTTPRequestHandler], None]


class Gateway:
    """What it is asked is kept: the path and the token of each request."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[tuple[str, str]] = []
        left = list(answers)
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.asked.append((self.path, self.headers["Authorization"]))
                answer = left.pop(0) if len(left) > 1 else left[0]
                answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: the test's output is the test's."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def archive(self, body: bytes) -> Archive:
        path = "/internal/v1/namespaces/ci/jobs/tests/source"
        return Archive(self.url + path, hashlib.sha256(body).hexdigest(), len(body))


class Served(Protocol):
    """Something with an HTTP server."""

    server: ThreadingHTTPServer


S = TypeVar("S", bound=Served)


@contextmanager
def running(served: S) -> Iterator[S]:
    """Serve until the end of the block."""
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        served.server.shutdown()
        served.server.server_close()
        thread.join()


def head(handler: BaseHTTPRequestHandler, status: int, length: int, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def body(data: bytes) -> Answer:
    """The whole archive."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        head(handler, 200, len(data))
        handler.wfile.write(data)

    return answer


def cut(data: bytes, length: int) -> Answer:
    """Less than was promised."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        head(handler, 200, length)
        handler.wfile.write(data)

    return answer


def problem(status: int, detail: str = "words", **headers: str) -> Answer:
    """A problem document."""
    text = f'{{"type": "about:blank", "status": {status}, "detail": "{detail}"}}'.encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        head(handler, status, len(text), **headers)
        handler.wfile.write(text)

    return answer


def unsized(data: bytes) -> Answer:
    """A body without a length: it ends with the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def rude(handler: BaseHTTPRequestHandler) -> None:
    """No answer at all: the connection closes."""
    handler.close_connection = True


def silent(data: bytes, length: int) -> Answer:
    """Begin a body and say nothing more until the other side is gone."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        head(handler, 200, length)
        handler.wfile.write(data)
        select.select([handler.connection], [], [], 30)

    return answer
