"""What becomes of a job after its end, and of one that is being deleted."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from cijob_api.reasons import Phase
from cijob_operator.decisions import Decision, Policy
from cijob_operator.podviews import ContainerView, PodView
from cijob_operator.times import format_time
from unit.cijob_operator.builders import (
    after,
    ago,
    ended,
    job,
    look,
    pod,
    refused,
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


ARCHIVED = {"results": {"logs": {"lines": 3, "complete": True}}}


@pytest.mark.parametrize(
    ("status", "what", "deleted", "again"),
    [
        (done(seconds=10), ended(0), False, 600 - 10),
        (done(seconds=10), running(deleting=after(3)), False, 600 - 10),
        (done(seconds=10), None, False, 86400 - 10),
        (done(seconds=600), ended(0), True, 86400 - 600),
        (done(seconds=10) | ARCHIVED, ended(0), True, 86400 - 10),
        (done("CommandFailed", "Failed") | ARCHIVED, ended(1), True, 604800 - 10),
        (done(seconds=10) | ARCHIVED, refused("Evicted"), True, 86400 - 10),
        (done(seconds=10) | ARCHIVED, ended(0, deleting=after(3)), False, 86400 - 10),
        (done(seconds=10) | ARCHIVED, ended(0, gone=True), False, 86400 - 10),
        (done(seconds=10) | ARCHIVED, None, False, 86400 - 10),
    ],
    ids=[
        "its log is not kept yet",
        "what still ran is going",
        "it never had a Pod",
        "nobody has kept its log in time",
        "its log is kept",
        "it failed, and its log is kept",
        "evicted, and what there is of its log is kept",
        "it is being deleted already",
        "it is gone already",
        "there is none any more",
    ],
)
def test_with_an_archiver_a_finished_pod_goes_once_its_log_is_kept(
    status: dict[str, Any], what: PodView | None, *, deleted: bool, again: float
) -> None:
    pods = (what,) if what else ()
    decision = look(job(status=status), *pods, policy=Policy(archive_grace_seconds=600))
    assert decision.delete_pods == (pods if deleted else ())
    assert decision.again == after(again)


def test_the_pods_of_all_attempts_go() -> None:
    both = (ended(1), ended(0, attempt=2))
    decision = look(job(status=done() | ARCHIVED), *both, policy=Policy(archive_grace_seconds=1))
    assert decision.delete_pods == both


def test_a_pod_goes_with_its_job_and_not_before() -> None:
    finished = job(ttlSecondsAfterFinished={"succeeded": 5}, status=done() | ARCHIVED)
    decision = look(finished, ended(0), policy=Policy(archive_grace_seconds=1))
    assert (decision.delete_job, decision.delete_pods) == (True, ())


@pytest.mark.parametrize(
    ("status", "pods", "deleted", "again"),
    [
        (done(seconds=10), (ended(0),), False, after(590)),
        (done(seconds=10) | ARCHIVED, (ended(0),), True, None),
        (done(seconds=600), (ended(0),), True, None),
        (done(seconds=10), (), True, None),
    ],
    ids=["its log is not kept yet", "it is kept", "nobody kept it in time", "there is no Pod"],
)
def test_a_job_outlives_its_time_until_its_log_is_kept(
    status: dict[str, Any], pods: tuple[PodView, ...], *, deleted: bool, again: datetime | None
) -> None:
    finished = job(ttlSecondsAfterFinished={"succeeded": 0}, status=status)
    decision = look(finished, *pods, policy=Policy(archive_grace_seconds=600))
    assert decision == Decision(delete_job=deleted, again=again)


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
