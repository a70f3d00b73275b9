"""What to do about a job, as a value: the whole of the operator's mind.

Every phase change in the product can be read here. Pure: no client, no clock, no logging; what is
known comes in as an Observation, the time as `now`. `act` carries the Decision out, and what
changes by that comes back as the next Observation.
"""

from datetime import datetime

from cijob_api.features import not_built
from cijob_api.parts import DesiredState
from cijob_api.reasons import Budget, Reason
from cijob_api.resolve import Refusal, Resolved, merge, resolve
from cijob_api.statuses import Attempt, Retries
from cijob_operator import statuses
from cijob_operator.decisions import Decision, Observation, Policy, Stop
from cijob_operator.podspecs import pod as pod_manifest
from cijob_operator.podviews import PodView
from cijob_operator.times import format_time, later, parse_time
from cijob_operator.verdicts import (
    OBEY_SECONDS,
    PHASE_SECONDS,
    Ending,
    ending,
    start_failure,
    stop_since,
)

# Ordinary starts and short waits are not worth a write.
QUIET_SECONDS = 5
LONGEST_BACKOFF_SECONDS = 300
INFRASTRUCTURE_BACKOFF_SECONDS = 1
IMAGE_WAITS = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"}


def decide(seen: Observation, now: datetime, policy: Policy) -> Decision:
    """What to do about one job now, and when to look again."""
    job = seen.job
    if job.metadata.deletion_timestamp:
        return Decision()  # its Pods go with it, by their owner reference
    if job.status.phase.is_final:
        return _clean_up(seen, now)
    number, pod = _current(seen)
    if pod:
        return _watch(seen, pod, now)
    lost = any(a.number == number and not a.completion_time for a in job.status.attempts or [])
    if lost and seen.intended != number:
        return _close_lost(seen, number, now)
    return _start(seen, number, now, policy)


def _current(seen: Observation) -> tuple[int, PodView | None]:
    """The number of the attempt that is under way or comes next, and its Pod if there is one."""
    known = {attempt.number: attempt for attempt in seen.job.status.attempts or []}
    pods = {pod.attempt: pod for pod in seen.pods}
    last = max([0, *known, *pods])
    if last == 0 or (last in known and known[last].completion_time):
        return last + 1, None
    return last, pods.get(last)


# -- before there is a Pod ---------------------------------------------------------------------


def _start(seen: Observation, number: int, now: datetime, policy: Policy) -> Decision:
    """Nothing runs: create the next attempt's Pod, or say what it waits for."""
    job = seen.job
    if job.spec.desired_state == DesiredState.CANCELLED:
        return _finish(seen, Ending(Reason.CANCELLED, "it was cancelled before it ran"), now)
    if missing := _missing_template(seen):
        return _wait(seen, Reason.TEMPLATE_NOT_FOUND, missing, now)
    said = merge(job.spec, seen.template.spec if seen.template else None)
    if field := not_built(said):
        words = f"this installation does not have {field} yet; leave it out, or upgrade"
        return _finish(seen, Ending(Reason.NOT_INSTALLED, words), now)
    resolved = resolve(job, seen.template, seen.pool, pool_name=seen.pool_name)
    if isinstance(resolved, Refusal):
        return _finish(seen, Ending(resolved.reason, resolved.message), now)
    if reason := _waits_for(seen, now):
        return _wait(seen, *reason, now, limit=resolved.queue_timeout_seconds)
    return _start_resolved(seen, number, resolved, now=now, policy=policy)


def _start_resolved(
    seen: Observation, number: int, resolved: Resolved, *, now: datetime, policy: Policy
) -> Decision:
    """Everything is known and nothing stands against it but the queue."""
    job = seen.job
    if not seen.admitted:
        words = (
            f"all {seen.pool.max_concurrent} places of pool {seen.pool_name} are taken; "
            f"{seen.queued} jobs wait"
        )
        reason = Reason.WAITING_FOR_CAPACITY
        return _wait(
            seen, reason, words, now, limit=resolved.queue_timeout_seconds, wants_place=True
        )
    if resolved.retry.infrastructure_limit == 0 and seen.intended != number:
        status = statuses.intended(job, number, now)
        return Decision(status=status, intend=number, holds_place=True)
    manifest = pod_manifest(job, resolved, number, policy.agent)
    return Decision(create=manifest, holds_place=True)


