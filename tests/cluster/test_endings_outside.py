"""Every way to end has a name: what the platform does to a job, out of a budget of its own.

Real where this cluster can make it: force deletion, eviction, rejection by the kubelet, a sandbox
that does not start, and on a fake node preemption and a lost node. The rest is forged as a Pod's
status on the real API server.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kit import gates
from kit.cluster import Cluster, pod
from kit.operator import SMALL, Operator

NEVER_AGAIN = {"infrastructureLimit": 0}
ONCE_MORE = {"limit": 0, "infrastructureLimit": 1}
HUGE = {"requests": {"cpu": "1000", "memory": "16Mi"}}
ONLY = "test.cijob.dev/only"
LASTS = {"script": "trap 'exit 3' TERM; sleep 300 & wait", "terminationGracePeriodSeconds": 5}


@pytest.fixture(scope="module")
def runtime_class(cluster: Cluster) -> Iterator[str]:
    """A RuntimeClass that no runtime serves."""
    name = f"test-{secrets.token_hex(4)}"
    kind = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "no-such-runtime"}
    manifest = {**kind, "metadata": {"name": name}}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    yield name
    cluster.kubectl("delete", "runtimeclass", name)


@pytest.fixture(scope="module")
def outside(operator: Operator, runtime_class: str) -> Operator:
    """An operator whose pool lets a job choose its node and that RuntimeClass."""
    allow = {"nodeSelector": True, "tolerations": True, "runtimeClassNames": [runtime_class]}
    operator.stop()
    operator.settings["CIJOB_DEFAULT_POOL"] = json.dumps({"allow": allow})
    return operator.start()


@pytest.fixture(scope="module")
def fake_node(cluster: Cluster) -> Iterator[str]:
    """A node that exists in the API only, for the jobs of this module alone."""
    if cluster.provider != "local":
        pytest.skip("fake nodes are a seam that only the local cluster has")
    (name,) = cluster.kind("create", "nodes", "--count=1").split()
    cluster.kubectl("taint", "node", name, f"{ONLY}=here:NoSchedule")
    yield name
    cluster.kubectl("delete", "node", name)


def placement(node: str) -> dict[str, Any]:
    """What puts a job or a Pod on the fake node."""
    keys = ("kwok.x-k8s.io/node", ONLY)
    return {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "tolerations": [{"key": key, "operator": "Exists"} for key in keys],
    }


def end(status: dict[str, Any]) -> tuple[str, str, int | None]:
    """Phase, reason and exit code."""
    return (status["phase"], status["reason"], status.get("exitCode"))


def attempts(status: dict[str, Any]) -> list[tuple[int, str]]:
    """Number and reason of every attempt."""
    return [(attempt["number"], attempt["reason"]) for attempt in status["attempts"]]


def until_runs(operator: Operator, name: str, attempt: int = 1) -> str:
    """The name of that attempt's Pod, once status says that it runs."""

    def runs() -> bool:
        status = operator.status(name)
        numbers = [known["number"] for known in status.get("attempts", [])]
        return status.get("reason") == "Running" and attempt in numbers

    operator.cluster.until(f"attempt {attempt} of {name}", runs)
    return f"{name}-{attempt}"


def create(operator: Operator, path: str, body: dict[str, Any]) -> None:
    """Create a subresource of a Pod of the operator's namespace."""
    uri = f"/api/v1/namespaces/{operator.namespace}/pods/{path}"
    operator.cluster.kubectl("create", f"--raw={uri}", "-f", "-", stdin=json.dumps(body))


# -- real --------------------------------------------------------------------------------------


def test_a_pod_that_vanishes_is_started_again_and_then_is_lost(outside: Operator) -> None:
    outside.submit("vanishes", **LASTS, retry=ONCE_MORE)
    outside.delete_pod(until_runs(outside, "vanishes"))
    outside.delete_pod(until_runs(outside, "vanishes", 2))
    status = outside.finished("vanishes")
    assert end(status) == ("Error", "PodLost", None)
    assert "deleted before its container ended" in status["message"]
    assert attempts(status) == [(1, "PodLost"), (2, "PodLost")]
    assert outside.pods_ever("vanishes") == ["vanishes-1", "vanishes-2"]


def test_a_job_whose_pod_vanished_once_succeeds_at_the_second_attempt(outside: Operator) -> None:
    script = f'test "$(hostname)" != recovers-1 || {gates.WAITS}'
    outside.submit("recovers", script=script, retry=ONCE_MORE)
    outside.delete_pod(until_runs(outside, "recovers"))
    status = outside.finished("recovers")
    assert end(status) == ("Succeeded", "Completed", 0)
    assert attempts(status) == [(1, "PodLost"), (2, "Completed")]


