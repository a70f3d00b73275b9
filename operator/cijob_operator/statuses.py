"""Composing a job's next status from its last one. Pure.

Only the operator's own keys are touched; `results` is not here but in `sources`. Times and
sizes are bounded.
"""

from dataclasses import dataclass
from datetime import datetime

from cijob_api.conditions import with_condition
from cijob_api.fitting import DEFAULT_POOL
from cijob_api.objects import CIJob
from cijob_api.reasons import Phase, Reason
from cijob_api.statuses import (
    Attempt,
    CIJobStatus,
    Condition,
    ConditionType,
    Retries,
    Waited,
)
from cijob_operator.podviews import PodView
from cijob_operator.spent import spent
from cijob_operator.times import format_duration, format_time, parse_time
from cijob_operator.verdicts import Ending

ATTEMPTS_KEPT = 10
MESSAGE_LENGTH = 1000
ATTEMPT_MESSAGE_LENGTH = 120


@dataclass(frozen=True)
class Change:
    """The part of a status that says where a job is."""

    phase: Phase
    reason: Reason
    message: str


def changed(job: CIJob, change: Change, **fields: object) -> CIJobStatus:
    """The job's status with a new phase, reason and message, and other fields."""
    return job.status.model_copy(
        update={
            "observed_generation": job.metadata.generation,
            "phase": change.phase,
            "reason": change.reason.value,
            "message": shown(change.message),
            **fields,
        }
    )


def shown(message: str) -> str:
    """A message as a status has it."""
    return shortened(message, MESSAGE_LENGTH)


def waiting(job: CIJob, reason: Reason, message: str, now: datetime) -> CIJobStatus:
    """A queued job that says what it waits for; suspension stops its clock."""
    return changed(
        job,
        Change(Phase.QUEUED, reason, message),
        conditions=_with(job, now, (ConditionType.ADMITTED, False, reason, message)),
        waited=_clock(job, now, runs=reason != Reason.SUSPENDED),
    )


def pool_of(job: CIJob, pod: PodView) -> str:
    """The pool that an attempt runs in; one that an older version created does not say."""
    return pod.pool or job.status.pool or DEFAULT_POOL


def starting(
    job: CIJob, pod: PodView, reason: Reason, message: str, *, now: datetime
) -> CIJobStatus:
    """A job whose Pod is there and not running yet."""
    return changed(
        job,
        Change(Phase.STARTING, reason, message),
        pool=pool_of(job, pod),
        attempts=with_attempt(job, open_attempt(job, pod)),
        conditions=_with(job, now, _admitted(pod), pod=pod),
    )


def intended(job: CIJob, number: int, now: datetime, *, quiet: bool) -> CIJobStatus:
    """A job that must never start twice: which attempt is about to get its Pod.

    `quiet`, if its Pod was refused before: what it waits for stays said until it is there.
    """
    message = f"attempt {number} is about to start"
    if quiet:
        return job.status.model_copy(update={"attempts": with_attempt(job, Attempt(number=number))})
    return changed(
        job,
        Change(Phase.STARTING, Reason.STARTING, message),
        attempts=with_attempt(job, Attempt(number=number)),
        conditions=_with(job, now, (ConditionType.ADMITTED, True, "Admitted", message)),
    )


def without_intent(job: CIJob) -> CIJob:
    """The job without an attempt whose Pod was only intended; itself if there is none."""
    attempts = job.status.attempts or []
    kept = [known for known in attempts if known.pod_uid or known.completion_time]
    if len(kept) == len(attempts):
        return job
    status = job.status.model_copy(update={"attempts": kept or None})
    return job.model_copy(update={"status": status})


def running(job: CIJob, pod: PodView, now: datetime) -> CIJobStatus:
    """A job whose container runs."""
    started = pod.container.started if pod.container else None
    moment = format_time(started or now)
    return changed(
        job,
        Change(Phase.RUNNING, Reason.RUNNING, f"runs in Pod {pod.name}"),
        pool=pool_of(job, pod),
        start_time=job.status.start_time or moment,
        attempts=with_attempt(job, open_attempt(job, pod)),
        conditions=_with(job, now, _admitted(pod), _started(pod), pod=pod),
    )


def repeated(
    job: CIJob, closed: Attempt, retries: Retries, *, due: datetime, now: datetime
) -> CIJobStatus:
    """A job whose attempt ended and that is tried again, not before `due`."""
    message = (
        f"attempt {closed.number} ended with {closed.reason} ({closed.message}); "
        f"the next one starts at {format_time(due)}"
    )
    return changed(
        job,
        Change(Phase.QUEUED, Reason.BACKING_OFF, message),
        attempts=with_attempt(job, closed),
        retries=retries,
        waited=Waited(since=format_time(now)),
        exit_code=closed.exit_code,
        conditions=_with(job, now, (ConditionType.ADMITTED, False, Reason.BACKING_OFF, message)),
    )


