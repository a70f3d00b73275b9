"""Where a job's time went, as far as its status knows it. Pure.

Used by the route of a job's outcome. Kubernetes has whole seconds; the fetch of a source is part of
running, since it goes on beside the job's container, and the pull of an image part of starting.
"""

from datetime import datetime
from itertools import pairwise

from cijob_api.objects import CIJob
from cijob_api.statuses import ConditionType

STAGES = ("queued", "starting", "running", "collecting")


def spent(job: CIJob) -> dict[str, int]:
    """Seconds of each stage of the last attempt that is known, in the order of time.

    `queued` is all until its Pod was created, attempts before it included.
    """
    moments = _moments(job)
    return {
        stage: max(round((end - start).total_seconds()), 0)
        for stage, (start, end) in zip(STAGES, pairwise(moments), strict=False)
        if start and end
    }


def _moments(job: CIJob) -> tuple[datetime | None, ...]:
    """Created, admitted, started, ended, finished; None where nothing is known."""
    status = job.status
    last = status.attempts[-1] if status.attempts else None
    admitted = next(
        (
            one.last_transition_time
            for one in status.conditions or []
            if one.type == ConditionType.ADMITTED and one.status == "True"
        ),
        None,
    )
    collected = status.results.collection if status.results else None
    awaited = last and collected and collected.attempt == last.number
    return (
        _moment(job.metadata.creation_timestamp),
        _moment(admitted),
        _moment(last.start_time if last else None),
        _moment(last.completion_time if last else None),
        _moment(status.completion_time if awaited else None),
    )


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:  # written by somebody else
        return None
