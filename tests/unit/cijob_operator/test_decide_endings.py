"""Every way for an attempt to end has a name, and so has what becomes of the job by it."""

from dataclasses import dataclass
from typing import Any

import pytest

from cijob_api.reasons import MEANINGS, Budget, Phase, Reason
from cijob_operator.decisions import Stop
from cijob_operator.podviews import AgentView, PodView
from cijob_operator.times import format_time
from unit.cijob_operator.builders import (
    NEVER_AGAIN,
    NOON,
    after,
    agent,
    ago,
    ended,
    is_running,
    job,
    look,
    pod,
    refused,
    running,
    starting,
    status_of,
    stopped,
)

NO, OWN, PLATFORM = Budget.NONE, Budget.OWN, Budget.INFRASTRUCTURE
ONCE_MORE: dict[str, Any] = {"retry": {"limit": 1, "infrastructureLimit": 1}}


@dataclass(frozen=True)
class End:
    """One way for an attempt to end, as its Pod shows it."""

    seen: str
    pod: PodView
    reason: Reason
    phase: Phase
    again: Budget
    exit_code: int | None = None
    deleted: bool = False  # its Pod could still do something
    stopped: bool = False  # the same, but its log is kept
    cancelled: bool = False


def before_ready(reason: Reason | None = None, code: int = 1, said: str = "") -> PodView:
    """A Pod whose wrapper waits and whose agent ended while it unpacked the source."""
    told = {"reason": reason.value, "message": "its own words"} if reason else {}
    return running(agent=agent(code, said, stage="unpack", **told))