def _missing_template(seen: Observation) -> str:
    reference = seen.job.spec.template_ref
    if reference is None or seen.template is not None:
        return ""
    return f"there is no CIJobTemplate {reference.name!r} here or in the system namespace"


def _waits_for(seen: Observation, now: datetime) -> tuple[Reason, str] | None:
    """What a job that could be admitted still waits for, if anything."""
    if seen.job.spec.suspend:
        return Reason.SUSPENDED, "suspend is true; set it to false to have the job run"
    due = _backoff_due(seen)
    if due and now < due:
        return Reason.BACKING_OFF, seen.job.status.message or ""
    if seen.obstacle and (seen.obstacle.again is None or now < seen.obstacle.again):
        return seen.obstacle.reason, seen.obstacle.message
    return None


def _wait(
    seen: Observation,
    reason: Reason,
    message: str,
    now: datetime,
    *,
    limit: int | None = None,
    wants_place: bool = False,
) -> Decision:
    """Stay queued for a reason, up to the queue timeout; suspension stops that clock."""
    job = seen.job
    if seen.obstacle and seen.obstacle.again is None and reason == seen.obstacle.reason:
        return _finish(seen, Ending(reason, message), now)
    limit = limit or job.spec.queue_timeout_seconds or 86400
    waited = statuses.waited_seconds(job, now)
    if reason != Reason.SUSPENDED and waited >= limit:
        words = f"it waited {limit} s, the queue timeout; at the end for: {reason} ({message})"
        return _finish(seen, Ending(Reason.QUEUE_TIMED_OUT, words), now)
    moments = [later(now, limit - waited)] if reason != Reason.SUSPENDED else []
    moments += [due for due in (_backoff_due(seen),) if due and due > now]
    if seen.obstacle and seen.obstacle.again and seen.obstacle.again > now:
        moments.append(seen.obstacle.again)
    status = None
    if job.status.reason != reason:
        if reason != Reason.WAITING_FOR_CAPACITY:
            status = statuses.waiting(job, reason, message, now)
        elif waited < QUIET_SECONDS:
            moments.append(later(now, QUIET_SECONDS - waited))
        elif seen.passed_over:
            status = statuses.waiting(job, reason, message, now)
    again = min(moments) if moments else None
    return Decision(status=status, wants_place=wants_place, again=again)


def _backoff_due(seen: Observation) -> datetime | None:
    """When the next attempt may start, if the last one ended and is to be repeated."""
    status = seen.job.status
    if not status.retries or not status.waited or not status.attempts:
        return None
    since = parse_time(status.waited.since)
    closed = status.attempts[-1]
    if since is None or closed.completion_time is None or status.reason != Reason.BACKING_OFF:
        return None
    return later(since, _backoff_seconds(seen, Ending(Reason(closed.reason or ""), "")))


# -- while there is a Pod ----------------------------------------------------------------------


def _watch(seen: Observation, pod: PodView, now: datetime) -> Decision:
    """An attempt is under way: has it ended, must it be stopped, is there news?"""
    if end := ending(pod, now):
        return _close(seen, pod, end, now)
    container = pod.container
    started = container.started if container else None
    if seen.job.spec.desired_state == DesiredState.CANCELLED and not pod.stop:
        return _stop(seen, pod, Reason.CANCELLED, now)
    if pod.stop:
        return _await_stop(pod, now)
    if started is None:
        return _await_start(seen, pod, now)
    deadline = later(started, pod.timeout_seconds)
    if now >= deadline:
        return _stop(seen, pod, Reason.TIMED_OUT, now)
    status = None
    if seen.job.status.reason != Reason.RUNNING or _attempt_news(seen, pod):
        status = statuses.running(seen.job, pod, now)
    moments = [deadline, *([later(pod.deleting, OBEY_SECONDS)] if pod.deleting else [])]
    return Decision(status=status, holds_place=True, again=min(moments))


