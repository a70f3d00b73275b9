"""What is kept of a Pod, read from JSON as the API server gives it."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from cijob_api.reasons import Reason
from cijob_operator.agents import AgentReport
from cijob_operator.podviews import AgentView, ContainerView, Ended, PodView, view
from unit.cijob_operator.builders import (
    NOON,
    after,
    agent,
    ago,
    ended,
    pod,
    refused,
    running,
    starting,
)

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "tests-2",
        "namespace": "team",
        "uid": "a7f0",
        "resourceVersion": "4711",
        "creationTimestamp": "2026-01-01T11:59:00Z",
        "labels": {"cijob.dev/job": "tests", "cijob.dev/attempt": "2"},
        "annotations": {
            "cijob.dev/template-generation": "python/3",
            "cijob.dev/start-timeout-seconds": "120",
            "cijob.dev/timeout-seconds": "900",
            "cijob.dev/stop-reason": "Cancelled 2026-01-01T12:00:00Z",
        },
        "ownerReferences": [
            {"kind": "Other", "uid": "x"},
            {"kind": "CIJob", "uid": "job-uid", "controller": True},
        ],
    },
    "spec": {"nodeName": "node-1", "terminationGracePeriodSeconds": 45, "containers": []},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "True"},
        ],
        "containerStatuses": [
            {
                "name": "agent",
                "containerID": "containerd://a",
                "state": {"running": {"startedAt": "2026-01-01T11:59:02Z"}},
            },
            {
                "name": "job",
                "containerID": "containerd://b",
                "state": {"running": {"startedAt": "2026-01-01T11:59:03Z"}},
                "restartCount": 0,
            },
        ],
    },
}


def with_state(state: dict[str, Any], **status: Any) -> PodView:
    body = deepcopy(POD)
    body["status"] = {**status, "containerStatuses": [{"name": "job", "state": state}]}
    return view(body)


def test_a_running_pod() -> None:
    assert view(POD) == PodView(
        name="tests-2",
        namespace="team",
        uid="a7f0",
        owner="job-uid",
        job="tests",
        attempt=2,
        created=ago(60),
        version=4711,
        template="python/3",
        node="node-1",
        phase="Running",
        grace_seconds=45,
        start_timeout_seconds=120,
        timeout_seconds=900,
        stop="Cancelled 2026-01-01T12:00:00Z",
        container=ContainerView(id="containerd://b", started=ago(57)),
        agent=AgentView(id="containerd://a", started=ago(58)),
    )


def test_a_pod_that_was_only_just_stored() -> None:
    body = {
        "metadata": {
            "name": "tests-1",
            "namespace": "team",
            "creationTimestamp": "2026-01-01T12:00:00Z",
        }
    }
    assert view(body) == PodView(
        name="tests-1", namespace="team", uid="", owner="", job="", attempt=0, created=NOON
    )


@pytest.mark.parametrize("part", ["spec", "status"])
def test_missing_parts_are_as_good_as_empty_ones(part: str) -> None:
    absent, null = deepcopy(POD), deepcopy(POD)
    del absent[part]
    null[part] = None
    assert view(absent) == view(null) == view({**POD, part: {}})


def test_labels_that_are_no_numbers_are_as_good_as_missing() -> None:
    body = deepcopy(POD)
    body["metadata"]["labels"]["cijob.dev/attempt"] = "second"
    body["metadata"]["annotations"]["cijob.dev/timeout-seconds"] = "soon"
    assert (view(body).attempt, view(body).timeout_seconds) == (0, 3600)


def test_no_grace_at_all_is_not_the_default() -> None:
    body = deepcopy(POD)
    body["spec"]["terminationGracePeriodSeconds"] = 0
    assert view(body).grace_seconds == 0


ENDED_AGENT = {
    "name": "agent",
    "state": {
        "terminated": {
            "exitCode": 1,
            "reason": "Error",
            "message": '{"stage": "unpack", "reason": "SourceRejected", "message": "no"}',
        }
    },
}


@pytest.mark.parametrize(
    ("statuses", "before"), [("containerStatuses", False), ("initContainerStatuses", True)]
)
def test_an_agent_beside_or_before_the_job(statuses: str, *, before: bool) -> None:
    body = deepcopy(POD)
    body["status"] = {statuses: [ENDED_AGENT]}
    assert view(body).agent == AgentView(
        ended=Ended(1, "Error"),
        before=before,
        report=AgentReport("unpack", Reason.SOURCE_REJECTED, "no"),
    )


def test_a_wrapped_command_is_known_from_the_pod() -> None:
    body = deepcopy(POD)
    body["metadata"]["annotations"]["cijob.dev/wrapped-command"] = "true"
    assert view(body).wrapped_command
    assert not view(POD).wrapped_command


def test_a_container_that_waits() -> None:
    state = {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}
    what = with_state(state).container
    assert what == ContainerView(waiting="ErrImagePull", message="manifest unknown")


def test_a_container_that_ended() -> None:
    state = {
        "exitCode": 137,
        "reason": "OOMKilled",
        "startedAt": "2026-01-01T11:59:30Z",
        "finishedAt": "2026-01-01T12:00:00Z",
        "containerID": "containerd://b",
    }
    what = with_state({"terminated": state}, phase="Failed").container
    assert what == ContainerView(started=ago(30), ended=Ended(137, "OOMKilled", "", finished=NOON))


def test_an_unknown_end_has_no_times() -> None:
    state = {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
    what = with_state({"terminated": state}).container
    assert what
    assert what.started is None
    assert what.ended
    assert what.ended.finished is None


def test_a_container_that_could_not_be_started_never_started() -> None:
    state = {
        "exitCode": 128,
        "reason": "StartError",
        "message": "exec: not found",
        "startedAt": "1970-01-01T00:00:00Z",  # as the kubelet says it
        "finishedAt": "2026-01-01T12:00:00Z",
    }
    what = with_state({"terminated": state}).container
    assert what
    assert what.started is None


def test_the_scheduler_s_words() -> None:
    words = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert with_state({}, conditions=[{**words, "message": "0/3"}]).unschedulable == "0/3"
    assert with_state({}, conditions=[words]).unschedulable == "no node fits"


def test_gated_is_not_unschedulable() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert with_state({}, conditions=[gated]).unschedulable == ""


def test_a_disruption_counts_once_it_is_true() -> None:
    target = {"type": "DisruptionTarget", "reason": "PreemptionByScheduler"}
    true, false = ({**target, "status": status} for status in ("True", "False"))
    assert with_state({}, conditions=[true]).disruption == "PreemptionByScheduler"
    assert with_state({}, conditions=[false]).disruption == ""


def test_a_pod_that_is_being_deleted() -> None:
    body = deepcopy(POD)
    body["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:30Z"
    assert view(body).deleting == after(30)


def test_a_deleted_pod_is_what_was_seen_last() -> None:
    assert view(POD).as_gone() == replace(view(POD), gone=True)
    assert not view(POD).gone


@pytest.mark.parametrize(
    ("what", "over"),
    [
        (pod(), False),
        (running(), False),
        (running(deleting=NOON), False),
        (running(gone=True), True),
        (ended(1), True),  # the Pod's phase comes later, and an agent may still run
        (refused("OutOfcpu"), True),
        (pod(phase="Succeeded"), True),
        (running(agent=agent(1)), False),
        (running(agent=agent(0, stage="done")), False),
        (starting(agent=replace(agent(1), before=True)), True),
        (starting(agent=replace(agent(0, stage="done"), before=True)), False),
    ],
)
def test_a_place_is_free_when_the_job_s_container_has_ended(what: PodView, *, over: bool) -> None:
    assert what.is_over is over


def test_a_pod_of_somebody_else_has_no_owner_of_ours() -> None:
    body = deepcopy(POD)
    body["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "uid": "r"}]
    assert view(body).owner == ""
