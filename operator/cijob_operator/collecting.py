"""The time between the end of a job's container and that of its job: results are collected. Pure.

Called by `decide`. The verdict stands from the first moment and is kept as it was seen then: what
happens to the Pod meanwhile is no longer the job's. What was not collected is said in words.
"""

from dataclasses import replace
from datetime import datetime

from cijob_api.objects import CIJob
from cijob_operator.decisions import Collecting, Observation
from cijob_operator.podviews import PodView
from cijob_operator.times import later
from cijob_operator.verdicts import Ending

# Then the Pod is stopped. The agent gives up a little earlier.
LONGEST_SECONDS = 60
# How much later than the agent's end the watch may show what the agent has brought about.
WATCH_SECONDS = 2


def known_end(seen: Observation, pod: PodView) -> Ending | None:
    """How the attempt ended, if that was seen before its results were waited for."""
    waiting = seen.collecting
    return waiting.end if waiting and waiting.pod_uid == pod.uid else None


def awaited(seen: Observation, pod: PodView, end: Ending, now: datetime) -> Collecting | None:
    """What is still waited for, until when; None if nothing is, or nothing can come any more."""
    if not _collects(pod) or pod.gone or is_collected(seen.job, pod.attempt):
        return None
    before = seen.collecting
    if before is None or before.pod_uid != pod.uid:
        before = Collecting(pod.uid, pod.attempt, end, since=now, until=later(now, LONGEST_SECONDS))
    if not _runs_on(pod) and not before.agent_ended:
        until = min(before.until, later(now, WATCH_SECONDS))
        before = replace(before, agent_ended=True, until=until)
    return before if now < before.until else None


def with_missing(seen: Observation, pod: PodView, end: Ending) -> Ending:
    """The end, its words saying why results are missing; the verdict is the same."""
    if not _collects(pod) or is_collected(seen.job, pod.attempt):
        return end
    return replace(end, message=f"{end.message}; its results were not collected: {_why(pod)}")


def is_late(seen: Observation, pod: PodView) -> bool:
    """Whether an agent goes on that nobody waits for any more."""
    over = pod.stop or pod.deleting or pod.gone
    return pod.collects and _runs_on(pod) and not over and not is_collected(seen.job, pod.attempt)


def is_collected(job: CIJob, attempt: int) -> bool:
    """Whether the collection of an attempt has ended, as its agent told the gateway."""
    results = job.status.results
    told = results.collection if results else None
    return told is not None and told.attempt == attempt


def _collects(pod: PodView) -> bool:
    """Whether there is anything to collect: the job's command ran, beside an agent."""
    ended = pod.container.ended if pod.container else None
    if not pod.collects or ended is None or pod.agent is None or pod.agent.failed:
        return False
    return ended.reason not in {"StartError", "ContainerCannotRun"}


def _runs_on(pod: PodView) -> bool:
    agent = pod.agent
    return agent is not None and agent.ended is None and pod.phase not in {"Succeeded", "Failed"}


def _why(pod: PodView) -> str:
    ended = pod.agent.ended if pod.agent else None
    if ended is None or pod.agent is None:
        return "the Pod is gone" if pod.gone else f"not done after {LONGEST_SECONDS} s"
    report = pod.agent.report
    words = f"the agent ended at stage {report.stage}, with exit code {ended.exit_code}"
    if ended.reason not in {"", "Error", "Completed"}:
        words += f" ({ended.reason})"
    return f"{words}: {report.words}" if report.words else words
