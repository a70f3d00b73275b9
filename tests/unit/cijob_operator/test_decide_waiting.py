"""The queue's clock, and waits and starts that are not worth a word."""

from typing import Any

import pytest

from cijob_api.objects import CIJob
from cijob_api.reasons import Phase, Reason
from cijob_api.statuses import CIJobStatus
from cijob_operator.decisions import Decision, Obstacle
from cijob_operator.podviews import PodView
from cijob_operator.times import format_time
from unit.cijob_operator.builders import (
    NOON,
    after,
    ago,
    backing_off,
    ended,
    job,
    look,
    pod,
    starting,
    status_of,
    template,
    wanted,
)

# -- the queue's clock ------------------------------------------------------------------------


def test_suspension_stops_the_clock_of_the_queue() -> None:
    status = status_of(look(job(suspend=True, created=50)))
    assert status.waited
    assert (status.waited.seconds, status.waited.since) == (50, None)


SUSPENDED = {
    "phase": "Queued",
    "reason": "Suspended",
    "message": "suspend is true; set it to false to have the job run",
    "waited": {"seconds": 50},
}


def test_a_suspended_job_waits_for_ever() -> None:
    decision = look(job(suspend=True, queueTimeoutSeconds=60, created=9999, status=SUSPENDED))
    assert decision == Decision()


def test_a_resumed_job_has_left_what_it_had_left() -> None:
    decision = look(
        job(queueTimeoutSeconds=60, created=9999, status=SUSPENDED),
        passed_over="all places are taken",
    )
    status = status_of(decision)
    assert status.reason == Reason.WAITING_FOR_CAPACITY
    assert status.waited
    assert (status.waited.seconds, status.waited.since) == (50, format_time(NOON))
    assert decision.again == after(10)


def test_a_job_created_suspended_and_resumed_is_in_the_queue_s_time_again() -> None:
    fresh = {"phase": "Queued", "reason": "Suspended", "waited": {"seconds": 0}}
    waits = job(queueTimeoutSeconds=60, created=9999, status=fresh)
    decision = look(waits, passed_over="all places are taken", now=after(1000))
    assert status_of(decision).reason != Reason.SUSPENDED


def test_a_suspended_job_without_its_template_is_suspended() -> None:
    decision = look(job(suspend=True, template="python", queueTimeoutSeconds=60))
    assert status_of(decision).reason == Reason.SUSPENDED


def test_a_job_created_before_our_clock_s_now_can_be_suspended() -> None:
    status = status_of(look(job(suspend=True, created=-3)))
    assert status.waited
    assert status.waited.seconds == 0


def test_a_backoff_is_no_wait_in_the_queue() -> None:
    patient: dict[str, Any] = {
        "retry": {"limit": 1, "backoffSeconds": 300},
        "queueTimeoutSeconds": 60,
    }
    waits = job(**patient, status=backing_off(since=61, own=1))
    assert look(waits, admitted=True).status is None


def test_a_backoff_outlives_a_suspension() -> None:
    status = backing_off(since=2, own=1) | {"reason": "Suspended", "waited": {"seconds": 2}}
    assert look(job(retry={"limit": 1}, status=status), admitted=True).create is None


# -- groups: whoever is not over may be superseded --------------------------------------------

TAKES: dict[str, Any] = {"concurrency": {"group": "deploy", "supersede": True}}
QUOTA = Obstacle(Reason.QUOTA_EXCEEDED, "exceeded quota", after(15))


@pytest.mark.parametrize(
    ("decision", "takes"),
    [
        (look(job(suspend=True, **TAKES)), False),
        (look(job(template="none", **TAKES)), False),
        (look(job(pool="moon", **TAKES)), False),
        (look(job(retry={"limit": 1}, status=backing_off(own=1), **TAKES)), True),
        (look(job(suspend=True, status=backing_off(own=1), **TAKES)), True),
        (look(job(**TAKES), admitted=True, obstacle=QUOTA), True),
    ],
)
def test_who_cannot_start_stays_in_its_group_and_supersedes_once_it_had_its_turn(
    decision: Decision, *, takes: bool
) -> None:
    assert decision.wants is None
    assert decision.stays
    assert (decision.stays.group, decision.stays.pools) == ("deploy", ())
    assert decision.stays.supersedes == takes


