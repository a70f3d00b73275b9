"""Where the time of a job went, from the times that its status has."""

from typing import Any

import pytest

from cijob_api.objects import CIJob
from cijob_gateway.spent import spent

CREATED, ADMITTED, STARTED, ENDED, FINISHED = (f"2026-01-01T12:0{n}:0{n}Z" for n in range(5))
ATTEMPT = {"number": 1, "startTime": STARTED, "completionTime": ENDED}
COLLECTED = {"collection": {"attempt": 1, "state": "Complete"}}


def job(admitted: str = "True", **status: Any) -> CIJob:
    said = {"type": "Admitted", "status": admitted, "reason": "A", "lastTransitionTime": ADMITTED}
    metadata = {"name": "a", "creationTimestamp": CREATED}
    body = {"conditions": [said], "attempts": [ATTEMPT], "completionTime": FINISHED, **status}
    return CIJob.parse({"metadata": metadata, "spec": {}, "status": body})


def test_each_stage_ends_where_the_next_begins() -> None:
    assert spent(job(results=COLLECTED)) == {
        "queued": 61,
        "starting": 61,
        "running": 61,
        "collecting": 61,
    }


def test_a_job_without_results_collected_nothing() -> None:
    assert list(spent(job())) == ["queued", "starting", "running"]


def test_a_collection_of_an_earlier_attempt_says_nothing_of_the_last() -> None:
    second = {**ATTEMPT, "number": 2}
    assert "collecting" not in spent(job(attempts=[ATTEMPT, second], results=COLLECTED))


@pytest.mark.parametrize(
    ("status", "stages"),
    [
        ({"attempts": []}, ["queued"]),
        ({"attempts": [{"number": 1, "completionTime": ENDED}]}, ["queued"]),
        ({"attempts": [{**ATTEMPT, "startTime": "soon"}]}, ["queued"]),
        ({"conditions": []}, ["running"]),
    ],
)
def test_only_what_is_known_is_said(status: dict[str, Any], stages: list[str]) -> None:
    assert list(spent(job(**status))) == stages


def test_a_job_that_was_never_admitted_has_no_stages() -> None:
    assert spent(job("False", attempts=[])) == {}


def test_clocks_that_disagree_are_no_negative_time() -> None:
    early = {**ATTEMPT, "startTime": CREATED}
    assert spent(job(attempts=[early]))["starting"] == 0