def _attempt_news(seen: Observation, pod: PodView) -> bool:
    """Whether status speaks of another Pod than the one that runs."""
    known = {attempt.number: attempt for attempt in seen.job.status.attempts or []}
    return pod.attempt not in known or known[pod.attempt].pod_uid != pod.uid


def _stop(seen: Observation, pod: PodView, reason: Reason, now: datetime) -> Decision:
    """End the Pod's containers. One that no node has yet cannot be told: it is deleted."""
    if not pod.node:
        words = "it was cancelled before it ran"
        return _close(seen, pod, Ending(reason, words), now)
    again = later(now, pod.grace_seconds + PHASE_SECONDS)
    return Decision(stop=Stop(pod, reason), holds_place=True, again=again)


def _await_stop(pod: PodView, now: datetime) -> Decision:
    _, since = stop_since(pod)
    begun = since or now
    bounds = [later(begun, pod.grace_seconds + s) for s in (PHASE_SECONDS, OBEY_SECONDS)]
    ahead = [bound for bound in bounds if bound > now]
    return Decision(holds_place=True, again=ahead[0] if ahead else later(now, 1))


def _await_start(seen: Observation, pod: PodView, now: datetime) -> Decision:
    """The Pod is there, its container does not run yet: for good, or for how long?"""
    if failure := start_failure(pod.container):
        words = pod.container.message if pod.container else ""
        return _close(seen, pod, Ending(failure, words or "the image's name is invalid"), now)
    reason, words = _start_words(pod)
    deadline = later(pod.created, pod.start_timeout_seconds)
    if now >= deadline:
        final = Reason.START_TIMED_OUT if reason == Reason.STARTING else reason
        words = f"not started after {pod.start_timeout_seconds} s: {words}"
        return _close(seen, pod, Ending(final, words), now)
    quiet = later(pod.created, QUIET_SECONDS)
    if now < quiet and reason == Reason.STARTING:
        return Decision(holds_place=True, again=min(quiet, deadline))
    shown = Reason.PULLING_IMAGE if reason == Reason.IMAGE_PULL_FAILED else reason
    status = None
    if seen.job.status.reason != shown:
        status = statuses.starting(seen.job, pod, shown, words, now=now)
    return Decision(status=status, holds_place=True, again=deadline)


def _start_words(pod: PodView) -> tuple[Reason, str]:
    """What a Pod that does not run yet waits for, and what it would end with."""
    container = pod.container
    waiting = container.waiting if container else ""
    words = (container.message if container else "") or waiting
    if waiting in IMAGE_WAITS:
        return Reason.IMAGE_PULL_FAILED, words
    if waiting == "CreateContainerConfigError":
        return Reason.CONFIG_MISSING, words
    if pod.unschedulable and not pod.node:
        return Reason.UNSCHEDULABLE, pod.unschedulable
    return Reason.STARTING, words or "the Pod waits for its node"


# -- the end of an attempt, and of the job -----------------------------------------------------


def _close(seen: Observation, pod: PodView, end: Ending, now: datetime) -> Decision:
    """An attempt has ended: try again out of the right budget, or finish the job."""
    leftover = () if pod.is_over else (pod,)
    retries = _spent(seen, end)
    if retries is None:
        status = statuses.finished(seen.job, end, now, pod=pod)
        return Decision(status=status, delete_pods=leftover, again=_expiry(seen, end, now))
    closed = statuses.close_attempt(pod, end, now)
    return _repeat(seen, closed, end, retries=retries, now=now, leftover=leftover)


