"""Who was first: the command, we, or the platform; and how we stop what runs."""

from dataclasses import replace
from typing import Any

import pytest

from cijob_api.reasons import Phase, Reason
from cijob_operator.decisions import Decision, Stop
from cijob_operator.podviews import AgentView, ContainerView, Ended, PodView
from unit.cijob_operator.builders import (
    NOON,
    after,
    agent,
    ago,
    backing_off,
    ended,
    is_running,
    job,
    look,
    pod,
    reason_of,
    refused,
    running,
    starting,
    status_of,
    stopped,
)

DEADLINE: dict[str, Any] = {"phase": "Failed", "reason": "DeadlineExceeded"}


# -- who was first -----------------------------------------------------------------------------

PRECEDENCE: list[tuple[str, PodView, Reason]] = [
    ("we cancelled, the Pod says so: exit 0 counts no more",
     ended(0, stop=stopped("Cancelled"), **DEADLINE), Reason.CANCELLED),
    ("we cancelled, the Pod says so: nor does an OOM kill",
     ended(137, "OOMKilled", stop=stopped("Cancelled"), **DEADLINE), Reason.CANCELLED),
    ("we timed it out, the Pod says so: exit 0 counts no more",
     ended(0, stop=stopped("TimedOut"), **DEADLINE), Reason.TIMED_OUT),
    ("cancelled, but the command had just ended: exit 0 stays",
     ended(0, stop=stopped("Cancelled"), phase="Succeeded"), Reason.COMPLETED),
    ("cancelled, but the command had just ended: exit 3 stays",
     ended(3, stop=stopped("Cancelled"), phase="Failed"), Reason.COMMAND_FAILED),
    ("timed out, but the command had just been killed for memory",
     ended(137, "OOMKilled", stop=stopped("TimedOut"), phase="Failed"), Reason.OOM_KILLED),
    ("cancelled, and somebody deleted the Pod", running(stop=stopped("Cancelled"), gone=True),
     Reason.CANCELLED),
    ("ended, and the Pod's phase never came",
     ended(143, stop=stopped("Cancelled", 41)), Reason.CANCELLED),
    ("cancelled, and the node answers no more",
     running(stop=stopped("Cancelled", 151)), Reason.CANCELLED),
    ("deleted, exit 0 all the same", ended(0, deleting=after(29)), Reason.COMPLETED),
    ("drained, exit 0 all the same",
     ended(0, disruption="EvictionByEvictionAPI", deleting=after(29)), Reason.COMPLETED),
    ("evicted, exit 0 all the same", ended(0, phase="Failed", reason="Evicted"), Reason.COMPLETED),
    ("deleted, exit 1: perhaps by TERM", ended(1, deleting=after(29)), Reason.DRAINED),
    ("deleted, killed for memory: perhaps by TERM",
     ended(137, "OOMKilled", deleting=after(29)), Reason.DRAINED),
    ("Pod deleted after exit 0", ended(0, gone=True), Reason.COMPLETED),
    ("Pod deleted after the kubelet ended it", ended(143, deleting=ago(1), gone=True),
     Reason.DRAINED),
    ("an unknown status is never the user's failure",
     ended(137, "ContainerStatusUnknown"), Reason.POD_LOST),
    ("an unknown status of an evicted Pod: the eviction",
     ended(137, "ContainerStatusUnknown", phase="Failed", reason="Evicted"),
     Reason.NODE_PRESSURE),
    ("a restarted kubelet calls an ended Pod refused: first end wins",
     ended(3, phase="Failed", reason="UnexpectedAdmissionError"), Reason.COMMAND_FAILED),
    ("seen by the container's state, before the Pod's phase",
     ended(3, phase="Running"), Reason.COMMAND_FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "what", "reason"), PRECEDENCE)
def test_precedence(seen: str, what: PodView, reason: Reason) -> None:
    cancelled: dict[str, Any] = (
        {"desiredState": "Cancelled"} if what.stop.startswith("Cancelled") else {}
    )
    assert reason_of(look(job(**cancelled, status=is_running()), what)) == reason


def waiting_ended(code: int, agent_said: AgentView, seconds: float = 0, **facts: Any) -> PodView:
    """A Pod whose agent ended a second ago, and the wrapper so many seconds ago."""
    what = ended(code, agent=agent_said, **facts)
    assert what.container
    assert what.container.ended
    end = replace(what.container.ended, finished=ago(seconds))
    return replace(what, container=replace(what.container, ended=end))


