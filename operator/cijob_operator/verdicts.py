"""How an attempt ended, from what is seen of its Pod. Pure.

The verdict comes from the job container's own end, not from the Pod's phase, which comes a second
later. `ending` returns None while nothing is certain. The order of its steps is the precedence:
our own stop, what the agent said before the job could begin, what happened to the Pod from outside,
the container's own word.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from cijob_api.reasons import MEANINGS, Budget, Phase, Reason
from cijob_operator.podviews import AgentView, Ended, PodView
from cijob_operator.times import later, parse_time

# How long a node may take to obey a stop or a deletion, beyond the grace, before it is lost.
OBEY_SECONDS = 120
# How long the Pod's phase may follow its container's end, when we must know who was first.
PHASE_SECONDS = 10
OWN_DISK_LIMIT = re.compile(
    r"exceeded its local ephemeral storage limit"
    r"|ephemeral local storage usage exceeds the total limit"
    r"|[Uu]sage of EmptyDir volume .* exceeds the limit"
)
# Seen when the kubelet was killed between asking for a container and its start: the runtime gives
# up, and the next kubelet finds a container that could not be started.
INTERRUPTED = re.compile(r"context canceled|context deadline exceeded|transport is closing")
DISRUPTIONS = {
    "PreemptionByScheduler": Reason.PREEMPTED,
    "PreemptionByKubeScheduler": Reason.PREEMPTED,
    "DeletionByTaintManager": Reason.NODE_LOST,
    "DeletionByPodGC": Reason.NODE_LOST,
    "EvictionByEvictionAPI": Reason.DRAINED,
    "TerminationByKubelet": Reason.NODE_PRESSURE,
}
POD_REASONS = {
    "Evicted": Reason.NODE_PRESSURE,
    "Preempting": Reason.PREEMPTED,
    "NodeLost": Reason.NODE_LOST,
    "NodeShutdown": Reason.DRAINED,
    "Terminated": Reason.DRAINED,
    "Shutdown": Reason.DRAINED,
}


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: the reason, in words, and the container's own exit code if any."""

    reason: Reason
    message: str
    exit_code: int | None = None
    finished: datetime | None = None

    @property
    def phase(self) -> Phase:
        """The phase of a job that ends so."""
        return MEANINGS[self.reason].phase

    @property
    def budget(self) -> Budget:
        """Which budget another attempt would be taken from."""
        return MEANINGS[self.reason].budget


def ending(pod: PodView, now: datetime) -> Ending | None:
    """How the attempt in this Pod ended, or None while it has not or nothing is certain."""
    ended = pod.container.ended if pod.container else None
    agent = _failed_first(pod, ended)
    if pod.stop:
        return _stopped(pod, ended, now)
    if agent and agent.report.reason:
        return agent_ending(agent)
    if pod.reason == "DeadlineExceeded":
        words = "the Pod's own deadline stopped it"
        return Ending(Reason.TIMED_OUT, words, ended.exit_code if ended else None)
    if ended and ended.exit_code == 0 and ended.reason != "OOMKilled":
        return Ending(Reason.COMPLETED, "exit code 0", 0, ended.finished)
    if outside := _from_outside(pod, ended, now):
        return outside
    if agent:
        return agent_ending(agent)
    if ended:
        return _own_end(ended, wrapped_command=pod.wrapped_command)
    if pod.phase == "Failed":
        return _failed_without_end(pod)
    return None


def agent_ending(agent: AgentView) -> Ending:
    """Why the job could not begin: the agent's own words, or what is known of its death."""
    report, ended = agent.report, agent.ended
    if report.reason:
        return Ending(report.reason, report.words or MEANINGS[report.reason].means)
    code, said = (ended.exit_code, ended.reason) if ended else (0, "")
    stage = f"at stage {report.stage}" if report.stage else "before it said anything"
    words = f"the agent ended {stage}, with exit code {code}"
    if said not in {"", "Error", "Completed"}:
        words += f" ({said})"
    return Ending(Reason.AGENT_FAILED, f"{words}: {report.words}" if report.words else words)


def _failed_first(pod: PodView, ended: Ended | None) -> AgentView | None:
    """The agent, if it failed before the job's container ended: then no command ever ran.

    Both times are the same kubelet's, in whole seconds; of two ends in one second the job's counts.
    """
    agent = pod.agent
    if agent is None or agent.ended is None or not agent.failed:
        return None
    if ended is None:
        # Told to end with its Pod, it has no reason of its own: the rest will say why.
        return agent if agent.report.reason or not pod.deleting else None
    first, second = agent.ended.finished, ended.finished
    return agent if first and second and first < second else None