def finished(
    job: CIJob, ending: Ending, now: datetime, *, pod: PodView | None = None
) -> CIJobStatus:
    """The end of a job; nothing is ever written after it."""
    fields: dict[str, object] = {}
    facts = []
    if pod:
        closed = close_attempt(job, pod, ending, now)
        start = job.status.start_time or closed.start_time
        if start:
            length = _length(start, closed.completion_time or start)
            fields |= {"start_time": start, "duration": length}
            facts += [_admitted(pod), _started(pod)]
        fields |= {"attempts": with_attempt(job, closed), "exit_code": ending.exit_code}
        fields["pool"] = pool_of(job, pod)
    succeeded = ending.phase == Phase.SUCCEEDED
    facts += [
        (ConditionType.FINISHED, True, ending.reason, ending.message),
        (ConditionType.SUCCEEDED, succeeded, ending.reason, ending.message),
    ]
    return changed(
        job,
        Change(ending.phase, ending.reason, ending.message),
        completion_time=format_time(now),
        conditions=_with(job, now, *facts, pod=pod),
        **fields,
    )


def malformed(words: str, now: datetime) -> dict[str, object]:
    """The status of an object that cannot be read as a job, as plain data."""
    moment = format_time(now)
    conditions = [
        Condition(
            type=kind,
            status=status,
            reason=Reason.MALFORMED,
            message=shortened(words, ATTEMPT_MESSAGE_LENGTH),
            last_transition_time=moment,
        ).model_dump(by_alias=True)
        for kind, status in ((ConditionType.FINISHED, "True"), (ConditionType.SUCCEEDED, "False"))
    ]
    return {
        "phase": Phase.ERROR.value,
        "reason": Reason.MALFORMED.value,
        "message": shortened(words, MESSAGE_LENGTH),
        "completionTime": moment,
        "conditions": conditions,
    }


def open_attempt(job: CIJob, pod: PodView) -> Attempt:
    """What is known of an attempt while its Pod lives."""
    container = pod.container
    return Attempt(
        number=pod.attempt,
        pod_name=pod.name,
        podUID=pod.uid,
        containerID=(container.id or None) if container else None,
        node_name=pod.node or None,
        template=pod.template or None,
        start_time=format_time(container.started) if container and container.started else None,
        spent=spent(job, pod),
    )


def close_attempt(job: CIJob, pod: PodView, ending: Ending, now: datetime) -> Attempt:
    """An attempt that has ended, for good."""
    ended = ending.finished or now
    return open_attempt(job, pod).model_copy(
        update={
            "completion_time": format_time(ended),
            "exit_code": ending.exit_code,
            "reason": ending.reason.value,
            "message": shortened(ending.message, ATTEMPT_MESSAGE_LENGTH),
            "spent": spent(job, pod, ended=ended, reason=ending.reason),
        }
    )


def with_attempt(job: CIJob, attempt: Attempt) -> list[Attempt]:
    """The job's attempts with this one added or replaced; the last ones only."""
    others = [known for known in job.status.attempts or [] if known.number != attempt.number]
    return sorted([*others, attempt], key=lambda known: known.number)[-ATTEMPTS_KEPT:]


def waited_seconds(job: CIJob, now: datetime, *, not_before: datetime | None = None) -> float:
    """How long the job's queue clock has run; waiting for `not_before` does not count."""
    waited = job.status.waited or Waited(since=job.metadata.creation_timestamp)
    since = parse_time(waited.since)
    if since and not_before:
        since = max(since, not_before)
    return waited.seconds + (max((now - since).total_seconds(), 0.0) if since else 0.0)


def shortened(text: str, length: int) -> str:
    """At most `length` characters, with the middle left out: both ends say most."""
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[:half]} … {text[-half:]}"[:length]


def _clock(job: CIJob, now: datetime, *, runs: bool) -> Waited | None:
    waited = job.status.waited
    stands = waited is not None and waited.since is None
    if runs == (not stands):
        return waited
    seconds = int(waited_seconds(job, now))
    return Waited(seconds=seconds, since=format_time(now) if runs else None)


Fact = tuple[ConditionType, bool, str, str]


def _admitted(pod: PodView) -> Fact:
    return (ConditionType.ADMITTED, True, "Admitted", f"Pod {pod.name} was created")


def _started(pod: PodView) -> Fact:
    return (ConditionType.STARTED, True, "Started", f"runs in Pod {pod.name}")


def _with(job: CIJob, now: datetime, *facts: Fact, pod: PodView | None = None) -> list[Condition]:
    """The job's conditions with these facts; a time changes only with the condition's status.

    What the Pod tells the time of has that one: it is written with the next status only, seconds
    later, and that the job waited until then would be wrong.
    """
    started = pod.container.started if pod and pod.container else None
    since = {ConditionType.ADMITTED: pod.created, ConditionType.STARTED: started} if pod else {}
    conditions = job.status.conditions
    for kind, holds, reason, message in facts:
        fact = Condition(
            type=kind,
            status="True" if holds else "False",
            reason=str(reason),
            message=shortened(message, ATTEMPT_MESSAGE_LENGTH),
            last_transition_time=format_time(since.get(kind) or now),
        )
        conditions = with_condition(conditions, fact)
    return conditions or []


def _length(start: str, end: str) -> str:
    first, last = parse_time(start), parse_time(end)
    return format_duration(last - first) if first and last else ""