def test_the_group_of_a_template_counts_too() -> None:
    decision = look(job(suspend=True, template="python"), template=template(**TAKES))
    assert decision.stays
    assert decision.stays.group == "deploy"


def test_one_that_backs_off_ends_when_it_is_superseded() -> None:
    waits = job(retry={"limit": 1}, status=backing_off(own=1), **TAKES)
    status = status_of(look(waits, superseded_by="newer"))
    assert (status.phase, status.reason) == (Phase.CANCELLED, Reason.SUPERSEDED)


# -- quiet starts -----------------------------------------------------------------------------


@pytest.mark.parametrize("what", [pod(created=ago(4)), starting(created=ago(4))])
def test_a_pod_younger_than_5_seconds_is_not_written_about(what: PodView) -> None:
    assert look(job(), what) == Decision(holds_place=True, again=after(1))


def test_a_job_that_ends_before_it_was_written_about_gets_its_end_only() -> None:
    status = status_of(look(job(), ended(0)))
    assert status.phase == Phase.SUCCEEDED
    assert status.start_time == format_time(ago(30))
    assert status.duration == "30s"


def test_a_short_wait_for_a_place_is_not_written_about() -> None:
    decision = look(job(created=4), passed_over="all places are taken")
    assert decision == Decision(wants=wanted(decision), again=after(1))


def test_nor_is_a_wait_that_the_queue_was_not_asked_about_yet() -> None:
    decision = look(job(created=60))
    assert decision.status is None
    assert decision.wants


def test_the_flapping_words_of_a_pull_are_written_once() -> None:
    first = status_of(look(job(), starting("ErrImagePull", "manifest unknown")))
    known = job(status=first.model_dump(by_alias=True, mode="json", exclude_none=True))
    decision = look(known, starting("ImagePullBackOff", "Back-off pulling image"))
    assert decision.status is None


def said(status: CIJobStatus) -> CIJob:
    """The job after that status was written."""
    return job(status=status.model_dump(by_alias=True, mode="json", exclude_none=True))


def test_the_same_words_are_written_once() -> None:
    known = said(status_of(look(job(), pod(unschedulable="0/3 nodes"))))
    decision = look(known, pod(unschedulable="0/3 nodes"))
    assert decision == Decision(holds_place=True, again=after(600 - 60))


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        (pod(unschedulable="0/3 nodes"), pod(unschedulable="0/4 nodes")),
        (
            starting("CreateContainerConfigError", 'secret "a" not found'),
            starting("CreateContainerConfigError", 'secret "b" not found'),
        ),
    ],
)
def test_other_words_under_the_same_reason_are_written_every_30_seconds_at_most(
    before: PodView, changed: PodView
) -> None:
    known = said(status_of(look(job(), before)))
    early = look(known, changed, told=ago(20))
    assert (early.status, early.again) == (None, after(10))
    assert status_of(look(known, changed, told=ago(30))).message != known.status.message
    assert status_of(look(known, changed)).message != known.status.message  # after a restart


def test_how_many_others_wait_is_no_news() -> None:
    known = said(status_of(look(job(), passed_over="all places are taken; 3 jobs wait")))
    assert look(known, passed_over="all places are taken; 99 jobs wait").status is None


def test_a_long_message_that_was_shortened_is_not_written_again() -> None:
    long = "0/3 nodes: " + "x" * 4000
    known = said(status_of(look(job(), pod(unschedulable=long))))
    assert look(known, pod(unschedulable=long)).status is None


def test_an_obstacle_holds_until_its_time_and_then_the_job_tries_again() -> None:
    quota = Obstacle(Reason.QUOTA_EXCEEDED, "exceeded quota", after(15))
    known = job(status={"phase": "Queued", "reason": "QuotaExceeded"})
    assert look(known, admitted=True, obstacle=quota).create is None
    assert look(known, admitted=True, obstacle=quota, now=after(15)).create is not None


def test_a_starting_pod_on_a_lost_node_is_looked_at_when_the_node_had_to_obey() -> None:
    decision = look(job(), starting(created=ago(2), deleting=after(30)), now=NOON)
    assert decision.again is not None
    assert decision.again <= after(30 + 120)
    later_on = look(job(), starting(created=ago(60), deleting=after(30)), now=NOON)
    assert later_on.again is not None
    assert later_on.again <= after(30 + 120)
