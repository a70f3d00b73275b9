"""When a job with artifacts or reports is finished, row by row, and that its verdict stands."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from cijob_api.reasons import Reason
from cijob_operator.decide import decide
from cijob_operator.decisions import Collecting, Decision, Observation, Policy
from cijob_operator.podviews import PodView
from cijob_operator.verdicts import Ending
from unit.cijob_operator.builders import (
    NOON,
    after,
    agent,
    ago,
    ended,
    is_running,
    job,
    look,
    running,
    status_of,
    stopped,
)

RESULTS: dict[str, Any] = {"artifacts": [{"name": "dist", "path": "dist"}], "script": "make"}
FAILED = Ending(Reason.COMMAND_FAILED, "exit code 1", 1, NOON)
DONE = agent(0, stage="done")
KILLED = agent(137, "OOMKilled", stage="collect")


def waits(
    since: float = 1, *, agent_ended: float | None = None, end: Ending = FAILED
) -> Collecting:
    """The wait for results that began so many seconds ago."""
    until = after(60 - since) if agent_ended is None else after(2 - agent_ended)
    over = agent_ended is not None
    return Collecting("pod-uid-1", 1, end, ago(since), until, agent_ended=over)


def collects(pod: PodView, **facts: Any) -> PodView:
    """The Pod of a job with results; its agent runs unless another is given."""
    return replace(pod, **{"collects": True, "agent": agent(), **facts})


def collected(attempt: int = 1) -> dict[str, Any]:
    """The status once the agent has told the gateway."""
    return is_running(results={"collection": {"attempt": attempt, "state": "Partial"}})


@dataclass(frozen=True)
class Row:
    """A job with results whose container has ended with exit code 1."""

    seen: str
    pod: PodView
    status: dict[str, Any]
    waiting: Collecting | None = None
    until: datetime | None = None  # None: finished now
    words: str = "exit code 1"
    stops: bool = False


ROWS = [
    Row("the container has ended just now", collects(ended(1)), is_running(), None, after(60)),
    Row("the results are still on their way", collects(ended(1)), is_running(), waits(),
        after(59)),
    Row("the results of the attempt before are there", collects(ended(1)), collected(7), waits(),
        after(59)),
    Row("the results are there", collects(ended(1)), collected(), waits()),
    Row("the results were there first", collects(ended(1)), collected()),
    Row("the agent has ended, and its word may come yet", collects(ended(1), agent=DONE),
        is_running(), waits(), after(2)),
    Row("the agent has ended, and its word did not come", collects(ended(1), agent=DONE),
        is_running(), waits(agent_ended=2),
        words="exit code 1; its results were not collected: "
              "the agent ended at stage done, with exit code 0"),
    Row("the agent was killed", collects(ended(1), agent=KILLED), is_running(),
        waits(agent_ended=2),
        words="exit code 1; its results were not collected: "
              "the agent ended at stage collect, with exit code 137 (OOMKilled)"),
    Row("the agent is not done after 60 s", collects(ended(1)), is_running(), waits(60),
        words="exit code 1; its results were not collected: not done after 60 s", stops=True),
    Row("the Pod is gone", collects(ended(1), gone=True), is_running(), waits(),
        words="exit code 1; its results were not collected: the Pod is gone"),
    Row("nothing is to be collected", ended(1, agent=agent()), is_running()),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.seen)
def test_a_job_with_results_is_finished_when_they_are_there_or_will_not_come(row: Row) -> None:
    what = job(**RESULTS, status=row.status)
    decision = decide(Observation(what, pods=(row.pod,), collecting=row.waiting), NOON, Policy())
    if row.until:
        assert decision.collecting is not None
        assert decision == Decision(collecting=decision.collecting, again=row.until)
        assert decision.collecting.until == row.until
        return
    status = status_of(decision)
    assert (status.reason, status.message) == (Reason.COMMAND_FAILED, row.words)
    assert [stop.pod for stop in decision.stops] == ([row.pod] if row.stops else [])
    assert decision.collecting is None


LATER = [
    ("the Pod is being drained", {"deleting": after(20), "disruption": "EvictionByEvictionAPI"}),
    ("the node was lost", {"phase": "Failed", "reason": "NodeLost"}),
    ("the Pod's own deadline came", {"phase": "Failed", "reason": "DeadlineExceeded"}),
    ("the Pod was deleted", {"gone": True, "deleting": after(1)}),
]


@pytest.mark.parametrize(("seen", "facts"), LATER)
@pytest.mark.parametrize("status", [is_running(), collected()], ids=["nothing", "results"])
def test_what_happens_to_the_pod_meanwhile_does_not_change_the_verdict(
    seen: str, facts: dict[str, Any], status: dict[str, Any]
) -> None:
    over = replace(collects(ended(1), agent=DONE), **facts)
    decision = look(job(**RESULTS, status=status), over, collecting=waits(agent_ended=9))
    assert status_of(decision).reason == Reason.COMMAND_FAILED
    assert status_of(decision).exit_code == 1


def test_a_cancel_that_comes_meanwhile_is_too_late() -> None:
    what = job(**RESULTS, status=collected(), desiredState="Cancelled")
    decision = look(what, collects(ended(0)), collecting=waits(end=Ending(Reason.COMPLETED, "", 0)))
    assert status_of(decision).reason == Reason.COMPLETED


def test_a_wait_for_another_pod_is_none() -> None:
    other = replace(waits(), pod_uid="another")
    decision = look(job(**RESULTS, status=is_running()), collects(ended(0)), collecting=other)
    assert decision.collecting is not None
    assert decision.collecting.end.reason == Reason.COMPLETED
    assert decision.again == after(60)


def test_its_place_is_free_while_results_are_collected() -> None:
    assert not look(job(**RESULTS, status=is_running()), collects(ended(0))).holds_place


def test_a_job_that_runs_is_not_waited_for() -> None:
    decision = look(job(**RESULTS, status=is_running()), collects(running()))
    assert decision == Decision(holds_place=True, again=after(3600 - 30))


def test_a_command_that_could_not_start_has_no_results_and_its_agent_is_stopped() -> None:
    pod = collects(ended(128, "StartError", "exec: no such file"))
    decision = look(job(**RESULTS, status=is_running()), pod)
    assert status_of(decision).reason == Reason.CANNOT_START
    assert "results" not in (status_of(decision).message or "")
    assert [stop.reason for stop in decision.stops] == [Reason.CANNOT_START]


def test_a_stopped_job_is_collected_before_its_pod_has_ended() -> None:
    told = collects(ended(143), stop=stopped("Cancelled"), phase="Running")
    before = look(job(**RESULTS, status=is_running()), told)
    assert (before.status, before.collecting) == (None, None)
    over = replace(told, phase="Failed", reason="DeadlineExceeded", agent=DONE)
    decision = look(job(**RESULTS, status=collected()), over)
    assert status_of(decision).reason == Reason.CANCELLED
    assert decision.stops == ()


def test_a_repeated_attempt_waits_for_its_results_as_well() -> None:
    again = job(**RESULTS, status=is_running(), retry={"limit": 1})
    assert look(again, collects(ended(1))).collecting
    late = look(again, collects(ended(1)), collecting=waits(60))
    assert status_of(late).reason == Reason.BACKING_OFF
    assert "not done after 60 s" in (status_of(late).message or "")
    assert len(late.stops) == 1