def _close_lost(seen: Observation, number: int, now: datetime) -> Decision:
    """Status knows an attempt whose Pod is nowhere, and nobody saw how it ended."""
    end = Ending(Reason.POD_LOST, f"the Pod of attempt {number} is gone")
    known = next(a for a in seen.job.status.attempts or [] if a.number == number)
    closed = known.model_copy(
        update={
            "completion_time": format_time(now),
            "reason": end.reason.value,
            "message": end.message,
        }
    )
    retries = _spent(seen, end)
    if retries is not None:
        return _repeat(seen, closed, end, retries=retries, now=now)
    status = statuses.finished(seen.job, end, now)
    attempts = statuses.with_attempt(seen.job, closed)
    return Decision(status=status.model_copy(update={"attempts": attempts}))


def _repeat(
    seen: Observation,
    closed: Attempt,
    end: Ending,
    *,
    retries: Retries,
    now: datetime,
    leftover: tuple[PodView, ...] = (),
) -> Decision:
    seconds = _backoff_seconds(seen, end, retries)
    status = statuses.repeated(seen.job, closed, retries, seconds=seconds, now=now)
    return Decision(status=status, delete_pods=leftover, again=later(now, seconds))


def _spent(seen: Observation, end: Ending) -> Retries | None:
    """What both budgets have given after another attempt, or None if there is none."""
    job = seen.job
    if end.budget == Budget.NONE or job.spec.desired_state == DesiredState.CANCELLED:
        return None
    said = merge(job.spec, seen.template.spec if seen.template else None).retry
    before = job.status.retries or Retries()
    if end.budget == Budget.OWN:
        limit = said.limit if said and said.limit is not None else 0
        spent = before.model_copy(update={"own": before.own + 1})
        return spent if before.own < limit else None
    limit = said.infrastructure_limit if said and said.infrastructure_limit is not None else 3
    spent = before.model_copy(update={"infrastructure": before.infrastructure + 1})
    return spent if before.infrastructure < limit else None


def _backoff_seconds(seen: Observation, end: Ending, retries: Retries | None = None) -> float:
    """How long the next attempt waits: doubling, up to a limit."""
    spent = retries or seen.job.status.retries or Retries()
    if end.budget == Budget.INFRASTRUCTURE:
        first, times = INFRASTRUCTURE_BACKOFF_SECONDS, spent.infrastructure
    else:
        said = merge(seen.job.spec, seen.template.spec if seen.template else None).retry
        first = said.backoff_seconds if said and said.backoff_seconds is not None else 10
        times = spent.own
    return float(min(first * 2 ** max(times - 1, 0), LONGEST_BACKOFF_SECONDS))


def _finish(seen: Observation, end: Ending, now: datetime) -> Decision:
    """End a job that has no Pod under way."""
    status = statuses.finished(seen.job, end, now)
    return Decision(status=status, again=_expiry(seen, end, now))


def _expiry(seen: Observation, end: Ending, now: datetime) -> datetime:
    return later(now, _ttl_seconds(seen, succeeded=end.reason == Reason.COMPLETED))


def _ttl_seconds(seen: Observation, *, succeeded: bool) -> int:
    said = merge(seen.job.spec, seen.template.spec if seen.template else None)
    ttl = said.ttl_seconds_after_finished
    if succeeded:
        return 86400 if ttl is None or ttl.succeeded is None else ttl.succeeded
    return 604800 if ttl is None or ttl.failed is None else ttl.failed


def _clean_up(seen: Observation, now: datetime) -> Decision:
    """A finished job: its Pods stay for their logs until it goes, by its time to live."""
    status = seen.job.status
    completed = parse_time(status.completion_time) or now
    expires = later(completed, _ttl_seconds(seen, succeeded=status.reason == Reason.COMPLETED))
    running = tuple(pod for pod in seen.pods if not pod.is_over and not pod.deleting)
    if now >= expires:
        return Decision(delete_job=True, delete_pods=running)
    return Decision(delete_pods=running, again=expires)
