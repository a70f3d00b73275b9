"""Events are few, and nobody waits for them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from cijob_kube import events
from cijob_kube.errors import AlreadyExists, Denied, LeaseLost, Unavailable
from cijob_kube.events import MESSAGE_LENGTH, Event, Events, Subject, composed

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = Subject("cijob.dev/v1alpha1", "CIJob", "team", "tests", "uid-1")
OTHER = Subject("cijob.dev/v1alpha1", "CIJob", "team", "tests", "uid-2")


class Store:
    """Events with the API server's own rule on names; `error` is its answer to every create."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.events: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []

    async def get(self, path: str) -> dict[str, Any]:
        self.asked.append("get")
        return self.events[path]

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append("create")
        if self.error:
            raise self.error
        name = f"{path}/{body['metadata']['name']}"
        if name in self.events:
            raise AlreadyExists(409, "AlreadyExists", "there is one")
        self.events[name] = body
        return body

    async def patch(self, path: str, body: dict[str, Any], *, manager: str) -> dict[str, Any]:
        self.asked.append("patch")
        self.events[path] |= body
        return self.events[path]


def send(store: Store, *told: tuple[Subject, Event]) -> None:
    """Have all of these sent, and the lease lost behind the last one."""
    leads = iter([*[True] * len(told), False])

    def check() -> None:
        if not next(leads):
            raise LeaseLost("another leads")

    sender = Events(store, "cijob-operator", check=check, now=lambda: NOON)
    for subject, event in [*told, told[-1]]:
        sender.tell(subject, event)
    with pytest.raises(LeaseLost):
        asyncio.run(sender.run())


def test_the_smallest_event() -> None:
    body = composed(JOB, Event("Running", "runs"), component="cijob-operator", now=NOON)
    assert body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "tests.7ca31a68a61900c0", "namespace": "team"},
        "involvedObject": {
            "apiVersion": "cijob.dev/v1alpha1",
            "kind": "CIJob",
            "namespace": "team",
            "name": "tests",
            "uid": "uid-1",
        },
        "reason": "Running",
        "message": "runs",
        "type": "Normal",
        "count": 1,
        "firstTimestamp": "2026-01-01T12:00:00Z",
        "lastTimestamp": "2026-01-01T12:00:00Z",
        "source": {"component": "cijob-operator"},
        "reportingComponent": "cijob-operator",
    }


def test_a_message_is_as_long_as_the_api_server_takes_it() -> None:
    body = composed(JOB, Event("Running", "x" * 5000), component="c", now=NOON)
    assert len(body["message"]) == MESSAGE_LENGTH


def test_the_same_again_counts_up_and_has_the_last_words() -> None:
    store = Store()
    told = [(JOB, Event("BackingOff", f"attempt {n}", warning=True)) for n in (1, 2, 3)]
    send(store, *told)
    (event,) = store.events.values()
    assert (event["count"], event["message"], event["type"]) == (3, "attempt 3", "Warning")
    assert store.asked == ["create", *["create", "get", "patch"] * 2]


def test_another_reason_another_job_and_another_component_are_other_events() -> None:
    made = {
        composed(subject, Event(reason, ""), component=component, now=NOON)["metadata"]["name"]
        for subject in (JOB, OTHER)
        for reason in ("Running", "Completed")
        for component in ("cijob-operator", "cijob-archiver")
    }
    assert len(made) == 8


@pytest.mark.parametrize(
    "error", [Denied(403, "Forbidden", "no"), Unavailable(0, "", "away")], ids=str
)
def test_what_cannot_be_sent_is_left_out_and_said(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(error)
    send(store, (JOB, Event("Running", "")), (JOB, Event("Completed", "")))
    assert store.asked == ["create", "create"]
    assert [record.getMessage() for record in caplog.records] == [
        f"an Event was not sent: {error}"
    ] * 2


def test_telling_never_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "WAITING", 2)
    sender = Events(Store(), "c")  # nothing is sent: `run` does not run
    for _ in range(3):
        sender.tell(JOB, Event("Running", ""))
    assert [record.getMessage() for record in caplog.records] == [
        "an Event is left out: 2 others wait"
    ]


def test_who_does_not_lead_sends_nothing() -> None:
    store = Store()
    send(store, (JOB, Event("Running", "")))
    assert store.asked == ["create"]  # of two that were told
