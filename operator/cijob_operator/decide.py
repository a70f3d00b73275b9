"""What to do about a job, as a value: the whole of the operator's mind.

Every phase change in the product can be read here. Pure: no client, no clock, no logging; what is
known comes in as an Observation, the time as `now`. `act` carries the Decision out, and what
changes by that comes back as the next Observation.
"""

from dataclasses import replace
from datetime import datetime

from cijob_api.admission import waiting
from cijob_api.features import not_built
from cijob_api.fitting import Refusal, fit
from cijob_api.parts import DesiredState
from cijob_api.places import Waiting
from cijob_api.reasons import Reason
from cijob_api.resolve import merge, resolve, unrunnable
from cijob_api.specs import Recipe
from cijob_operator import statuses
from cijob_operator.closing import backoff_due, clean_up, close, close_lost, end_rest, finish
from cijob_operator.collecting import awaited, known_end, with_missing
from cijob_operator.decisions import Decision, Observation, Policy, Stop
from cijob_operator.groups import member_of
from cijob_operator.podspecs import pod as pod_manifest
from cijob_operator.podviews import PodView
from cijob_operator.starts import start_deadline, start_failure, start_wait, timed_out
from cijob_operator.times import later
from cijob_operator.verdicts import OBEY_SECONDS, PHASE_SECONDS, Ending, ending, stop_since

# Ordinary starts and short waits are not worth a write; nor is every change of words.
QUIET_SECONDS = 5
REPEAT_SECONDS = 30


def decide(seen: Observation, now: datetime, policy: Policy) -> Decision:
    """What to do about one job now, and when to look again."""
    job = seen.job
    if job.metadata.deletion_timestamp:
        # Its Pods go with it, by their owner reference; until then they take its place.
        return Decision(holds_place=any(not pod.is_over for pod in seen.pods))
    if job.status.phase.is_final:
        return clean_up(seen, now, policy)
    number, pod = _current(seen)
    if pod:
        return _watch(seen, pod, now)
    if _is_open(seen, number) and seen.intended != number:
        return close_lost(seen, number, now)
    # What failed when an attempt was closed is made up for: its Pod's end.
    return end_rest(_start(seen, number, now, policy), seen.pods)


def _current(seen: Observation) -> tuple[int, PodView | None]:
    """The number of the attempt that is under way or comes next, and its Pod if there is one."""
    known = {attempt.number: attempt for attempt in seen.job.status.attempts or []}
    pods = {pod.attempt: pod for pod in seen.pods}
    last = max([0, *known, *pods])
    if last == 0 or (last in known and known[last].completion_time):
        return last + 1, None
    return last, pods.get(last)


def _is_open(seen: Observation, number: int) -> bool:
    """Whether status knows of that attempt and of no end of it."""
    attempts = seen.job.status.attempts or []
    return any(known.number == number and not known.completion_time for known in attempts)


# -- before there is a Pod ---------------------------------------------------------------------


def _start(seen: Observation, number: int, now: datetime, policy: Policy) -> Decision:
    """Nothing runs: create the next attempt's Pod, or say what it waits for."""
    job = seen.job
    if job.spec.desired_state == DesiredState.CANCELLED:
        when = "it ran" if number == 1 else f"attempt {number} began"
        return finish(seen, Ending(Reason.CANCELLED, f"it was cancelled before {when}"), now)
    if seen.superseded_by:
        return finish(seen, Ending(Reason.SUPERSEDED, _superseded(seen)), now)
    if job.spec.suspend:
        words = "suspend is true; set it to false to have the job run"
        return _wait(seen, Reason.SUSPENDED, words, now)
    if missing := _missing_template(seen):
        return _wait(seen, Reason.TEMPLATE_NOT_FOUND, missing, now)
    said = merge(job.spec, seen.template.spec if seen.template else None)
    if refusal := unrunnable(said) or _not_installed(said):
        return finish(seen, Ending(refusal.reason, refusal.message), now)
    limit = said.queue_timeout_seconds
    fitting = fit(said, seen.pools, namespace=job.metadata.namespace)
    if refusal := fitting.refusal:
        if refusal.reason == Reason.NO_FITTING_POOL:
            return _wait(seen, refusal.reason, refusal.message, now, limit=limit)
        return finish(seen, Ending(refusal.reason, refusal.message), now)
    if reason := _waits_for(seen, now):
        return _wait(seen, *reason, now, limit=limit)
    if seen.place not in fitting.pools:
        wants = waiting(job, said, fitting.pools)
        words = seen.passed_over
        return _wait(seen, Reason.WAITING_FOR_CAPACITY, words, now, limit=limit, wants=wants)
    return _start_admitted(seen, number, now, policy)


