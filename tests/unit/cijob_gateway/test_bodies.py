"""A body that is read whole has an end, and comes in time: over a real socket, by a real server."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic, sleep

import pytest
import uvicorn

from cijob_gateway import metrics
from cijob_gateway.app import user_app
from cijob_gateway.bodies import BODY_BYTES

pytestmark = pytest.mark.process
BUILD, JOBS = "/api/v1/infrastructure/build-jobs", "/v1/namespaces/team/jobs"


@contextmanager
def served(body_seconds: float) -> Iterator[tuple[str, int]]:
    """The user API on a port of the loopback; without parts: nothing here gets as far as those."""
    app = user_app(None, body_seconds=body_seconds)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def head(path: str, length: int, kind: str = "application/json") -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}")
    return "\r\n".join((*lines, f"Content-Length: {length}", "", "")).encode()


def answered(connection: socket.socket) -> tuple[int, str, str]:
    """Status, problem and words of the answer, once the server has closed the connection."""
    answer = b"".join(iter(lambda: connection.recv(65536), b""))
    top, _, body = answer.partition(b"\r\n\r\n")
    problem = json.loads(body)
    return int(top.split()[1]), problem["type"].rpartition("/")[2], problem["detail"]


@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/one/retry", BUILD])
def test_a_client_that_sends_a_byte_now_and_then_is_told_so(path: str) -> None:
    with served(body_seconds=0.3) as address, socket.create_connection(address) as connection:
        connection.sendall(head(path, 1000))
        connection.settimeout(0.05)
        for sent in count(1):
            connection.sendall(b"{")
            try:
                connection.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                assert sent < 100, "it is held for ever"
            else:
                break
        connection.settimeout(10)
        status, problem, words = answered(connection)
    assert (status, problem) == (408, "slow-body")
    assert words.endswith("bytes of the body came in 0.3 s, and not all; send it again, in one go")


def test_a_body_without_end_is_refused_before_it_is_stored() -> None:
    with served(body_seconds=30) as address, socket.create_connection(address) as connection:
        connection.sendall(head(BUILD, 1 << 40))
        connection.sendall(b"x" * (BODY_BYTES + 1))
        status, problem, words = answered(connection)
    assert (status, problem) == (400, "bad-request")
    assert words.startswith("the body is over 1048576 bytes")


def test_a_body_that_is_there_comes_to_its_route() -> None:
    with served(body_seconds=30) as address, socket.create_connection(address) as connection:
        body = b'{"repository": ]'
        connection.sendall(head(BUILD, len(body))[:-2] + b"Connection: close\r\n\r\n" + body)
        status, problem, words = answered(connection)
    assert (status, problem) == (422, "invalid")
    assert words.endswith("JSON decode error")


def requests(route: str, status: str) -> float:
    """How many requests were counted so."""
    labels = {"method": "POST", "route": route, "status": status}
    return metrics.REGISTRY.get_sample_value("cijob_gateway_requests_total", labels) or 0


def test_a_client_that_goes_away_is_counted_as_its_own_doing() -> None:
    before = requests("none", "400")
    with served(body_seconds=30) as address:
        with socket.create_connection(address) as connection:
            connection.sendall(head(BUILD, 1000) + b"{")
        ends = monotonic() + 10
        while requests("none", "400") == before and monotonic() < ends:
            sleep(0.01)
    assert requests("none", "400") == before + 1


def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    with served(body_seconds=30) as address:
        with socket.create_connection(address) as connection:
            connection.sendall(head(BUILD, 1000) + b"{")
        with socket.create_connection(address) as connection:
            connection.sendall(b"GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 ")
