"""The end of an attempt, and of a job: try again out of the right budget, or finish. Pure.

Called by `decide` once it is certain how an attempt ended, or that there will be none.
"""

from dataclasses import replace
from datetime import datetime

from cijob_api.parts import DesiredState
from cijob_api.reasons import MEANINGS, Budget, Reason
from cijob_api.resolve import merge, retry_policy, time_to_live
from cijob_api.specs import Recipe
from cijob_api.statuses import Attempt, Retries
from cijob_operator import statuses
from cijob_operator.collecting import is_late
from cijob_operator.decisions import Decision, Observation, Policy, Stop
from cijob_operator.podviews import PodView
from cijob_operator.sources import late_commit, ran_on, with_source
from cijob_operator.times import format_time, later, parse_time
from cijob_operator.verdicts import Ending, agent_ending

LONGEST_BACKOFF_SECONDS = 300
INFRASTRUCTURE_BACKOFF_SECONDS = 1


def close(seen: Observation, pod: PodView, end: Ending, now: datetime) -> Decision:
    """An attempt has ended: try again out of the right budget, or finish the job."""
    end = _as_wanted(seen, end)
    retries = _spent(seen, end)
    if retries is not None:
        closed = statuses.close_attempt(seen.job, pod, end, now)
        decision = _repeat(seen, closed, retries, now=now)
    else:
        status = statuses.finished(seen.job, end, now, pod=pod)
        status = with_source(status, ran_on(_said(seen), pod))
        decision = Decision(status=status, again=_expiry(seen, end, now))
    decision = end_rest(decision, (pod,))
    late = (Stop(pod, end.reason),) if is_late(seen, pod) else ()
    return replace(decision, stops=(*decision.stops, *late))


def end_rest(decision: Decision, pods: tuple[PodView, ...]) -> Decision:
    """The decision, and an end for those Pods of closed attempts that could still do something.

    A Pod whose agent failed is stopped: the agent's log says more than its last words. The others
    have nothing to show, and are deleted.
    """
    stops: list[Stop] = []
    deleted: list[PodView] = []
    for pod in pods:
        if pod.is_over or pod.deleting:
            continue
        if not pod.agent or not pod.agent.failed:
            deleted.append(pod)
        elif not pod.stop:
            stops.append(Stop(pod, agent_ending(pod.agent).reason))
    return replace(decision, stops=tuple(stops), delete_pods=tuple(deleted))


def close_lost(seen: Observation, number: int, now: datetime) -> Decision:
    """Status knows an attempt whose Pod is nowhere, and nobody saw how it ended."""
    end = _as_wanted(seen, Ending(Reason.POD_LOST, f"the Pod of attempt {number} is gone"))
    known = next(a for a in seen.job.status.attempts or [] if a.number == number)
    ended = {"completion_time": format_time(now), "reason": end.reason.value}
    closed = known.model_copy(update={**ended, "message": end.message})
    retries = _spent(seen, end)
    if retries is not None:
        return _repeat(seen, closed, retries, now=now)
    attempts = statuses.with_attempt(seen.job, closed)
    status = statuses.finished(seen.job, end, now)
    status = status.model_copy(update={"attempts": attempts, "exit_code": None})
    return Decision(status=status, again=_expiry(seen, end, now))


def finish(seen: Observation, end: Ending, now: datetime) -> Decision:
    """End a job that has no Pod under way."""
    status = statuses.finished(seen.job, end, now)
    return Decision(status=status, again=_expiry(seen, end, now))


def clean_up(seen: Observation, now: datetime, policy: Policy) -> Decision:
    """A finished job goes by its time to live; its Pods before it, once their logs are kept."""
    ended = seen.job.status
    completed = parse_time(ended.completion_time) or now
    expires = later(completed, _ttl_seconds(seen, succeeded=ended.reason == Reason.COMPLETED))
    released = _released(seen, completed, policy) or now
    status = late_commit(ended, seen.pods)
    if now < released:  # also when the job's time is over: its Pods would go with it
        return end_rest(Decision(status=status, again=released), seen.pods)
    if now >= expires:
        return end_rest(Decision(delete_job=True), seen.pods)
    decision = end_rest(Decision(status=status, again=expires), seen.pods)
    if policy.archive_grace_seconds is None:
        return decision
    over = [pod for pod in seen.pods if pod.is_over and not (pod.deleting or pod.gone)]
    return replace(decision, delete_pods=(*decision.delete_pods, *over))


def _released(seen: Observation, completed: datetime, policy: Policy) -> datetime | None:
    """When its Pods may go though their logs are not kept; None if nothing is waited for."""
    grace, results = policy.archive_grace_seconds, seen.job.status.results
    archived = results is not None and results.logs is not None
    return None if grace is None or archived or not seen.pods else later(completed, grace)


def backoff_due(seen: Observation) -> datetime | None:
    """When the next attempt may start, if the last one ended and is to be repeated."""
    status = seen.job.status
    if status.retries is None or not status.attempts:
        return None
    closed = status.attempts[-1]
    ended = parse_time(closed.completion_time)
    return later(ended, _backoff_seconds(seen, closed.reason, status.retries)) if ended else None


def _as_wanted(seen: Observation, end: Ending) -> Ending:
    """A job that was to be cancelled is, also when the platform was faster."""
    cancelled = seen.job.spec.desired_state == DesiredState.CANCELLED
    if not cancelled or end.budget != Budget.INFRASTRUCTURE:
        return end
    return replace(end, reason=Reason.CANCELLED, message=f"it was cancelled; {end.message}")


def _repeat(seen: Observation, closed: Attempt, retries: Retries, *, now: datetime) -> Decision:
    seconds = _backoff_seconds(seen, closed.reason, retries)
    due = later(parse_time(closed.completion_time) or now, seconds)
    status = statuses.repeated(seen.job, closed, retries, due=due, now=now)
    return Decision(status=status, again=max(due, now))


def _spent(seen: Observation, end: Ending) -> Retries | None:
    """What both budgets have given after another attempt, or None if there is none."""
    job = seen.job
    if end.budget == Budget.NONE or job.spec.desired_state == DesiredState.CANCELLED:
        return None
    policy = retry_policy(_said(seen))
    before = job.status.retries or Retries()
    own, infrastructure = before.own, before.infrastructure
    if end.budget == Budget.OWN:
        return before.model_copy(update={"own": own + 1}) if own < policy.limit else None
    if infrastructure >= policy.infrastructure_limit:
        return None
    return before.model_copy(update={"infrastructure": infrastructure + 1})


def _backoff_seconds(seen: Observation, reason: str | None, spent: Retries) -> float:
    """How long the attempt after one that ended so waits: doubling, up to a limit."""
    known = {str(name): meaning.budget for name, meaning in MEANINGS.items()}
    budget = known.get(reason or "", Budget.INFRASTRUCTURE)
    if budget == Budget.OWN:
        first, times = retry_policy(_said(seen)).backoff_seconds, spent.own
    else:
        first, times = INFRASTRUCTURE_BACKOFF_SECONDS, spent.infrastructure
    return float(min(first * 2 ** max(times - 1, 0), LONGEST_BACKOFF_SECONDS))


def _expiry(seen: Observation, end: Ending, now: datetime) -> datetime:
    return later(now, _ttl_seconds(seen, succeeded=end.reason == Reason.COMPLETED))


def _ttl_seconds(seen: Observation, *, succeeded: bool) -> int:
    ttl = time_to_live(_said(seen))
    return ttl.succeeded if succeeded else ttl.failed


def _said(seen: Observation) -> Recipe:
    return merge(seen.job.spec, seen.template.spec if seen.template else None)
