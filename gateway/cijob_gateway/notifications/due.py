"""Which event of a job a sink is to get next. Pure.

Everything follows from the job as it is now and from what the sink is known to have: nothing is
queued, so that nothing can be lost with a process. Used by couriers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cijob_api.cloudevents import CloudEvent, history
from cijob_api.objects import CIJob
from cijob_gateway.notifications.posts import commit_of, repository_of
from cijob_gateway.notifications.sinks import Kind, Sink


@dataclass(frozen=True)
class Due:
    """What to do for a sink now."""

    send: CloudEvent | None = None
    late: tuple[CloudEvent, ...] = ()
    """Too old: given up."""
    done: bool = False
    """Nothing will ever come any more."""


def place_of(event: CloudEvent, job: CIJob) -> str:
    """Where an event stands in its job's life: its id without the job's."""
    return event.id.removeprefix(f"{job.metadata.uid}.")


def next_due(
    job: CIJob, sink: Sink, settled: Mapping[str, str], *, oldest: datetime, gone: bool = False
) -> Due:
    """What `sink` is to get next. `settled`: by place, what was accepted or given up.

    `oldest`: events from before are not sent. `gone`: the CIJob is deleted, nothing more comes.
    """
    over = gone or job.status.phase.is_final
    events = history(job)
    if sink.spec.kind == Kind.GITHUB_STATUS:
        if not (commit_of(job) and repository_of(job, sink)):
            return Due(done=over)
        events = events[-1:]  # a status is where the job is now; what was before is overtaken
    open_ones = [
        event
        for event in events
        if event.kind in sink.spec.events and place_of(event, job) not in settled
    ]
    late = tuple(event for event in open_ones if _time(event) < oldest)
    timely = [event for event in open_ones if event not in late]
    if not timely:
        return Due(late=late, done=over)
    if awaits_log(job, sink, timely[0]) and not gone:
        return Due(late=late)
    return Due(timely[0], late)


def awaits_log(job: CIJob, sink: Sink, event: CloudEvent) -> bool:
    """Whether the last lines that an event brings along may still be on their way."""
    ran = bool(job.status.attempts) and event.kind == "failed"
    archived = job.status.results is not None and job.status.results.logs is not None
    return sink.spec.kind == Kind.WEBHOOK and ran and not archived


def is_old(job: CIJob, now: datetime, longest: timedelta) -> bool:
    """Whether a job ended so long ago that nothing of it is sent any more."""
    ended = job.status.completion_time
    final = job.status.phase.is_final
    return final and ended is not None and datetime.fromisoformat(ended) < now - longest


def _time(event: CloudEvent) -> datetime:
    return datetime.fromisoformat(event.time)
