"""What becomes of a job after its end, and of one that is being deleted."""

from dataclasses import replace
from typing import Any

import pytest

from cijob_api.reasons import Phase
from cijob_operator.decisions import Decision
from cijob_operator.podviews import ContainerView, PodView
from cijob_operator.times import format_time
from unit.cijob_operator.builders import (
    after,
    ago,
    ended,
    job,
    look,
    pod,
    running,
    starting,
    status_of,
    template,
)

# -- after the end ----------------------------------------------------------------------------


def done(
    reason: str = "Completed", phase: str = "Succeeded", seconds: float = 10
) -> dict[str, Any]:
    return {"phase": phase, "reason": reason, "completionTime": format_time(ago(seconds))}


def test_a_finished_job_is_kept_for_its_time_and_its_pods_with_it() -> None:
    decision = look(job(status=done()), ended(0))
    assert decision == Decision(again=after(86400 - 10))


def test_a_failed_job_is_kept_for_a_week() -> None:
    decision = look(job(status=done("CommandFailed", "Failed")))
    assert decision.again == after(604800 - 10)


@pytest.mark.parametrize(
    ("ttl", "status", "deleted"),
    [
        ({"succeeded": 10}, done(), True),
        ({"succeeded": 11}, done(), False),
        ({"succeeded": 10}, done("CommandFailed", "Failed"), False),
        ({"failed": 10}, done("PodLost", "Error"), True),
        ({"failed": 10}, done("Cancelled", "Cancelled"), True),
        ({"failed": 0}, done("CommandFailed", "Failed", 0), True),
    ],
)
def test_its_time_to_live_is_by_its_result(
    ttl: dict[str, int], status: dict[str, Any], *, deleted: bool
) -> None:
    decision = look(job(ttlSecondsAfterFinished=ttl, status=status))
    assert decision.delete_job is deleted
    assert decision.status is None


def test_the_template_s_time_to_live_counts_too() -> None:
    kept = template(ttlSecondsAfterFinished={"succeeded": 10})
    assert look(job(template="python", status=done()), template=kept).delete_job


@pytest.mark.parametrize(
    "what",
    [running(), ended(1), running(gone=True), starting(created=ago(999)), pod(attempt=2)],
)
def test_a_finished_job_is_never_reopened(what: PodView) -> None:
    decision = look(job(retry={"limit": 9}, status=done()), what, admitted=True)
    assert (decision.status, decision.create, decision.stops) == (None, None, ())


def test_what_still_runs_of_a_finished_job_is_deleted_once() -> None:
    assert look(job(status=done()), running()).delete_pods == (running(),)
    assert look(job(status=done()), running(deleting=after(30))).delete_pods == ()


def test_a_finished_job_without_the_time_of_its_end_goes_as_well() -> None:
    decision = look(job(status={"phase": "Succeeded", "reason": "Completed"}))
    assert decision.again == after(86400)


@pytest.mark.parametrize("what", [(), (running(),), (ended(1),), (pod(),)])
def test_a_job_that_is_being_deleted_is_left_alone(what: tuple[PodView, ...]) -> None:
    decision = look(job(deleted=True), *what, admitted=True)
    assert replace(decision, holds_place=False) == Decision()


def test_the_pod_of_a_job_that_is_being_deleted_still_takes_its_place() -> None:
    assert look(job(deleted=True), running(deleting=after(30))).holds_place


def test_a_container_that_has_not_said_anything_is_starting() -> None:
    decision = look(job(), pod(node="node-1", container=ContainerView()))
    assert status_of(decision).phase == Phase.STARTING
