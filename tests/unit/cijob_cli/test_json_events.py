"""`--json-events`: one CloudEvent a line on stdout, nothing else; and a stream that was cut."""

import json

import pytest

from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import Loopback, event

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("project")]


def cloudevent(kind: str, identity: str, **data: object) -> bytes:
    content = {"id": identity, "type": f"dev.cijob.job.{kind}", "data": data}
    return event("cloudevent", content, identity)


QUEUED = cloudevent("queued", "u.queued")
LINE = cloudevent("log", "u.1.2026-01-01T12:00:00.000000000Z.0", line="hello")
FAILED = cloudevent("failed", "u.finished", phase="Error", error="no", exit_code=None)


def kinds(out: str) -> list[str]:
    return [json.loads(line)["type"].rpartition(".")[2] for line in out.splitlines()]


def test_each_event_is_a_line_and_the_end_is_the_exit_code(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[QUEUED, LINE, FAILED]]
    ended = ci("submit", "test", "--json-events")
    assert (ended.code, kinds(ended.out)) == (3, ["queued", "log", "failed"])
    assert "ci: Error" in ended.err
    assert gateway.asked("GET", "events")


def test_after_a_cut_it_goes_on_behind_the_last_event(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[QUEUED, LINE], [LINE, cloudevent("succeeded", "u.finished")]]
    ended = ci("run", "--no-source", "--json-events", "--", "true")
    assert (ended.code, kinds(ended.out)) == (0, ["queued", "log", "succeeded"])
    resumed = gateway.asked("GET", "events")[-1]
    assert resumed.headers["last-event-id"].endswith("000Z.0")


def test_wait_begins_where_it_is_told(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[cloudevent("cancelled", "u.finished", phase="Cancelled")]]
    ci("submit", "test", "--async")
    ended = ci("wait", "test-01", "--from", "now", "--json-events")
    assert (ended.code, kinds(ended.out)) == (6, ["cancelled"])
    assert gateway.asked("GET", "events")[-1].query == {"from": "now"}


def test_it_contradicts_async(ci: CI) -> None:
    ended = ci("submit", "test", "--json-events", "--async")
    assert (ended.code, ended.out) == (2, "")