def test_an_evicted_pod_is_drained_whatever_its_exit_code(outside: Operator) -> None:
    outside.submit("moved", **LASTS, retry=NEVER_AGAIN)
    name = until_runs(outside, "moved")
    metadata = {"name": name, "namespace": outside.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    create(outside, f"{name}/eviction", eviction)
    status = outside.finished("moved")
    assert end(status) == ("Error", "Drained", 3)
    assert "evict" in status["message"].lower()


def test_a_pod_deleted_from_outside_that_ends_well_has_succeeded(outside: Operator) -> None:
    outside.submit("quick", script="trap 'exit 0' TERM; sleep 300 & wait", retry=NEVER_AGAIN)
    name = until_runs(outside, "quick")
    outside.cluster.kubectl("delete", "pod", "-n", outside.namespace, name, "--wait=false")
    assert end(outside.finished("quick")) == ("Succeeded", "Completed", 0)


def test_a_pod_that_the_kubelet_refuses_has_its_words(outside: Operator) -> None:
    """Real: bound to the node behind the scheduler's back, which had refused it."""
    outside.submit("refused", command=["true"], resources=HUGE, retry=NEVER_AGAIN)
    outside.until_reason("refused", "Unschedulable")
    (node, *_) = outside.cluster.get("nodes", "-l", "node-role.kubernetes.io/control-plane")[
        "items"
    ]
    target = {"apiVersion": "v1", "kind": "Node", "name": node["metadata"]["name"]}
    metadata = {"name": "refused-1", "namespace": outside.namespace}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
    create(outside, "refused-1/binding", binding)
    status = outside.finished("refused")
    assert end(status) == ("Error", "KubeletRejected", None)
    assert "OutOfcpu" in status["message"]


def test_a_sandbox_that_does_not_start_is_tried_again(
    outside: Operator, runtime_class: str
) -> None:
    spec = {"runtimeClassName": runtime_class, "startTimeoutSeconds": 6}
    outside.submit("no-sandbox", command=["true"], **spec, retry=ONCE_MORE)
    status = outside.finished("no-sandbox")
    assert end(status) == ("Error", "StartTimedOut", None)
    assert "not started after 6 s" in status["message"]
    assert attempts(status) == [(1, "StartTimedOut"), (2, "StartTimedOut")]
    outside.cluster.until("the end of its Pods", lambda: not outside.pods("no-sandbox"))


# -- on a fake node ----------------------------------------------------------------------------


def test_a_pod_that_makes_room_for_another_is_preempted(outside: Operator, fake_node: str) -> None:
    """Real: the scheduler preempts it for a Pod of higher priority."""
    room = {"requests": {"cpu": "40", "memory": "16Mi"}}
    outside.submit("weaker", **LASTS, **placement(fake_node), resources=room, retry=NEVER_AGAIN)
    until_runs(outside, "weaker")
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1000}
    name = f"test-{secrets.token_hex(4)}"
    manifest = {**kind, "metadata": {"name": name}}
    outside.cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    try:
        stronger = pod("stronger", "true", resources=room)
        stronger["spec"] |= {"priorityClassName": name, **placement(fake_node)}
        outside.cluster.apply(outside.namespace, stronger)
        status = outside.finished("weaker")
    finally:
        outside.cluster.kubectl("delete", "priorityclass", name)
        outside.cluster.kubectl("delete", "pod", "-n", outside.namespace, "stronger", "--force")
    assert end(status)[:2] == ("Error", "Preempted")
    assert status["message"]


@dataclass(frozen=True)
class Forged:
    """A Pod's status as a kubelet reports it, and how the job ends by it."""

    name: str
    status: dict[str, Any]
    expected: tuple[str, str, int | None]
    words: str
    ended: dict[str, Any] | None = field(default=None)


FAILED = {"phase": "Failed"}
MEMORY = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi."
EVICTED = {**FAILED, "reason": "Evicted", "message": MEMORY}
ADMISSION = "Pod was rejected: Allocate failed due to no healthy devices present"
SHUTDOWN = "Pod was terminated in response to imminent node shutdown."
DISRUPTED = {"type": "DisruptionTarget", "status": "True"}
UNKNOWN = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": "could not be located"}
FORGED = [
    Forged("pressure", EVICTED, ("Error", "NodePressure", 137), MEMORY, {"exitCode": 137}),
    Forged("pressure-after-0", EVICTED, ("Succeeded", "Completed", 0), "", {"exitCode": 0}),
    Forged(
        "no-device",
        {**FAILED, "reason": "UnexpectedAdmissionError", "message": ADMISSION},
        ("Error", "KubeletRejected", None),
        ADMISSION,
    ),
    Forged(
        "shutdown",
        {**FAILED, "reason": "Terminated", "message": SHUTDOWN},
        ("Error", "Drained", 143),
        SHUTDOWN,
        {"exitCode": 143, "reason": "Error"},
    ),
    Forged("unknown", FAILED, ("Error", "PodLost", None), "lost track", UNKNOWN),
    Forged(
        "garbage",
        {**FAILED, "conditions": [{**DISRUPTED, "reason": "DeletionByPodGC"}]},
        ("Error", "NodeLost", None),
        "node",
    ),
    Forged(
        "oom-at-0",
        {"phase": "Succeeded"},
        ("Failed", "OOMKilled", 0),
        "memory",
        {"exitCode": 0, "reason": "OOMKilled"},
    ),
]


def test_what_a_kubelet_reports_of_a_pod_has_a_name(outside: Operator) -> None:
    """Forged, on Pods that no node takes."""
    for row in FORGED:
        outside.submit(row.name, command=["true"], resources=HUGE, retry=NEVER_AGAIN)
    for row in FORGED:
        outside.until_reason(row.name, "Unschedulable")
        containers = [{"name": "job", "state": {"terminated": row.ended}}] if row.ended else []
        outside.forge(f"{row.name}-1", **row.status, containerStatuses=containers)
    for row in FORGED:
        status = outside.finished(row.name)
        assert end(status) == row.expected, row.name
        assert row.words in status["message"], row.name


def test_a_pod_on_a_node_that_is_given_up_is_lost_with_it(
    outside: Operator, fake_node: str
) -> None:
    """Real: the taint manager removes it, as it does 5 min after a node stopped answering."""
    outside.submit("stranded", **LASTS, **placement(fake_node), resources=SMALL, retry=NEVER_AGAIN)
    until_runs(outside, "stranded")
    outside.cluster.kubectl("taint", "node", fake_node, "test.cijob.dev/lost=yes:NoExecute")
    status = outside.finished("stranded")
    assert end(status)[:2] == ("Error", "NodeLost")
    assert "node" in status["message"].lower()