REJECTED = agent(1, stage="unpack", reason="SourceRejected", message="an entry leads outside")
KILLED, READY = agent(137, stage="unpack"), agent(137, stage="ready")
WITH_AGENT: list[tuple[str, PodView, Reason]] = [
    ("the agent failed, then the backstop ended the wrapper: no command ever ran",
     waiting_ended(143, REJECTED, **DEADLINE), Reason.SOURCE_REJECTED),
    ("the agent failed, then the Pod was removed", running(agent=REJECTED, gone=True),
     Reason.SOURCE_REJECTED),
    ("the image has no shell: that came before the agent failed",
     replace(waiting_ended(128, REJECTED, 5), container=ContainerView(
         ended=Ended(128, "StartError", 'exec: "sh": not found', finished=ago(5)))),
     Reason.CANNOT_START),
    ("both ended in one second: the job's own end counts", waiting_ended(3, REJECTED, 1),
     Reason.COMMAND_FAILED),
    ("the agent was killed just after ready, before it could say so: exit 0 stays",
     waiting_ended(0, KILLED), Reason.COMPLETED),
    ("the agent was killed after ready", ended(3, agent=READY), Reason.COMMAND_FAILED),
    ("the agent was killed by an eviction of the whole Pod",
     running(agent=KILLED, phase="Failed", reason="Evicted"), Reason.NODE_PRESSURE),
    ("the agent was told to end with its Pod, and so was the wrapper",
     waiting_ended(143, KILLED, deleting=after(29)), Reason.DRAINED),
    ("cancelled while the agent fetched",
     waiting_ended(143, KILLED, stop=stopped("Cancelled"), **DEADLINE), Reason.CANCELLED),
    ("an agent before the job failed, and the kubelet gave up the Pod",
     pod(phase="Failed", agent=replace(REJECTED, before=True)), Reason.SOURCE_REJECTED),
    ("an agent before the job said ready, and died",
     pod(agent=replace(READY, before=True)), Reason.AGENT_FAILED),
    ("an agent before the job was ended by the backstop",
     pod(agent=replace(KILLED, before=True), **DEADLINE), Reason.TIMED_OUT),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "what", "reason"), WITH_AGENT)
def test_precedence_of_the_agent(seen: str, what: PodView, reason: Reason) -> None:
    cancelled: dict[str, Any] = {"desiredState": "Cancelled"} if what.stop else {}
    assert reason_of(look(job(**cancelled, status=is_running()), what)) == reason


NOT_YET = [
    ("the agent is dead, and the command runs", running(agent=READY), after(3600 - 30)),
    ("told to end with its Pod: the wrapper will, too",
     running(agent=KILLED, deleting=after(20)), after(20 + 120)),
    ("we cancelled; the Pod's phase will say who was first",
     ended(143, stop=stopped("Cancelled", 1)), after(30 + 10 - 1)),
    ("we cancelled; the command takes its grace",
     running(stop=stopped("Cancelled", 5)), after(30 + 10 - 5)),
    ("we cancelled; the node has its last chance",
     running(stop=stopped("Cancelled", 50)), after(30 + 120 - 50)),
    ("deleted; the command takes its grace", running(deleting=after(20)), after(20 + 120)),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "what", "again"), NOT_YET)
def test_not_certain_yet(seen: str, what: PodView, again: Any) -> None:
    decision = look(job(status=is_running()), what)
    assert decision == Decision(holds_place=True, again=again)


def test_a_job_cancelled_by_us_keeps_the_time_of_its_container_and_its_code() -> None:
    status = status_of(
        look(job(status=is_running()), ended(9, stop=stopped("Cancelled"), **DEADLINE))
    )
    assert status.exit_code == 9
    assert status.message == "it was stopped; exit code 9"


def test_ended_by_itself_just_before_our_stop_and_then_deleted() -> None:
    what = ended(0, stop=stopped("Cancelled"), phase="Succeeded", gone=True)
    assert reason_of(look(job(status=is_running()), what)) == Reason.COMPLETED


@pytest.mark.parametrize(
    "what",
    [
        ended(137, "ContainerStatusUnknown", phase="Failed", stop=stopped("TimedOut")),
        ended(137, phase="Failed", reason="Evicted", stop=stopped("TimedOut")),
        ended(143, phase="Failed", reason="Terminated", stop=stopped("Cancelled")),
    ],
)
def test_what_the_platform_did_during_our_stop_is_not_the_command_s_failure(what: PodView) -> None:
    assert reason_of(look(job(status=is_running()), what)) != Reason.COMMAND_FAILED


def test_first_end_wins_over_a_pod_deleted_at_once() -> None:
    # A Pod in its final phase is deleted at once, without a deletionTimestamp.
    what = ended(3, phase="Failed", gone=True)
    assert reason_of(look(job(status=is_running()), what)) == Reason.COMMAND_FAILED