def _start_admitted(seen: Observation, number: int, now: datetime, policy: Policy) -> Decision:
    """Everything is known, and it has a place."""
    job = seen.job
    resolved = resolve(job, seen.template, seen.pools[seen.place], pool_name=seen.place)
    if isinstance(resolved, Refusal):
        return finish(seen, Ending(resolved.reason, resolved.message), now)
    announced = seen.intended == number and _is_open(seen, number)
    if resolved.retry.infrastructure_limit == 0 and not announced:
        status = statuses.intended(job, number, now, quiet=seen.obstacle is not None)
        return Decision(status=status, intend=number, holds_place=True)
    manifest = pod_manifest(job, resolved, number, policy.pods)
    return Decision(create=manifest, holds_place=True)


def _not_installed(said: Recipe) -> Refusal | None:
    field = not_built(said)
    if field is None:
        return None
    words = f"this installation does not have {field} yet; leave it out, or upgrade"
    return Refusal(Reason.NOT_INSTALLED, words)


def _missing_template(seen: Observation) -> str:
    reference = seen.job.spec.template_ref
    if reference is None or seen.template is not None:
        return ""
    return f"there is no CIJobTemplate {reference.name!r} here or in the system namespace"


def _waits_for(seen: Observation, now: datetime) -> tuple[Reason, str] | None:
    """What a job that could be admitted still waits for, if anything."""
    due = backoff_due(seen)
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
    wants: Waiting | None = None,
) -> Decision:
    """Stay queued for a reason, up to the queue timeout; suspension stops that clock."""
    job = statuses.without_intent(seen.job) if seen.obstacle_refused else seen.job
    takes_back = job is not seen.job and reason != Reason.WAITING_FOR_CAPACITY
    seen = replace(seen, job=job)
    if seen.obstacle and seen.obstacle.again is None and reason == seen.obstacle.reason:
        return finish(seen, Ending(reason, message), now)
    limit = limit or job.spec.queue_timeout_seconds or 86400
    due = backoff_due(seen)
    waited = statuses.waited_seconds(job, now, not_before=due)
    if reason != Reason.SUSPENDED and waited >= limit:
        words = f"it waited {limit} s, the queue timeout; at the end for: {reason} ({message})"
        return finish(seen, Ending(Reason.QUEUE_TIMED_OUT, words), now)
    moments = [] if reason == Reason.SUSPENDED else [later(max(now, due or now), limit - waited)]
    moments += [moment for moment in (due, _obstacle_ends(seen)) if moment and moment > now]
    said_at = now if takes_back else _due(seen, reason, message, now)
    if reason == Reason.WAITING_FOR_CAPACITY:
        said_at = _capacity_due(seen, waited, now)
    status = None
    if said_at and said_at <= now:
        status = statuses.waiting(job, reason, message, now)
    elif said_at:
        moments.append(said_at)
    again = min(moments) if moments else None
    stays = None if wants else member_of(seen)
    return Decision(status=status, wants=wants, stays=stays, again=again)


def _capacity_due(seen: Observation, waited: float, now: datetime) -> datetime | None:
    """When a wait for a place is to be written, once: how many others wait is no news.

    A long one is, or one that starts a clock that stood still.
    """
    if seen.job.status.reason == Reason.WAITING_FOR_CAPACITY:
        return None
    clock = seen.job.status.waited
    stood_still = clock is not None and not clock.since
    if seen.passed_over and (waited >= QUIET_SECONDS or stood_still):
        return now
    return later(now, QUIET_SECONDS - waited) if waited < QUIET_SECONDS else None


def _obstacle_ends(seen: Observation) -> datetime | None:
    return seen.obstacle.again if seen.obstacle else None


# -- while there is a Pod ----------------------------------------------------------------------


