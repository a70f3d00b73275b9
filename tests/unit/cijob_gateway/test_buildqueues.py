"""How long the queue of build jobs is."""

from typing import Any

import pytest

from cijob_api.objects import CIJob
from cijob_gateway.buildqueues import queue_status, status_of
from cijob_gateway.waits import Wait

Json = dict[str, Any]


def job(name: str, phase: str = "Queued", architecture: str = "x86_64") -> Json:
    metadata = {
        "name": name,
        "namespace": "ci",
        "uid": name,
        "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z",
    }
    source = {"git": {"url": "https://a.example/b", "ref": "main"}}
    spec = {"templateRef": {"name": "build"}, "source": source, "architecture": architecture}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase}}


def waits(**seconds: int | None) -> dict[str, Wait]:
    return {name: Wait("ci", name, "words", "default", 1, wait) for name, wait in seconds.items()}


def test_nobody_waits_where_nothing_is() -> None:
    assert queue_status([], {}).model_dump() == {
        "total_queued": 0,
        "total_building": 0,
        "jobs_by_architecture": {},
        "estimated_wait_time_seconds": 0,
    }


def test_the_wait_is_that_of_the_last_one() -> None:
    jobs = [job("b1"), job("b2"), job("b3", "Running"), job("b4", "Succeeded")]
    assert queue_status(jobs, waits(b1=300, b2=600)).model_dump() == {
        "total_queued": 2,
        "total_building": 1,
        "jobs_by_architecture": {"x86_64": 2},
        "estimated_wait_time_seconds": 600,
    }


@pytest.mark.parametrize("known", [{}, {"b1": None, "b2": None}])
def test_jobs_that_no_pool_takes_wait_for_a_server_that_takes_all(known: Json) -> None:
    assert queue_status([job("b1"), job("b2")], waits(**known)).estimated_wait_time_seconds == 600


def test_one_that_is_being_cancelled_does_not_wait() -> None:
    going = job("b2")
    going["spec"]["desiredState"] = "Cancelled"
    assert queue_status([job("b1"), going], waits(b1=300)).model_dump() == {
        "total_queued": 1,
        "total_building": 0,
        "jobs_by_architecture": {"x86_64": 1},
        "estimated_wait_time_seconds": 300,
    }


def test_other_jobs_do_not_count() -> None:
    other = {"metadata": {"name": "o1"}, "spec": {"image": "x"}, "status": {"phase": "Queued"}}
    assert queue_status([other], {}).total_queued == 0


def test_two_spellings_of_a_processor_are_counted_by_the_older_one() -> None:
    jobs = [job("b2", architecture="amd64"), job("b1"), job("b3", architecture="arm64")]
    assert queue_status(jobs, {}).jobs_by_architecture == {"x86_64": 2, "arm64": 1}


@pytest.mark.parametrize(("phase", "told"), [("Queued", True), ("Running", False)])
def test_the_queue_is_told_of_while_the_job_is_in_it(phase: str, *, told: bool) -> None:
    found = status_of(CIJob.parse(job("b1", phase)), queue_status([job("b1")], waits(b1=300)))
    info = found.model_dump()["queue_info"]
    assert info == ({"total_queued": 1, "estimated_wait_seconds": 300} if told else None)
