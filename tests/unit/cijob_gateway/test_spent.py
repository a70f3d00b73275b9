"""Where the time of a job went, from what its status has."""

from typing import Any

import pytest

from cijob_api.objects import CIJob
from cijob_gateway.spent import spent

CREATED, ADMITTED, STARTED, ENDED, FINISHED = (f"2026-01-01T12:0{n}:0{n}Z" for n in range(5))
ATTEMPT = {"number": 1, "startTime": STARTED, "completionTime": ENDED}
COLLECTED = {"collection": {"attempt": 1, "state": "Complete"}}
SAID = {"startingSeconds": 1, "pullingSeconds": 60, "fetchingSeconds": 2, "runningSeconds": 59}


def job(admitted: str = "True", **status: Any) -> CIJob:
    said = {"type": "Admitted", "status": admitted, "reason": "A", "lastTransitionTime": ADMITTED}
    metadata = {"name": "a", "creationTimestamp": CREATED}
    body = {"conditions": [said], "attempts": [ATTEMPT], "completionTime": FINISHED, **status}
    return CIJob.parse({"metadata": metadata, "spec": {}, "status": body})


def test_each_stage_ends_where_the_next_begins() -> None:
    parts = spent(job(attempts=[{**ATTEMPT, "spent": SAID}], results=COLLECTED))
    assert parts == {
        "queued": 61,
        "starting": 1,
        "pulling": 60,
        "fetching": 2,
        "running": 59,
        "collecting": 61,
    }
    assert list(parts) == ["queued", "starting", "pulling", "fetching", "running", "collecting"]
    assert sum(parts.values()) == 4 * 60 + 4  # from its creation to its end


def test_what_took_no_time_or_is_not_known_is_not_there() -> None:
    said = {"startingSeconds": 61, "runningSeconds": 61}
    parts = spent(job(attempts=[{**ATTEMPT, "spent": said}]))
    assert parts == {"queued": 61, "starting": 61, "running": 61}


def test_all_that_went_before_the_last_attempt_is_one_figure() -> None:
    first = {"number": 1, "startTime": CREATED, "completionTime": "2026-01-01T12:00:31Z"}
    last = {**ATTEMPT, "number": 2, "spent": SAID}
    parts = spent(job(attempts=[{**first, "spent": SAID}, last]))
    assert list(parts.items())[:2] == [("earlierAttempts", 31), ("queued", 30)]
    assert sum(parts.values()) == 3 * 60 + 3  # to the end of the last one


def test_an_attempt_that_begins_after_one_that_ended_knows_of_that() -> None:
    first = {"number": 1, "completionTime": "2026-01-01T12:00:31Z", "spent": SAID}
    parts = spent(job(attempts=[first, {"number": 2}], completionTime=None))
    assert parts == {"earlierAttempts": 31, "queued": 30}


def test_one_whose_pod_was_lost_ran_until_then() -> None:
    said = {"startingSeconds": 61}
    assert spent(job(attempts=[{**ATTEMPT, "spent": said}]))["running"] == 61


def test_one_that_runs_has_not_run_for_a_known_time() -> None:
    said = {"startingSeconds": 1, "pullingSeconds": 60}
    runs = {"number": 1, "startTime": STARTED, "spent": said}
    parts = spent(job(attempts=[runs], completionTime=None))
    assert parts == {"queued": 61, "starting": 1, "pulling": 60}


def test_a_job_that_never_had_a_pod_was_queued_until_its_end() -> None:
    assert spent(job("False", attempts=[])) == {"queued": 4 * 60 + 4}
    assert spent(job("False", attempts=[], completionTime=None)) == {}


# -- jobs of a version before, whose attempts say nothing of it -----------------------------------


def test_an_older_job_has_the_stages_that_its_times_know() -> None:
    assert spent(job(results=COLLECTED)) == {
        "queued": 61,
        "starting": 61,
        "running": 61,
        "collecting": 61,
    }
    two = [{"number": 1, "completionTime": "2026-01-01T12:00:31Z"}, {**ATTEMPT, "number": 2}]
    assert spent(job(attempts=two)) == {"queued": 61, "starting": 61, "running": 61}


def test_a_job_without_results_collected_nothing() -> None:
    assert list(spent(job())) == ["queued", "starting", "running"]


def test_a_collection_of_an_earlier_attempt_says_nothing_of_the_last() -> None:
    second = {**ATTEMPT, "number": 2}
    assert "collecting" not in spent(job(attempts=[ATTEMPT, second], results=COLLECTED))


@pytest.mark.parametrize(
    ("status", "stages"),
    [
        ({"attempts": [{"number": 1, "completionTime": ENDED}]}, ["queued"]),
        ({"attempts": [{**ATTEMPT, "startTime": "soon"}]}, ["queued"]),
        ({"attempts": [{**ATTEMPT, "startTime": "2026-01-01"}]}, ["queued"]),
        ({"conditions": []}, ["running"]),
    ],
)
def test_only_what_is_known_is_said(status: dict[str, Any], stages: list[str]) -> None:
    assert list(spent(job(**status))) == stages


def test_clocks_that_disagree_are_no_negative_time() -> None:
    early = {**ATTEMPT, "startTime": CREATED}
    assert spent(job(attempts=[early]))["starting"] == 0