def _watch(seen: Observation, pod: PodView, now: datetime) -> Decision:
    """An attempt is under way: has it ended, must it be stopped, is there news?"""
    if end := known_end(seen, pod) or ending(pod, now):
        if waits := awaited(seen, pod, end, now):
            return Decision(collecting=waits, again=waits.until)
        return close(seen, pod, with_missing(seen, pod, end), now)
    if seen.job.spec.desired_state == DesiredState.CANCELLED and not pod.stop:
        return _stop(seen, pod, Reason.CANCELLED, now)
    if seen.superseded_by and not pod.stop:
        return _stop(seen, pod, Reason.SUPERSEDED, now)
    if pod.stop:
        return _await_stop(pod, now)
    deadline = _run_deadline(pod)
    if deadline and now >= deadline:
        return _stop(seen, pod, Reason.TIMED_OUT, now)
    if deadline is None or pod.awaits_agent:
        return _await_start(seen, pod, now)
    status = None
    if seen.job.status.reason != Reason.RUNNING or _attempt_news(seen, pod):
        status = statuses.running(seen.job, pod, now)
    moments = [deadline, *([later(pod.deleting, OBEY_SECONDS)] if pod.deleting else [])]
    return Decision(status=status, holds_place=True, again=min(moments))


def _superseded(seen: Observation) -> str:
    return f"job {seen.superseded_by} of its group took its place"


def _run_deadline(pod: PodView) -> datetime | None:
    """When the job's time is over, fetching its source included; None while it does not run."""
    started = pod.container.started if pod.container else None
    return later(started, pod.timeout_seconds) if started else None


def _attempt_news(seen: Observation, pod: PodView) -> bool:
    """Whether status speaks of another Pod than the one that runs."""
    known = {attempt.number: attempt for attempt in seen.job.status.attempts or []}
    return pod.attempt not in known or known[pod.attempt].pod_uid != pod.uid


def _stop(seen: Observation, pod: PodView, reason: Reason, now: datetime) -> Decision:
    """End the Pod's containers. One that no node has yet cannot be told: it is deleted."""
    if not pod.node:
        cancelled = reason == Reason.CANCELLED
        words = "it was cancelled before it ran" if cancelled else _superseded(seen)
        return close(seen, pod, Ending(reason, words), now)
    again = later(now, pod.grace_seconds + PHASE_SECONDS)
    return Decision(stops=(Stop(pod, reason),), holds_place=True, again=again)


def _await_stop(pod: PodView, now: datetime) -> Decision:
    _, since = stop_since(pod)
    begun = since or now
    bounds = [later(begun, pod.grace_seconds + s) for s in (PHASE_SECONDS, OBEY_SECONDS)]
    ahead = [bound for bound in bounds if bound > now]
    return Decision(holds_place=True, again=ahead[0] if ahead else later(now, 1))


def _await_start(seen: Observation, pod: PodView, now: datetime) -> Decision:
    """The Pod is there, a container of it does not run yet: for good, or for how long?"""
    deadline = start_deadline(pod)
    if failure := start_failure(pod) or (timed_out(pod) if now >= deadline else None):
        return close(seen, pod, failure, now)
    wait = start_wait(pod)
    quiet = later(pod.created, QUIET_SECONDS)
    moments = [deadline, *([later(pod.deleting, OBEY_SECONDS)] if pod.deleting else [])]
    moments += [run] if (run := _run_deadline(pod)) else []
    if now < quiet and wait.reason == Reason.STARTING:
        return Decision(holds_place=True, again=min(quiet, *moments))
    due = _due(seen, wait.shown, wait.words, now)
    if wait.repeats and seen.job.status.reason == wait.shown:
        due = None
    status = None
    if due and due <= now:
        status = statuses.starting(seen.job, pod, wait.shown, wait.words, now=now)
    elif due:
        moments.append(due)
    return Decision(status=status, holds_place=True, again=min(moments))


def _due(seen: Observation, reason: Reason, message: str, now: datetime) -> datetime | None:
    """When a reason to wait is to be written; None if it stands there, in the same words.

    Other words under the same reason are news, but not more often than every 30 s: a scheduler's
    or a quota's words change with every Pod that comes and goes.
    """
    if seen.job.status.reason != reason:
        return now
    if seen.job.status.message == statuses.shown(message):
        return None
    return max(now, later(seen.told, REPEAT_SECONDS)) if seen.told else now
