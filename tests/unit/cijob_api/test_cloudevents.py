"""The events of a job: stable ids, the cluster's times, and what a failure brings along."""

from typing import Any

import pytest

from cijob_api import cloudevents
from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_api.statuses import Attempt

T0, T1, T2 = (f"2026-01-01T00:00:0{n}Z" for n in range(3))
NANO = "2026-01-01T00:00:01.000000005Z"


def job(**status: Any) -> CIJob:
    return CIJob.parse(
        {
            "metadata": {
                "name": "mine",
                "namespace": "team",
                "uid": "u-1",
                "creationTimestamp": T0,
                "annotations": {"cijob.dev/submitter": "ann"},
            },
            "spec": {"templateRef": {"name": "test"}},
            "status": {"completionTime": T2, **status},
        }
    )


def test_an_event_is_as_cloudevents_1_0_says() -> None:
    assert cloudevents.queued(job()).as_json() == {
        "specversion": "1.0",
        "id": "u-1.queued",
        "source": "/apis/cijob.dev/v1alpha1/namespaces/team/cijobs/mine",
        "type": "dev.cijob.job.queued",
        "time": T0,
        "subject": "mine",
        "datacontenttype": "application/json",
        "data": {"job_id": "mine", "template": "test", "submitter": "ann"},
    }


def test_each_attempt_starts_and_is_repeated_under_its_number() -> None:
    attempt = Attempt(number=2, start_time=T1, completion_time=T2, exit_code=3, reason="R")
    started, retrying = cloudevents.started(job(), attempt), cloudevents.retrying(job(), attempt)
    assert (started.id, started.time) == ("u-1.started.2", T1)
    assert (retrying.id, retrying.time, retrying.data["exit_code"]) == ("u-1.retrying.2", T2, 3)


@pytest.mark.parametrize(
    ("phase", "kind"),
    [
        ("Succeeded", "succeeded"),
        ("Failed", "failed"),
        ("Error", "failed"),
        ("Cancelled", "cancelled"),
    ],
)
def test_every_end_has_its_event(phase: str, kind: str) -> None:
    event = cloudevents.finished(job(phase=phase, exitCode=1), ["line"])
    assert (event.id, event.kind, event.time) == ("u-1.finished", kind, T2)
    assert ("details" in event.data) == (kind == "failed")


@pytest.mark.parametrize(("lines", "kept"), [(0, 0), (1, 1), (99, 99), (100, 100), (101, 100)])
def test_a_failure_brings_the_last_100_lines_of_its_log(lines: int, kept: int) -> None:
    tail = [f"line {n}" for n in range(lines)]
    data = cloudevents.finished(job(phase="Failed", message="exit code 1", exitCode=1), tail).data
    assert data == {
        "job_id": "mine",
        "phase": "Failed",
        "reason": None,
        "exit_code": 1,
        "error": "exit code 1",
        "details": tail[-kept:] if kept else [],
    }


@pytest.mark.parametrize(
    "text", ["plain", "", "{", '{"no": "type"}', '{"type": 1}', "[1]", "{" * 10_000, '"type"']
)
def test_any_other_line_is_its_text(text: str) -> None:
    event = cloudevents.line(job(), LineId.parse(f"1.{NANO}.0"), f"{text}\n")
    assert (event.kind, event.id, event.time) == ("log", f"u-1.1.{NANO}.0", NANO)
    assert event.data == {"job_id": "mine", "attempt": 1, "line": text}


def test_an_object_with_a_type_is_the_jobs_own_event() -> None:
    event = cloudevents.line(job(), LineId.parse(f"1.{NANO}.0"), '{"type": "step", "n": 1}\n')
    assert (event.kind, event.data) == ("output", {"type": "step", "n": 1})


CLOSED = {"number": 1, "startTime": T1, "completionTime": T1, "exitCode": 7, "reason": "R"}
OPEN = {"number": 2, "startTime": T2}
LIVES: list[tuple[dict[str, Any], list[str]]] = [
    ({"completionTime": None}, ["queued"]),
    ({"phase": "Starting", "attempts": [{"number": 1}]}, ["queued"]),
    ({"phase": "Running", "attempts": [{"number": 1, "startTime": T1}]}, ["queued", "started.1"]),
    ({"phase": "Queued", "attempts": [CLOSED]}, ["queued", "started.1", "retrying.1"]),
    (
        {"phase": "Running", "attempts": [CLOSED, OPEN]},
        ["queued", "started.1", "retrying.1", "started.2"],
    ),
    (
        {"phase": "Failed", "attempts": [CLOSED, {**OPEN, "completionTime": T2}]},
        ["queued", "started.1", "retrying.1", "started.2", "finished"],
    ),
    # It was lost before it ran, and cancelled while it waited for another try.
    ({"phase": "Queued", "attempts": [{"number": 1, "completionTime": T1}]},
     ["queued", "retrying.1"]),
    ({"phase": "Cancelled", "attempts": [CLOSED]}, ["queued", "started.1", "finished"]),
    # Ten attempts are remembered.
    (
        {"phase": "Running", "attempts": [{**CLOSED, "number": 11}, {**OPEN, "number": 12}]},
        ["queued", "started.11", "retrying.11", "started.12"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("status", "places"), LIVES)
def test_a_status_tells_the_whole_history(status: dict[str, Any], places: list[str]) -> None:
    events = cloudevents.history(job(**status))
    assert [event.id for event in events] == [f"u-1.{place}" for place in places]
