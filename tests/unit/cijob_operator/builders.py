"""Jobs and Pods as the tests see them, each in one line, and the noon that all of them share."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.places import Waiting
from cijob_api.statuses import CIJobStatus
from cijob_operator.agents import read_report
from cijob_operator.decide import decide
from cijob_operator.decisions import Decision, Observation, Policy
from cijob_operator.podviews import AgentView, ContainerView, Ended, PodView
from cijob_operator.times import format_time

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
IMAGE = "cijob/python:dev"
NEVER_AGAIN: dict[str, Any] = {"retry": {"limit": 0, "infrastructureLimit": 0}}


def ago(seconds: float) -> datetime:
    """So many seconds before noon."""
    return NOON - timedelta(seconds=seconds)


def after(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def job(
    *,
    status: dict[str, Any] | None = None,
    created: float = 60,
    deleted: bool = False,
    template: str | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> CIJob:
    """A job of `created` seconds ago, fields of its spec as in YAML."""
    metadata: dict[str, Any] = {
        "name": "tests",
        "namespace": "team",
        "uid": "job-uid",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": format_time(ago(created)),
    }
    if deleted:
        metadata["deletionTimestamp"] = format_time(NOON)
    if labels:
        metadata["labels"] = labels
    if template:
        spec["templateRef"] = {"name": template}
    return CIJob.parse(
        {"metadata": metadata, "spec": {"image": IMAGE, **spec}, "status": status or {}}
    )


def template(**spec: Any) -> CIJobTemplate:
    """The template `python`."""
    metadata = {"name": "python", "namespace": "team", "generation": 3}
    return CIJobTemplate.parse({"metadata": metadata, "spec": spec})


def pod(**facts: Any) -> PodView:
    """A Pod without a node, created 60 s ago."""
    plain = PodView(
        name=f"tests-{facts.get('attempt', 1)}",
        namespace="team",
        uid=f"pod-uid-{facts.get('attempt', 1)}",
        owner="job-uid",
        job="tests",
        attempt=1,
        created=ago(60),
    )
    return replace(plain, **facts)


def starting(waiting: str = "ContainerCreating", words: str = "", /, **facts: Any) -> PodView:
    """A Pod with a node whose container waits for something."""
    container = ContainerView(waiting=waiting, message=words)
    return pod(**{"node": "node-1", "container": container, **facts})


def running(seconds: float = 30, **facts: Any) -> PodView:
    """A Pod whose container has run for so long."""
    container = ContainerView(id="containerd://c", started=ago(seconds))
    return pod(**{"node": "node-1", "phase": "Running", "container": container, **facts})


def ended(code: int, said: str = "", words: str = "", /, **facts: Any) -> PodView:
    """A Pod whose container ran for 30 s and ended this second; its phase comes a second later."""
    end = Ended(code, said or ("Completed" if code == 0 else "Error"), words, finished=NOON)
    container = ContainerView(id="containerd://c", started=ago(30), ended=end)
    return pod(**{"node": "node-1", "phase": "Running", "container": container, **facts})


def refused(reason: str, message: str = "", **facts: Any) -> PodView:
    """A Pod that the kubelet gave up before its container ever ran."""
    return pod(
        **{"node": "node-1", "phase": "Failed", "reason": reason, "message": message, **facts}
    )


def agent(code: int | None = None, said: str = "", /, **report: object) -> AgentView:
    """An agent that started 29 s ago and runs, or ended 1 s ago with what it had reported."""
    started = ContainerView(id="containerd://a", started=ago(29))
    if code is None:
        return AgentView(**vars(started))
    end = Ended(code, said or ("Completed" if code == 0 else "Error"), finished=ago(1))
    told = read_report(json.dumps(report) if report else "")
    return AgentView(**{**vars(started), "ended": end}, report=told)


def stopped(why: str, seconds: float = 1) -> str:
    """The mark of our own stop, of so many seconds ago."""
    return f"{why} {format_time(ago(seconds))}"


def attempt(number: int = 1, reason: str | None = None, **facts: Any) -> dict[str, Any]:
    """An attempt in a status: closed with that reason, or under way."""
    plain = {"number": number, "podName": f"tests-{number}", "podUID": f"pod-uid-{number}"}
    if reason:
        plain |= {"reason": reason, "completionTime": format_time(ago(5)), "message": "it ended"}
    return {**plain, **facts}


def backing_off(
    reason: str = "CommandFailed", *, since: float = 2, own: int = 0, infrastructure: int = 0
) -> dict[str, Any]:
    """The status of a job whose first attempt ended so, and that is to be tried again."""
    return {
        "phase": "Queued",
        "reason": "BackingOff",
        "message": "attempt 1 ended",
        "attempts": [attempt(1, reason, completionTime=format_time(ago(since)))],
        "retries": {"own": own, "infrastructure": infrastructure},
        "waited": {"seconds": 0, "since": format_time(ago(since))},
    }


def is_running(number: int = 1, **status: Any) -> dict[str, Any]:
    """The status of a job that runs."""
    return {
        "phase": "Running",
        "reason": "Running",
        "message": f"runs in Pod tests-{number}",
        "startTime": format_time(ago(30)),
        "attempts": [attempt(number)],
        **status,
    }


def look(
    what: CIJob,
    *pods: PodView,
    now: datetime = NOON,
    admitted: bool = False,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    **known: Any,
) -> Decision:
    """What is decided about this job with these Pods."""
    return decide(
        Observation(what, pods=pods, place="default" if admitted else "", **known), now, policy
    )


def wanted(decision: Decision) -> Waiting:
    """The place that the decision asks for; it must ask for one."""
    assert decision.wants is not None
    return decision.wants


def status_of(decision: Decision) -> CIJobStatus:
    """The status that the decision writes; it must write one."""
    assert decision.status is not None
    return decision.status


def reason_of(decision: Decision) -> str | None:
    """How the job or its attempt ended."""
    status = status_of(decision)
    closed = [a.reason for a in status.attempts or [] if a.completion_time]
    return closed[-1] if closed else status.reason
