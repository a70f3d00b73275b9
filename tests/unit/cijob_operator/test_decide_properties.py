"""What holds of every decision, whatever is seen."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_api.reasons import Reason
from cijob_operator.act import status_patch
from cijob_operator.decide import decide
from cijob_operator.decisions import Collecting, Decision, Observation, Obstacle, Policy
from cijob_operator.podviews import AgentView, view
from cijob_operator.times import format_time
from cijob_operator.verdicts import Ending
from unit.cijob_operator.builders import (
    NOON,
    after,
    agent,
    ago,
    attempt,
    backing_off,
    ended,
    is_running,
    job,
    pod,
    refused,
    running,
    starting,
    stopped,
    template,
)

RESULTS = {"logs": {"lines": 7}, "tests": {"summary": "7 of 7", "total": 7}}
COLLECTED = {**RESULTS, "collection": {"attempt": 1, "state": "Complete"}}
STATUSES: list[dict[str, Any]] = [
    {},
    {"phase": "Queued", "reason": "WaitingForCapacity"},
    {"phase": "Queued", "reason": "QuotaExceeded"},
    {"phase": "Queued", "reason": "Suspended", "waited": {"seconds": 30}},
    backing_off("CommandFailed", own=1),
    backing_off("PodLost", infrastructure=1, since=600),
    {"phase": "Starting", "reason": "PullingImage", "attempts": [attempt(1)]},
    {"phase": "Starting", "reason": "Starting", "attempts": [{"number": 1}]},
    is_running(),
    is_running(2, attempts=[attempt(1, "CommandFailed"), attempt(2)], retries={"own": 1}),
]
FINISHED: list[dict[str, Any]] = [
    {"phase": phase, "reason": reason, "completionTime": format_time(ago(5))}
    for phase, reason in [
        ("Succeeded", "Completed"),
        ("Failed", "CommandFailed"),
        ("Error", "PodLost"),
        ("Cancelled", "Cancelled"),
    ]
]
PODS = [
    pod(),
    pod(created=ago(2)),
    pod(unschedulable="0/1 nodes"),
    starting(),
    starting("ErrImagePull", "manifest unknown"),
    starting("InvalidImageName"),
    starting("CreateContainerConfigError", created=ago(700)),
    starting(created=ago(700)),
    running(),
    running(9999),
    running(deleting=after(30)),
    running(deleting=ago(200)),
    running(gone=True),
    running(stop=stopped("Cancelled")),
    running(stop=stopped("TimedOut", 500)),
    ended(0),
    ended(1),
    ended(137, "OOMKilled"),
    ended(0, stop=stopped("Cancelled"), phase="Failed", reason="DeadlineExceeded"),
    ended(143, deleting=after(20)),
    ended(143, gone=True),
    running(agent=agent()),
    running(agent=AgentView(waiting="ErrImagePull", message="unknown")),
    running(agent=agent(1, stage="unpack", reason="SourceRejected")),
    running(agent=agent(137, stage="fetch"), deleting=after(20)),
    running(agent=agent(0, stage="done")),
    starting("PodInitializing", agent=replace(agent(1), before=True)),
    refused("OutOfcpu"),
    ended(1, agent=agent(), collects=True),
    ended(0, agent=agent(), collects=True, deleting=after(20)),
    ended(1, agent=agent(0, stage="done"), collects=True),
    ended(1, agent=agent(137, stage="collect"), collects=True, gone=True),
]
WAITS = [
    Collecting("pod-uid-1", 1, Ending(Reason.COMMAND_FAILED, "exit code 1", 1), ago(70 - s), at)
    for s, at in ((60, after(50)), (0, ago(10)))
]
OBSTACLES = [
    Obstacle(Reason.QUOTA_EXCEEDED, "exceeded quota", after(15)),
    Obstacle(Reason.ADMISSION_DENIED, "denied", None),
]


@st.composite
def observations(draw: st.DrawFn, statuses: list[dict[str, Any]] = STATUSES) -> Observation:
    """Any job in any state with any Pod."""
    results = draw(st.sampled_from([RESULTS, COLLECTED]))
    status = {**draw(st.sampled_from(statuses)), "results": results}
    retry = {
        "limit": draw(st.integers(0, 2)),
        "infrastructureLimit": draw(st.integers(0, 2)),
        "backoffSeconds": draw(st.integers(1, 100)),
    }
    named = draw(st.sampled_from([None, None, "python"]))
    what = job(
        status=status,
        created=draw(st.sampled_from([0, 3, 60, 100_000])),
        template=named,
        retry=retry,
        suspend=draw(st.booleans()),
        desiredState=draw(st.sampled_from(["Run", "Run", "Cancelled"])),
        ttlSecondsAfterFinished=draw(st.sampled_from([None, {"succeeded": 0, "failed": 0}])),
    )
    numbers = draw(st.sampled_from([(), (1,), (1,), (2,), (1, 2)]))
    pods = [_numbered(draw(st.sampled_from(PODS)), number) for number in numbers]
    return Observation(
        what,
        pods=tuple(pods),
        template=draw(st.sampled_from([None, template(script="make")])) if named else None,
        place=draw(st.sampled_from(["", "default"])),
        passed_over=draw(st.sampled_from(["", "all places are taken"])),
        superseded_by=draw(st.sampled_from(["", "", "newer"])),
        intended=draw(st.integers(0, 2)),
        obstacle=draw(st.sampled_from([None, None, *OBSTACLES])),
        collecting=draw(st.sampled_from([None, *WAITS])),
    )


def _numbered(what: Any, number: int) -> Any:
    return replace(what, attempt=number, name=f"tests-{number}", uid=f"pod-uid-{number}")


def applied(seen: Observation, decision: Decision) -> Observation:
    """What is seen once the decision was carried out, at the same moment."""
    pods = {each.name: each for each in seen.pods}
    for gone in decision.delete_pods:
        pods[gone.name] = replace(pods[gone.name], deleting=after(gone.grace_seconds))
    for stop in decision.stops:
        what = stop.pod
        mark = stopped(stop.reason, 0)
        pods[what.name] = replace(pods[what.name], stop=mark)
    if decision.create:
        body = decision.create
        body["metadata"] |= {"creationTimestamp": format_time(NOON), "uid": "new"}
        pods[body["metadata"]["name"]] = view(body)
    status = decision.status or seen.job.status
    return replace(
        seen,
        job=seen.job.model_copy(update={"status": status}),
        pods=tuple(sorted(pods.values(), key=lambda each: each.attempt)),
        intended=0 if decision.create else (decision.intend or seen.intended),
        obstacle=None if decision.create else seen.obstacle,
        told=NOON if decision.status else seen.told,
        collecting=decision.collecting,
        place="default" if (seen.place and not decision.status) or decision.holds_place else "",
    )


def acts(decision: Decision) -> bool:
    return bool(
        decision.status
        or decision.create
        or decision.stops
        or decision.delete_pods
        or decision.delete_job
    )


@settings(deadline=None)
@given(observations(STATUSES + FINISHED))
def test_the_same_is_decided_twice(seen: Observation) -> None:
    assert decide(seen, NOON, Policy()) == decide(seen, NOON, Policy())


@settings(deadline=None)
@given(observations(STATUSES + FINISHED))
def test_carried_out_at_the_same_moment_nothing_is_left_to_do(seen: Observation) -> None:
    created: list[str] = []
    for _ in range(4):
        decision = decide(seen, NOON, Policy())
        if decision.create:
            created.append(decision.create["metadata"]["name"])
        if not acts(decision) or decision.delete_job:
            break
        seen = applied(seen, decision)
    else:
        raise AssertionError(f"still acts: {decision}")
    assert len(created) <= 1


@settings(deadline=None)
@given(observations())
def test_nothing_waits_without_a_deadline(seen: Observation) -> None:
    decision = decide(seen, NOON, Policy())
    status = decision.status or seen.job.status
    suspended = bool(seen.job.spec.suspend) and not decision.holds_place
    if status.phase.is_final or suspended or acts(decision):
        return  # what acts is looked at again at once
    assert decision.again is not None
    assert decision.again > NOON


@settings(deadline=None)
@given(observations())
def test_what_is_created_holds_a_place_and_what_is_over_holds_none(seen: Observation) -> None:
    decision = decide(seen, NOON, Policy())
    under_way = decision.stops and not decision.status
    if decision.create or decision.intend or under_way:
        assert decision.holds_place
    if decision.status and decision.status.phase.is_final:
        assert not decision.holds_place
        assert not decision.wants
    assert not (decision.holds_place and decision.wants)


@settings(deadline=None)
@given(observations(FINISHED))
def test_a_finished_job_is_never_written_again(seen: Observation) -> None:
    decision = decide(seen, NOON, Policy())
    assert (decision.status, decision.create) == (None, None)


@settings(deadline=None)
@given(observations())
def test_a_status_never_loses_its_results(seen: Observation) -> None:
    decision = decide(seen, NOON, Policy())
    if decision.status:
        assert decision.status.results == seen.job.status.results
        assert "results" not in status_patch(seen.job.status, decision.status)


@settings(deadline=None)
@given(observations())
def test_a_job_that_may_start_once_never_starts_without_its_intent(seen: Observation) -> None:
    decision = decide(seen, NOON, Policy())
    retry = seen.job.spec.retry
    if decision.create and retry and retry.infrastructure_limit == 0:
        number = int(decision.create["metadata"]["labels"]["cijob.dev/attempt"])
        assert seen.intended == number