DONE = agent(0, stage="done")
DISK = "Pod ephemeral local storage usage exceeds the total limit of containers 4Gi."
ENDS = [
    End("exit 0", ended(0), Reason.COMPLETED, Phase.SUCCEEDED, NO, 0),
    End("exit 1", ended(1), Reason.COMMAND_FAILED, Phase.FAILED, OWN, 1),
    End("exit 255", ended(255), Reason.COMMAND_FAILED, Phase.FAILED, OWN, 255),
    End("exit 127 of a script", ended(127), Reason.COMMAND_FAILED, Phase.FAILED, OWN, 127),
    End("killed for memory", ended(137, "OOMKilled"), Reason.OOM_KILLED, Phase.FAILED, OWN, 137),
    End("a child killed for memory, and exit 0", ended(0, "OOMKilled"),
        Reason.OOM_KILLED, Phase.FAILED, OWN, 0),
    End("stopped by us at the run timeout",
        ended(143, stop=stopped("TimedOut"), phase="Failed", reason="DeadlineExceeded"),
        Reason.TIMED_OUT, Phase.FAILED, NO, 143),
    End("stopped by the backstop in the Pod, while the operator was away",
        ended(137, phase="Failed", reason="DeadlineExceeded"),
        Reason.TIMED_OUT, Phase.FAILED, NO, 137),
    End("evicted by its own disk limit",
        ended(137, phase="Failed", reason="Evicted", message=DISK),
        Reason.DISK_LIMIT, Phase.FAILED, NO, 137),
    End("evicted by the size of a volume",
        refused("Evicted", 'Usage of EmptyDir volume "workspace" exceeds the limit "1Gi".'),
        Reason.DISK_LIMIT, Phase.FAILED, NO),
    End("no such command in the image", ended(128, "StartError", "exec: \"mkae\": not found"),
        Reason.CANNOT_START, Phase.FAILED, NO, 128),
    End("the same by another runtime", ended(127, "ContainerCannotRun"),
        Reason.CANNOT_START, Phase.FAILED, NO, 127),
    End("cancelled while it ran",
        ended(143, stop=stopped("Cancelled"), phase="Failed", reason="DeadlineExceeded"),
        Reason.CANCELLED, Phase.CANCELLED, NO, 143, cancelled=True),
    End("superseded by a newer job of its group",
        ended(143, stop=stopped("Superseded"), phase="Failed", reason="DeadlineExceeded"),
        Reason.SUPERSEDED, Phase.CANCELLED, NO, 143, cancelled=True),
    End("evicted, as the node is short of memory",
        ended(137, phase="Failed", reason="Evicted", message="The node was low on resource"),
        Reason.NODE_PRESSURE, Phase.ERROR, PLATFORM, 137),
    End("the kubelet's own mark of an eviction",
        ended(137, phase="Failed", disruption="TerminationByKubelet"),
        Reason.NODE_PRESSURE, Phase.ERROR, PLATFORM, 137),
    End("the node died and its Pods were given up",
        running(gone=True, disruption="DeletionByTaintManager"),
        Reason.NODE_LOST, Phase.ERROR, PLATFORM),
    End("deleted, and the node obeys no more", running(deleting=ago(121)),
        Reason.NODE_LOST, Phase.ERROR, PLATFORM),
    End("preempted by a Pod of higher priority",
        ended(143, disruption="PreemptionByScheduler"),
        Reason.PREEMPTED, Phase.ERROR, PLATFORM, 143),
    End("preempted for a Pod of the node itself",
        ended(137, phase="Failed", reason="Preempting"),
        Reason.PREEMPTED, Phase.ERROR, PLATFORM, 137),
    End("drained", ended(143, disruption="EvictionByEvictionAPI", deleting=after(29)),
        Reason.DRAINED, Phase.ERROR, PLATFORM, 143),
    End("deleted by somebody", ended(143, deleting=after(29)),
        Reason.DRAINED, Phase.ERROR, PLATFORM, 143),
    End("the node shuts down", ended(143, phase="Failed", reason="Terminated"),
        Reason.DRAINED, Phase.ERROR, PLATFORM, 143),
    End("refused, as the node shuts down", refused("NodeShutdown"),
        Reason.DRAINED, Phase.ERROR, PLATFORM),
    End("the node had no room after all", refused("OutOfcpu", "Node didn't have enough resource"),
        Reason.KUBELET_REJECTED, Phase.ERROR, PLATFORM),
    End("refused by the node's device plugin", refused("UnexpectedAdmissionError"),
        Reason.KUBELET_REJECTED, Phase.ERROR, PLATFORM),
    End("the Pod is gone, nobody saw its end", running(gone=True),
        Reason.POD_LOST, Phase.ERROR, PLATFORM),
    End("the kubelet lost track of the container",
        ended(137, "ContainerStatusUnknown", phase="Failed"),
        Reason.POD_LOST, Phase.ERROR, PLATFORM),
    End("an image name that cannot be", starting("InvalidImageName", "couldn't parse image"),
        Reason.IMAGE_PULL_FAILED, Phase.ERROR, NO, deleted=True),
    End("no image, until the start timeout",
        starting("ImagePullBackOff", "not found: manifest unknown", created=ago(600)),
        Reason.IMAGE_PULL_FAILED, Phase.ERROR, NO, deleted=True),
    End("no node takes it, until the start timeout",
        pod(unschedulable="0/3 nodes are available", created=ago(600)),
        Reason.UNSCHEDULABLE, Phase.ERROR, NO, deleted=True),
    End("a Secret is missing, until the start timeout",
        starting("CreateContainerConfigError", 'secret "deploy" not found', created=ago(600)),
        Reason.CONFIG_MISSING, Phase.ERROR, NO, deleted=True),
    End("no image of the agent, until the start timeout",
        running(created=ago(600), agent=AgentView(waiting="ErrImagePull", message="unknown")),
        Reason.IMAGE_PULL_FAILED, Phase.ERROR, NO, deleted=True),
    End("no such command behind the wrapper", ended(127, agent=DONE, wrapped_command=True),
        Reason.CANNOT_START, Phase.FAILED, NO, 127),
    End("no such command in a script behind the wrapper", ended(127, agent=DONE),
        Reason.COMMAND_FAILED, Phase.FAILED, OWN, 127),
    End("the agent was killed", before_ready(code=137),
        Reason.AGENT_FAILED, Phase.ERROR, PLATFORM, stopped=True),
    End("the agent ran out of memory", before_ready(code=137, said="OOMKilled"),
        Reason.AGENT_FAILED, Phase.ERROR, PLATFORM, stopped=True),
    End("the agent failed and says why", before_ready(Reason.AGENT_FAILED),
        Reason.AGENT_FAILED, Phase.ERROR, PLATFORM, stopped=True),
    End("the gateway does not answer", before_ready(Reason.SOURCE_UNREACHABLE),
        Reason.SOURCE_UNREACHABLE, Phase.ERROR, PLATFORM, stopped=True),
    End("no such source", before_ready(Reason.SOURCE_NOT_FOUND),
        Reason.SOURCE_NOT_FOUND, Phase.ERROR, NO, stopped=True),
    End("a hostile archive", before_ready(Reason.SOURCE_REJECTED),
        Reason.SOURCE_REJECTED, Phase.ERROR, NO, stopped=True),
    End("an archive that is too large", before_ready(Reason.SOURCE_TOO_LARGE),
        Reason.SOURCE_TOO_LARGE, Phase.ERROR, NO, stopped=True),
    End("the git server refuses the credentials", before_ready(Reason.GIT_AUTH_FAILED),
        Reason.GIT_AUTH_FAILED, Phase.ERROR, NO, stopped=True),
    End("no such branch", before_ready(Reason.GIT_REF_NOT_FOUND),
        Reason.GIT_REF_NOT_FOUND, Phase.ERROR, NO, stopped=True),
    End("another host key", before_ready(Reason.GIT_HOST_KEY),
        Reason.GIT_HOST_KEY, Phase.ERROR, NO, stopped=True),
    End("volumes are not ready, until the start timeout", starting(created=ago(600)),
        Reason.START_TIMED_OUT, Phase.ERROR, PLATFORM, deleted=True),
]  # fmt: skip
by_what_is_seen = pytest.mark.parametrize("end", ENDS, ids=lambda end: end.seen)


