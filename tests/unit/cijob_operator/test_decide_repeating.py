"""How often and when a job is tried again, and the one that never starts twice."""

from typing import Any

import pytest

from cijob_api.reasons import Phase, Reason
from cijob_api.statuses import Attempt
from cijob_operator.decisions import Decision
from cijob_operator.podviews import PodView
from unit.cijob_operator.builders import (
    NEVER_AGAIN,
    after,
    ago,
    attempt,
    backing_off,
    ended,
    is_running,
    job,
    look,
    reason_of,
    refused,
    running,
    starting,
    status_of,
    template,
)

# -- budgets and backoff ----------------------------------------------------------------------

BACKOFF = [
    ("the first of its own", ended(1), {"own": 0}, 10),
    ("the second doubles", ended(1), {"own": 1}, 20),
    ("the third doubles again", ended(1), {"own": 2}, 40),
    ("never more than five minutes", ended(1), {"own": 9}, 300),
    ("the platform's first", running(gone=True), {"infrastructure": 0}, 1),
    ("the platform's third", running(gone=True), {"infrastructure": 2}, 4),
    ("one budget's backoff knows nothing of the other's", ended(1), {"infrastructure": 5}, 10),
    ("nor the other way round", running(gone=True), {"own": 5}, 1),
]


@pytest.mark.parametrize(("seen", "what", "spent", "seconds"), BACKOFF)
def test_backoff_doubles(seen: str, what: PodView, spent: dict[str, int], seconds: int) -> None:
    retry = {"limit": 20, "infrastructureLimit": 20}
    decision = look(job(retry=retry, status=is_running(retries=spent)), what)
    assert status_of(decision).reason == Reason.BACKING_OFF
    assert decision.again == after(seconds)


BUDGETS = [
    ("the default repeats the platform's failures", {}, running(gone=True), {}, True),
    ("three times", {}, running(gone=True), {"infrastructure": 2}, True),
    ("and no more", {}, running(gone=True), {"infrastructure": 3}, False),
    ("but never the command's own", {}, ended(1), {}, False),
    ("the own limit", {"limit": 2}, ended(1), {"own": 1}, True),
    ("the own limit is spent", {"limit": 2}, ended(1), {"own": 2}, False),
    ("the platform's budget does not count for it", {"limit": 2}, ended(1),
     {"own": 1, "infrastructure": 3}, True),
    ("a spent own budget does not count for the platform", {"limit": 1}, running(gone=True),
     {"own": 1}, True),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "retry", "what", "spent", "again"), BUDGETS)
def test_budgets(
    seen: str, retry: dict[str, int], what: PodView, spent: dict[str, int], *, again: bool
) -> None:
    status = status_of(look(job(retry=retry, status=is_running(retries=spent)), what))
    assert (status.reason == Reason.BACKING_OFF) is again
    assert status.phase.is_final is not again


def test_the_template_s_budget_counts_too() -> None:
    what = job(template="python", status=is_running())
    decision = look(what, ended(1), template=template(retry={"limit": 1}))
    assert status_of(decision).reason == Reason.BACKING_OFF


def test_cancelled_jobs_are_never_repeated() -> None:
    generous: dict[str, Any] = {"retry": {"limit": 9, "infrastructureLimit": 9}}
    what = job(**generous, desiredState="Cancelled", status=is_running())
    for end in (ended(1), running(gone=True)):
        assert status_of(look(what, end)).phase.is_final


def test_the_next_attempt_waits_for_its_backoff_and_no_longer() -> None:
    waits = job(retry={"limit": 1}, status=backing_off(since=2, own=1))
    assert look(waits, admitted=True) == Decision(again=after(8))
    due = look(waits, admitted=True, now=after(8))
    assert due.create is not None
    assert due.create["metadata"]["name"] == "tests-2"


def test_a_job_cancelled_while_it_backs_off_has_no_second_pod() -> None:
    waits = job(retry={"limit": 1}, desiredState="Cancelled", status=backing_off(own=1))
    decision = look(waits, admitted=True, now=after(60))
    assert status_of(decision).phase == Phase.CANCELLED
    assert decision.create is None


def test_a_job_cancelled_while_it_backs_off_is_not_said_to_have_never_run() -> None:
    waits = job(retry={"limit": 1}, desiredState="Cancelled", status=backing_off(own=1))
    assert "before it ran" not in (status_of(look(waits)).message or "")


def test_the_pod_of_a_closed_attempt_that_still_lives_is_deleted() -> None:
    # The status was written, then the API server was away for the delete.
    waits = job(status=backing_off("StartTimedOut", infrastructure=1))
    assert look(waits, starting(created=ago(601))).delete_pods


def test_the_deleted_pod_of_a_closed_attempt_is_no_end_of_another() -> None:
    waits = job(retry={"limit": 1}, status=backing_off(since=60, own=1))
    decision = look(waits, ended(1, gone=True), admitted=True)
    assert decision.create is not None
    assert decision.create["metadata"]["labels"]["cijob.dev/attempt"] == "2"


def test_an_attempt_without_its_pod_is_lost() -> None:
    decision = look(job(status=is_running()), admitted=True)
    assert reason_of(decision) == Reason.POD_LOST
    assert status_of(decision).reason == Reason.BACKING_OFF
    assert decision.create is None


def test_a_lost_attempt_has_no_exit_code() -> None:
    attempts = [attempt(1, "CommandFailed", exitCode=3), attempt(2)]
    known = is_running(2, attempts=attempts, exitCode=3, retries={"own": 1})
    status = status_of(look(job(retry={"limit": 1, "infrastructureLimit": 0}, status=known)))
    assert (status.reason, status.exit_code) == (Reason.POD_LOST, None)


# -- never twice ------------------------------------------------------------------------------

INTENT = {"phase": "Starting", "reason": "Starting", "attempts": [{"number": 1}]}


def test_a_job_that_must_not_start_twice_says_so_before_it_starts() -> None:
    decision = look(job(**NEVER_AGAIN), admitted=True)
    assert decision.intend == 1
    assert decision.create is None
    assert decision.holds_place
    assert status_of(decision).attempts == [Attempt(number=1)]


def test_its_pod_is_created_by_the_process_that_said_so() -> None:
    decision = look(job(**NEVER_AGAIN, status=INTENT), admitted=True, intended=1)
    assert decision.create is not None
    assert decision.status is None


def test_after_a_restart_nobody_knows_whether_it_started() -> None:
    decision = look(job(**NEVER_AGAIN, status=INTENT), admitted=True, intended=0)
    assert decision.create is None
    assert (status_of(decision).phase, status_of(decision).reason) == (Phase.ERROR, Reason.POD_LOST)


def test_its_pod_seen_after_a_restart_is_simply_watched() -> None:
    decision = look(job(**NEVER_AGAIN, status=INTENT), running())
    assert status_of(decision).phase == Phase.RUNNING


def test_an_intent_whose_write_was_refused_is_written_again() -> None:
    decision = look(job(**NEVER_AGAIN), admitted=True, intended=1)
    assert decision.create is None
    assert decision.intend == 1


@pytest.mark.parametrize("what", [running(gone=True), refused("OutOfcpu")])
def test_a_cancelled_job_whose_pod_is_lost_is_cancelled(what: PodView) -> None:
    status = status_of(look(job(desiredState="Cancelled", status=is_running()), what))
    assert (status.phase, status.reason) == (Phase.CANCELLED, Reason.CANCELLED)
