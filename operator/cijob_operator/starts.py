"""What a Pod that does not run yet waits for, how long it may, and what can never start. Pure.

Called by `decide`. The same rules hold for the job's container and the agent's; the words say when
they are about the agent's.
"""

from dataclasses import dataclass
from datetime import datetime

from cijob_api.reasons import Reason
from cijob_operator.podviews import ContainerView, PodView
from cijob_operator.times import later
from cijob_operator.verdicts import PHASE_SECONDS, Ending

IMAGE_WAITS = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"}
NEVER = {"InvalidImageName", "ErrImageNeverPull"}


@dataclass(frozen=True)
class StartWait:
    """What a Pod waits for: the reason that it would end with, and the kubelet's words."""

    reason: Reason
    words: str
    repeats: bool = False  # the words say again what was said before

    @property
    def shown(self) -> Reason:
        """The reason while it waits: a pull may still succeed."""
        pulls = self.reason == Reason.IMAGE_PULL_FAILED
        return Reason.PULLING_IMAGE if pulls else self.reason


def start_failure(pod: PodView) -> Ending | None:
    """The end of a Pod one of whose containers can never run, if so."""
    for container in (pod.container, pod.agent):
        if container and container.waiting in NEVER:
            return Ending(Reason.IMAGE_PULL_FAILED, _words(pod, container))
    return None


def start_wait(pod: PodView) -> StartWait:
    """What the Pod waits for now."""
    for container in (pod.container, pod.agent):
        if container and container.waiting in IMAGE_WAITS:
            backs_off = container.waiting == "ImagePullBackOff"
            return StartWait(Reason.IMAGE_PULL_FAILED, _words(pod, container), repeats=backs_off)
        if container and container.waiting == "CreateContainerConfigError":
            return StartWait(Reason.CONFIG_MISSING, _words(pod, container))
    if pod.unschedulable and not pod.node:
        return StartWait(Reason.UNSCHEDULABLE, pod.unschedulable)
    if pod.agent and pod.agent.before and pod.agent.started:
        return StartWait(Reason.STARTING, "the agent prepares the workspace")
    words = _words(pod, pod.container) or _words(pod, pod.agent)
    return StartWait(Reason.STARTING, words or "the Pod waits for its node")


def start_deadline(pod: PodView) -> datetime:
    """When a Pod must have started. An agent before the job bounds itself, and says why it ends."""
    agent = pod.agent
    if agent and agent.before and agent.started and not agent.ended:
        return later(agent.started, pod.start_timeout_seconds + PHASE_SECONDS)
    return later(pod.created, pod.start_timeout_seconds)


def timed_out(pod: PodView) -> Ending:
    """The end of a Pod that did not start in time."""
    wait = start_wait(pod)
    reason = Reason.START_TIMED_OUT if wait.reason == Reason.STARTING else wait.reason
    return Ending(reason, f"not started after {pod.start_timeout_seconds} s: {wait.words}")


def _words(pod: PodView, container: ContainerView | None) -> str:
    words = (container.message or container.waiting) if container else ""
    return f"container agent: {words}" if words and container is pod.agent else words
