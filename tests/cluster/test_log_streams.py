"""Streams of a real log: a line without end, readers who stand still, and how a text ends."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import JOB_IMAGE
from kit.gateway import Gateway, Minio, service_account
from kit.operator import SMALL, Operator

pytestmark = pytest.mark.seam
VERBS = ("create", "get", "list", "patch", "delete")
READERS = 20
# As JSON each zero has six bytes. More would be rotated away at some time.
ZEROS = 9_000_000
# One encoding of that line for each reader would be a gigabyte.
MEMORY = 384 << 20
WAITS = "until [ -e /tmp/go ]; do sleep 0.1; done"
CUT_SHORT = 18  # of curl: the body has no end


@pytest.fixture
def gateway(operator: Operator, minio: Minio, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway beside an operator, in the same namespace, and a token with all rights there."""
    made = Gateway(operator.cluster, operator.namespace, tmp_path, minio).start()
    made.token = service_account(operator.cluster, operator.namespace, "user", *VERBS)
    yield made
    assert made.stop() == 0, made.log.read_text()[-3000:]


def waiting(operator: Operator, gateway: Gateway, script: str) -> str:
    """A job that runs, and goes on with the script when it is told to; its name."""
    limits = {**SMALL, "limits": {**SMALL["limits"], "memory": "64Mi"}}
    what = {"image": JOB_IMAGE, "script": f"{WAITS}; {script}", "resources": limits}
    spec = {**what, "terminationGracePeriodSeconds": 1}
    answer = gateway.ask("POST", gateway.jobs(), {"spec": spec})
    assert answer.status == 201, answer.body
    name: str = answer.json["metadata"]["name"]
    operator.until_reason(name, "Running")
    return name


def tell(gateway: Gateway, name: str) -> None:
    """Let the job go on."""
    gateway.cluster.kubectl("exec", f"{name}-1", "-n", gateway.namespace, "--", "touch", "/tmp/go")


def curl(gateway: Gateway, path: str, *words: str) -> subprocess.Popen[bytes]:
    """A client that reads a stream to its end."""
    url = f"http://127.0.0.1:{gateway.port}{gateway.jobs(path)}"
    login = ("-H", f"Authorization: Bearer {gateway.token}")
    return subprocess.Popen(["curl", "-sN", *login, *words, url], stdout=subprocess.PIPE)


def standing(gateway: Gateway, path: str) -> socket.socket:
    """A client that never reads."""
    client = socket.create_connection(("127.0.0.1", gateway.port))
    head = f"GET {gateway.jobs(path)} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
    client.sendall(f"{head}Authorization: Bearer {gateway.token}\r\n\r\n".encode())
    return client


def data(output: bytes, kind: str) -> list[Any]:
    """The data of all events of a kind."""
    head = f"event: {kind}\ndata: "
    blocks = [block.rpartition(head) for block in output.decode().split("\n\n")]
    return [json.loads(text) for _, found, text in blocks if found]


def test_readers_who_stand_still_before_a_line_without_end_cost_next_to_nothing(
    operator: Operator, gateway: Gateway
) -> None:
    name = waiting(operator, gateway, f"head -c {ZEROS} /dev/zero; exit 3")
    with ExitStack() as stack:
        logs = stack.enter_context(
            curl(gateway, f"/{name}/logs?follow=true", "-H", "Accept: text/event-stream")
        )
        told = stack.enter_context(curl(gateway, f"/{name}/events"))
        for _ in range(READERS):
            stack.enter_context(standing(gateway, f"/{name}/logs?follow=true"))
        count = READERS + 2
        gateway.cluster.until(
            "all streams", lambda: gateway.metric("cijob_gateway_streams") == count
        )
        tell(gateway, name)
        output, events = logs.communicate(timeout=120)[0], told.communicate(timeout=120)[0]
        operator.finished(name)
        assert gateway.resident_bytes(peak=True) < MEMORY
    lines = [line for batch in data(output, "log") for line in batch["lines"]]
    assert "".join(lines) == "\0" * ZEROS
    [end] = data(output, "end")
    assert (end["bytes"], end["lines"], end["complete"]) == (ZEROS, len(lines), True)
    *_, last = data(events, "cloudevent")
    assert sum(map(len, last["data"]["details"])) <= 256 * 1024
    assert len(last["data"]["details"]) == 1


def test_a_text_that_a_restart_cuts_does_not_look_whole(
    operator: Operator, gateway: Gateway
) -> None:
    name = waiting(operator, gateway, "echo done")
    with curl(gateway, f"/{name}/logs?follow=true") as client:
        gateway.cluster.until("the stream", lambda: gateway.metric("cijob_gateway_streams") == 1)
        assert gateway.stop() == 0
        assert client.wait(120) == CUT_SHORT
    gateway.start()
    tell(gateway, name)
    with curl(gateway, f"/{name}/logs?follow=true") as client:
        assert client.communicate(timeout=180)[0] == b"done\n"
        assert client.returncode == 0
    operator.finished(name)


def test_a_right_that_is_withdrawn_ends_busy_streams(operator: Operator, gateway: Gateway) -> None:
    name = waiting(operator, gateway, "while sleep 0.02; do echo more; done")
    tell(gateway, name)
    path = f"/{name}/logs?follow=true"
    with (
        curl(gateway, path, "-H", "Accept: text/event-stream") as events,
        curl(gateway, path) as text,
    ):
        gateway.cluster.until("streams", lambda: gateway.metric("cijob_gateway_streams") == 2)
        gateway.cluster.kubectl("delete", "rolebinding", "user", "-n", gateway.namespace)
        output, part = events.communicate(timeout=120)[0], text.communicate(timeout=120)[0]
    [error] = data(output, "error")
    assert error["status"] == 403
    assert part.startswith(b"more\nmore\n")
    assert text.returncode == CUT_SHORT
    gateway.token = service_account(operator.cluster, operator.namespace, "user", *VERBS)
    gateway.ask("POST", gateway.jobs(f"/{name}/cancel"))
    operator.finished(name)