@by_what_is_seen
def test_a_job_ends_when_its_attempt_ends_and_no_other_is_left(end: End) -> None:
    wanted: dict[str, Any] = {"desiredState": "Cancelled"} if end.cancelled else {}
    decision = look(job(**NEVER_AGAIN, **wanted, status=is_running()), end.pod)
    status = status_of(decision)
    assert (status.phase, status.reason) == (end.phase, end.reason)
    assert status.exit_code == end.exit_code
    assert status.completion_time == format_time(NOON)
    assert decision.delete_pods == ((end.pod,) if end.deleted else ())
    assert decision.stops == ((Stop(end.pod, end.reason),) if end.stopped else ())
    assert decision.create is None
    assert not decision.holds_place


@by_what_is_seen
def test_an_attempt_is_repeated_out_of_the_right_budget_or_not_at_all(end: End) -> None:
    decision = look(job(**ONCE_MORE, status=is_running()), end.pod)
    status = status_of(decision)
    if end.again == NO:
        assert status.phase == end.phase
        assert status.retries is None
        return
    assert (status.phase, status.reason) == (Phase.QUEUED, Reason.BACKING_OFF)
    assert status.retries
    spent = (status.retries.own, status.retries.infrastructure)
    assert spent == ((1, 0) if end.again == OWN else (0, 1))
    assert status.attempts
    assert status.attempts[0].reason == end.reason
    assert status.completion_time is None
    assert decision.delete_pods == ((end.pod,) if end.deleted else ())
    assert decision.stops == ((Stop(end.pod, end.reason),) if end.stopped else ())
    assert decision.again is not None
    assert decision.create is None


@by_what_is_seen
def test_the_table_of_reasons_says_the_same(end: End) -> None:
    assert (MEANINGS[end.reason].phase, MEANINGS[end.reason].budget) == (end.phase, end.again)


@by_what_is_seen
def test_every_end_says_why_in_a_sentence(end: End) -> None:
    status = status_of(look(job(**NEVER_AGAIN, status=is_running()), end.pod))
    assert status.message
