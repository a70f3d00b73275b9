"""Pods that the API server does not create: the job says so, waits within its time, and runs when
it can, whoever is the operator by then.
"""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import Cluster, pod
from kit.operator import Operator

NEVER_TWICE = {"retry": {"limit": 0, "infrastructureLimit": 0}}


@pytest.fixture
def own(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator in a namespace of its own, for what changes the namespace."""
    operator = Operator(cluster, namespace, tmp_path).start()
    yield operator
    assert operator.stop() == 0


@contextmanager
def webhook_that_is_gone(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Pods of one namespace need the consent of a webhook where nobody listens."""
    name = f"gone-{namespace}"
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace]}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    hook = {
        "name": "policy.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{**pods, "operations": ["CREATE"]}],
        "namespaceSelector": {"matchExpressions": [named]},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    manifest = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    try:
        cluster.until("the webhook", lambda: "failed calling" in refusal(cluster, namespace))
        yield
    finally:
        cluster.kubectl("delete", "validatingwebhookconfiguration", name)


def refusal(cluster: Cluster, namespace: str) -> str:
    """What the API server says against a Pod, without creating one."""
    words = ("create", "-n", namespace, "--dry-run=server", "-f", "-")
    return cluster.kubectl(*words, stdin=json.dumps(pod("probe", "true")), check=False).stderr


def test_a_webhook_that_is_gone_is_no_silent_wait(own: Operator) -> None:
    with webhook_that_is_gone(own.cluster, own.namespace):
        own.submit("waits", command=["true"])
        own.submit("gives-up", command=["true"], queueTimeoutSeconds=8)
        status = own.until_reason("waits", "AdmissionDenied")
        assert status["phase"] == "Queued"
        assert 'failed calling webhook "policy.example.com"' in status["message"]
        given_up = own.finished("gives-up")
        assert (given_up["phase"], given_up["reason"]) == ("Error", "QueueTimedOut")
        assert "failed calling webhook" in given_up["message"]
    assert own.finished("waits")["reason"] == "Completed"
    assert own.pods_ever("waits") == ["waits-1"]
    assert own.pods_ever("gives-up") == []


def quota(pods: int) -> dict[str, Any]:
    """A ResourceQuota for so many Pods."""
    spec = {"hard": {"pods": str(pods)}}
    metadata = {"name": "tight"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


def test_a_job_that_must_never_start_twice_waits_for_a_quota_through_a_restart(
    own: Operator,
) -> None:
    own.cluster.apply(own.namespace, quota(0))
    own.cluster.wait(own.namespace, "resourcequota/tight", "jsonpath={.status.hard.pods}=0")
    own.submit("once", command=["true"], **NEVER_TWICE)
    status = own.until_reason("once", "QuotaExceeded")
    assert "attempts" not in status
    own.stop(signal.SIGKILL)
    own.start()
    own.cluster.apply(own.namespace, quota(5))
    assert own.finished("once")["reason"] == "Completed"
    assert own.pods_ever("once") == ["once-1"]