def test_exit_0_after_the_backstop_s_term_is_a_timeout() -> None:
    # It ran ten minutes beyond its timeout while the operator was away; its trap exits 0.
    assert reason_of(look(job(status=is_running()), ended(0, **DEADLINE))) == Reason.TIMED_OUT


def test_a_pod_refused_while_we_stop_it_is_over_at_once() -> None:
    what = refused("OutOfcpu", stop=stopped("Cancelled"))
    decision = look(job(desiredState="Cancelled"), what)
    assert status_of(decision).completion_time


AFTER_AGENT = [
    ("its log is kept", running(agent=REJECTED), ["SourceRejected"], 0),
    ("it was told already", running(agent=REJECTED, stop=stopped("SourceRejected")), [], 0),
    ("a Pod that goes anyway is left alone", running(agent=REJECTED, deleting=NOON), [], 0),
    ("nor does one that is over need a word", ended(0, agent=REJECTED), [], 0),
    ("a Pod without an agent has no log to keep", running(), [], 1),
]


@pytest.mark.parametrize(("seen", "what", "stops", "deleted"), AFTER_AGENT)
def test_what_still_runs_of_a_finished_job_is_ended(
    seen: str, what: PodView, stops: list[str], deleted: int
) -> None:
    over = {"phase": "Error", "reason": "SourceRejected", "completionTime": "2026-01-01T12:00:00Z"}
    decision = look(job(status=over), what)
    assert [str(stop.reason) for stop in decision.stops] == stops
    assert len(decision.delete_pods) == deleted


def test_the_pod_of_an_agent_that_failed_is_no_obstacle_to_the_next_attempt() -> None:
    what = running(agent=KILLED)
    waits = job(status=backing_off("AgentFailed", infrastructure=1))
    assert look(waits, what, admitted=True).stops == (Stop(what, Reason.AGENT_FAILED),)
    told = replace(what, stop=stopped("AgentFailed"))
    assert look(waits, told, admitted=True, now=after(60)).create is not None


# -- stopping ---------------------------------------------------------------------------------


def test_cancelling_stops_the_pod_and_leaves_it_there() -> None:
    what = running()
    decision = look(job(desiredState="Cancelled", status=is_running()), what)
    assert decision.stops == (Stop(what, Reason.CANCELLED),)
    assert decision.delete_pods == ()
    assert decision.status is None
    assert decision.holds_place
    assert decision.again == after(30 + 10)


def test_a_superseded_job_is_stopped_and_says_by_whom() -> None:
    decision = look(job(status=is_running()), running(), superseded_by="newer")
    assert decision.stops == (Stop(running(), Reason.SUPERSEDED),)
    waits = look(job(), pod(), superseded_by="newer")
    assert status_of(waits).phase == Phase.CANCELLED
    assert status_of(waits).message == "job newer of its group took its place"


def test_one_that_is_being_stopped_is_not_stopped_again() -> None:
    told = replace(running(), stop=stopped("Superseded"))
    assert look(job(status=is_running()), told, superseded_by="newer").stops == ()


def test_cancelling_a_pod_without_a_node_deletes_it_since_nobody_could_obey() -> None:
    decision = look(job(desiredState="Cancelled"), pod())
    assert status_of(decision).reason == Reason.CANCELLED
    assert decision.delete_pods == (pod(),)
    assert decision.stops == ()


def test_cancelling_a_starting_pod_on_a_node_stops_it() -> None:
    decision = look(job(desiredState="Cancelled"), starting())
    assert decision.stops == (Stop(starting(), Reason.CANCELLED),)


def test_cancelling_comes_too_late_for_a_command_that_has_ended() -> None:
    assert reason_of(look(job(desiredState="Cancelled"), ended(0))) == Reason.COMPLETED


def test_the_run_timeout_stops_the_pod() -> None:
    decision = look(job(status=is_running()), running(3600))
    assert decision.stops == (Stop(running(3600), Reason.TIMED_OUT),)


def test_a_second_before_the_run_timeout_nothing_happens() -> None:
    decision = look(job(status=is_running()), running(3599))
    assert decision == Decision(holds_place=True, again=after(1))


def test_the_run_timeout_is_what_was_promised_at_the_start() -> None:
    decision = look(job(timeoutSeconds=5, status=is_running()), running(30, timeout_seconds=60))
    assert decision.stops == ()
    assert decision.again == after(30)


def test_a_stop_is_asked_for_once() -> None:
    what = running(3700, stop=stopped("TimedOut", 1))
    assert look(job(desiredState="Cancelled", status=is_running()), what).stops == ()
