"""Where a job's time went, as far as its status knows it. Pure.

Used by the route of a job's outcome. Kubernetes has whole seconds. It is about the last attempt;
all before it is one figure. The operator says what the attempt itself was spent on; where it does
not (a job of an older version) the pull of an image is part of starting, and the fetch of a source
part of running.
"""

from collections.abc import Iterator
from datetime import datetime

from cijob_api.objects import CIJob
from cijob_api.statuses import Attempt, CIJobStatus, ConditionType, Spent

Part = tuple[str, int | None]


def spent(job: CIJob) -> dict[str, int]:
    """Seconds of each stage that is known, in the order of time.

    `queued` is all until its Pod was created, since the job was or since the attempt before ended.
    """
    return {stage: seconds for stage, seconds in _parts(job) if seconds is not None}


def _parts(job: CIJob) -> Iterator[Part]:
    status, created = job.status, job.metadata.creation_timestamp
    attempts = status.attempts or []
    if not attempts:
        yield "queued", _between(created, status.completion_time)
        return
    last = attempts[-1]
    since = created
    # An older version's job has it all in `queued`.
    if len(attempts) > 1 and any(attempt.spent for attempt in attempts):
        since = attempts[-2].completion_time or created
        yield "earlierAttempts", _between(created, since)
    admitted = _admitted(status)
    yield "queued", _between(since, admitted)
    yield from _known(last, last.spent) if last.spent else _guessed(last, admitted)
    results = status.results
    collected = results.collection if results else None
    if collected and collected.attempt == last.number:
        yield "collecting", _between(last.completion_time, status.completion_time)


def _known(last: Attempt, said: Spent) -> Iterator[Part]:
    running = said.running_seconds
    if running is None:  # its Pod was lost
        running = _between(last.start_time, last.completion_time)
    yield "starting", said.starting_seconds
    yield "pulling", said.pulling_seconds
    yield "fetching", said.fetching_seconds
    yield "running", running


def _guessed(last: Attempt, admitted: str | None) -> Iterator[Part]:
    yield "starting", _between(admitted, last.start_time)
    yield "running", _between(last.start_time, last.completion_time)


def _admitted(status: CIJobStatus) -> str | None:
    for one in status.conditions or []:
        if one.type == ConditionType.ADMITTED and one.status == "True":
            return one.last_transition_time
    return None


def _between(start: str | None, end: str | None) -> int | None:
    """Whole seconds; clocks that disagree make no negative time."""
    try:
        first, last = (datetime.fromisoformat(text) if text else None for text in (start, end))
        return max(round((last - first).total_seconds()), 0) if first and last else None
    except (ValueError, TypeError):  # written by somebody else
        return None