def stop_since(pod: PodView) -> tuple[Reason, datetime | None]:
    """Why and since when we stop a Pod, from its annotation."""
    reason, _, since = pod.stop.partition(" ")
    known = reason in {
        Reason.CANCELLED,
        Reason.SUPERSEDED,
        Reason.TIMED_OUT,
        Reason.START_TIMED_OUT,
    }
    try:
        moment = parse_time(since)
    except ValueError:  # forged
        moment = None
    return (Reason(reason) if known else Reason.CANCELLED, moment)


def _stopped(pod: PodView, ended: Ended | None, now: datetime) -> Ending | None:
    """We lowered the deadline: did the Pod end by that, or by itself just before?"""
    reason, since = stop_since(pod)
    exit_code = ended.exit_code if ended else None
    finished = ended.finished if ended else None
    words = "it was stopped" if reason != Reason.TIMED_OUT else "it ran into its timeout"
    told = f"{words}; exit code {exit_code}" if ended else words
    if pod.reason == "DeadlineExceeded":
        return Ending(reason, told, exit_code, finished)
    if pod.phase in {"Succeeded", "Failed"} and ended:  # something was faster than our stop
        if ended.exit_code == 0 and ended.reason != "OOMKilled":
            return _own_end(ended)
        own = _own_end(ended, wrapped_command=pod.wrapped_command)
        return _from_outside(pod, ended, now) or own
    if pod.gone or pod.phase == "Failed":
        return Ending(reason, told, exit_code, finished)
    if since is None:
        return None
    if ended and now >= later(since, pod.grace_seconds + PHASE_SECONDS):
        return Ending(reason, told, exit_code, finished)
    if now >= later(since, pod.grace_seconds + OBEY_SECONDS):
        return Ending(
            reason, f"{words}; node {pod.node} did not answer for {OBEY_SECONDS} s", None, None
        )
    return None


def _from_outside(pod: PodView, ended: Ended | None, now: datetime) -> Ending | None:
    """Something happened to the Pod that the job has no part in, or only by its own limit."""
    code = ended.exit_code if ended else None
    over = ended is not None or pod.gone or pod.phase == "Failed"
    if pod.reason == "Evicted" and OWN_DISK_LIMIT.search(pod.message):
        return Ending(Reason.DISK_LIMIT, pod.message.strip(), code)
    if over and (reason := POD_REASONS.get(pod.reason) or DISRUPTIONS.get(pod.disruption)):
        return Ending(reason, pod.message.strip() or MEANINGS[reason].means, code)
    if ended and ended.reason == "ContainerStatusUnknown":
        words = "the kubelet lost track of the container: how it ended is not known"
        return Ending(Reason.POD_LOST, words, None)
    if pod.deleting and ended:
        return Ending(Reason.DRAINED, f"the Pod was deleted; exit code {code}", code)
    if pod.gone and not ended:
        return Ending(Reason.POD_LOST, "the Pod was deleted before its container ended", None)
    # `deletionTimestamp` is when the grace ends.
    if pod.deleting and now >= later(pod.deleting, OBEY_SECONDS):
        words = f"node {pod.node} did not end the Pod within {OBEY_SECONDS} s of its grace"
        return Ending(Reason.NODE_LOST, words, None)
    return None


def _own_end(ended: Ended, *, wrapped_command: bool = False) -> Ending:
    code = ended.exit_code
    if ended.reason == "OOMKilled":
        words = f"out of memory: killed at its memory limit (exit code {code})"
        return Ending(Reason.OOM_KILLED, words, code, ended.finished)
    if ended.reason in {"StartError", "ContainerCannotRun"} and INTERRUPTED.search(ended.message):
        words = f"the node was interrupted while it started the container: {ended.message.strip()}"
        return Ending(Reason.KUBELET_REJECTED, words)
    if ended.reason in {"StartError", "ContainerCannotRun"}:
        words = ended.message.strip() or "the container could not be started"
        return Ending(Reason.CANNOT_START, words, code, ended.finished)
    if wrapped_command and code in {126, 127}:
        missing = "there is no such command in the image, or no such working directory"
        words = "the command is not executable" if code == 126 else missing
        return Ending(Reason.CANNOT_START, f"{words} (exit code {code})", code, ended.finished)
    if code == 0:
        return Ending(Reason.COMPLETED, "exit code 0", 0, ended.finished)
    words = f"exit code {code}"
    if said := ended.message.strip():  # what the command left in /dev/termination-log
        words = f"{words}: {said}"
    return Ending(Reason.COMMAND_FAILED, words, code, ended.finished)


def _failed_without_end(pod: PodView) -> Ending:
    """The kubelet gave the Pod up before its container ever ran."""
    words = ": ".join(part for part in (pod.reason, pod.message.strip()) if part)
    return Ending(Reason.KUBELET_REJECTED, words or "the kubelet refused the Pod", None)
