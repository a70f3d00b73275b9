"""Where an attempt's time went, for `attempts[].spent`: each second is counted once. Pure.

Used by `statuses`. How long images were pulled the kubelet says in its Events (`pulls`); how long
the command waited for its source the agent says, in its last words or, if it collects results, to
the gateway; the rest are the Pod's own times (see docs/adr/0008).
"""

from datetime import datetime, timedelta

from cijob_api.objects import CIJob
from cijob_api.reasons import Reason
from cijob_api.statuses import Spent
from cijob_operator.podviews import PodView


def spent(
    job: CIJob, pod: PodView, *, ended: datetime | None = None, reason: Reason | None = None
) -> Spent | None:
    """What is known now, or was when the attempt ended at that time for that reason."""
    started = pod.container.started if pod.container else None
    began = started or ended
    if began is None:
        return None
    before = _whole(began - pod.created)
    pulling = min(before, _pulling(job, pod, began=began, reason=reason))
    after = _whole(ended - started) if started and ended else 0
    # An agent before the job's container has done its work by the time that one starts.
    early = pod.agent is not None and (pod.agent.before or started is None)
    fetching = round(min(before - pulling if early else after, _fetching(job, pod, ended)))
    return Spent(
        starting_seconds=before - pulling - (fetching if early else 0),
        pulling_seconds=pulling or None,
        fetching_seconds=fetching or None,
        running_seconds=after - (0 if early else fetching) if ended else None,
    )


def _pulling(job: CIJob, pod: PodView, *, began: datetime, reason: Reason | None) -> int:
    """What the kubelet said; an image that could not be had at once was waited for all the time."""
    if reason == Reason.IMAGE_PULL_FAILED or job.status.reason == Reason.PULLING_IMAGE:
        return _whole(began - (pod.scheduled or pod.created))
    known = next((a.spent for a in job.status.attempts or [] if a.number == pod.attempt), None)
    return max(round(pod.pulled), (known.pulling_seconds if known else None) or 0)


def _fetching(job: CIJob, pod: PodView, ended: datetime | None) -> float:
    agent = pod.agent
    if agent is None:
        return 0
    if agent.failed:  # what was waited for never came
        return (ended - agent.started).total_seconds() if ended and agent.started else 0
    if agent.report.waited is not None:
        return agent.report.waited
    told = job.status.results.collection if job.status.results else None
    return (told.fetch_seconds or 0) if told and told.attempt == pod.attempt else 0


def _whole(length: timedelta) -> int:
    """In seconds; clocks that disagree make no negative time."""
    return max(round(length.total_seconds()), 0)
