"""Every way to end has a name: what a job waits for, and what it becomes if that never comes.

Slow ones are all submitted at the start.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import Cluster
from kit.operator import SMALL, Operator, job

HUGE = {"requests": {"cpu": "1000", "memory": "16Mi"}}
TRUE = {"command": ["true"]}
FROM_MAP = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "no-such-map", "key": "a"}}}
JOBS: dict[str, dict[str, Any]] = {
    "no-image": {**TRUE, "image": "localhost:1/no/such:image", "startTimeoutSeconds": 30},
    "invalid-image": {**TRUE, "image": "localhost:1/NOT/valid:image"},
    "too-large": {**TRUE, "resources": HUGE, "startTimeoutSeconds": 15},
    "no-secret": {**TRUE, "secretEnv": [{"secretName": "absent"}], "startTimeoutSeconds": 30},
    "late-secret": {
        "secretEnv": [{"secretName": "late"}],
        "script": 'test "$GREETING" = hello',
    },
    "no-config-map": {**TRUE, "env": [FROM_MAP], "startTimeoutSeconds": 30},
    "no-template": {"templateRef": {"name": "nowhere"}, "queueTimeoutSeconds": 2},
    "clock": {"templateRef": {"name": "nowhere"}, "queueTimeoutSeconds": 22},
    "paused": {**TRUE, "suspend": True, "queueTimeoutSeconds": 20},
    "early": {"templateRef": {"name": "unborn"}},
}


@pytest.fixture(scope="module")
def jobs(operator: Operator) -> Operator:
    """The operator, with all jobs of this module submitted."""
    manifests = (job(name, **spec) for name, spec in JOBS.items())
    operator.cluster.apply(operator.namespace, *manifests)
    return operator


def end(status: dict[str, Any]) -> tuple[str, str]:
    """Phase and reason."""
    return (status["phase"], status["reason"])


@pytest.fixture
def own(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator in a namespace of its own, for what changes the namespace."""
    operator = Operator(cluster, namespace, tmp_path).start()
    yield operator
    assert operator.stop() == 0


def quota(pods: int) -> dict[str, Any]:
    """A ResourceQuota for so many Pods."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tight"},
        "spec": {"hard": {"pods": str(pods)}},
    }


# -- until startTimeoutSeconds -----------------------------------------------------------------


def test_an_invalid_image_name_is_an_error_at_once(jobs: Operator) -> None:
    status = jobs.finished("invalid-image")
    assert end(status) == ("Error", "ImagePullFailed")
    assert "invalid" in status["message"].lower()
    assert "NOT/valid" in status["message"]


def test_a_job_that_no_node_can_take_ends_with_the_schedulers_words(jobs: Operator) -> None:
    status = jobs.finished("too-large")
    assert end(status) == ("Error", "Unschedulable")
    assert "not started after 15 s" in status["message"]
    assert "Insufficient cpu" in status["message"]
    jobs.cluster.until("the end of its Pod", lambda: not jobs.pods("too-large"))


def test_the_schedulers_words_are_shown_while_the_job_waits(jobs: Operator) -> None:
    jobs.submit("waits-for-room", command=["true"], resources=HUGE)
    status = jobs.until_reason("waits-for-room", "Unschedulable")
    assert status["phase"] == "Starting"
    assert "Insufficient cpu" in status["message"]
    jobs.patch("waits-for-room", desiredState="Cancelled")
    assert end(jobs.finished("waits-for-room")) == ("Cancelled", "Cancelled")


def test_a_missing_secret_is_named(jobs: Operator) -> None:
    status = jobs.finished("no-secret")
    assert end(status) == ("Error", "ConfigMissing")
    assert 'secret "absent" not found' in status["message"]


def test_a_secret_that_comes_in_time_lets_the_job_run(jobs: Operator) -> None:
    status = jobs.until_reason("late-secret", "ConfigMissing")
    assert status["phase"] == "Starting"
    assert 'secret "late" not found' in status["message"]
    words = ("create", "secret", "generic", "late", "--from-literal=GREETING=hello")
    jobs.cluster.kubectl("-n", jobs.namespace, *words)
    assert end(jobs.finished("late-secret")) == ("Succeeded", "Completed")


# -- in the queue ------------------------------------------------------------------------------


def test_the_queue_timeout_names_the_missing_template(jobs: Operator) -> None:
    status = jobs.finished("no-template")
    assert end(status) == ("Error", "QueueTimedOut")
    assert "it waited 2 s" in status["message"]
    assert "TemplateNotFound" in status["message"]
    assert "'nowhere'" in status["message"]


def test_a_job_applied_before_its_template_runs_when_that_comes(jobs: Operator) -> None:
    status = jobs.until_reason("early", "TemplateNotFound")
    assert status["phase"] == "Queued"
    assert "'unborn'" in status["message"]
    spec = {"image": "cijob/python:dev", "resources": SMALL, "command": ["true"]}
    template = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJobTemplate",
        "metadata": {"name": "unborn"},
        "spec": spec,
    }
    jobs.cluster.apply(jobs.namespace, template)
    assert end(jobs.finished("early")) == ("Succeeded", "Completed")


def test_suspension_stops_the_queue_clock(jobs: Operator) -> None:
    status = jobs.until_reason("paused", "Suspended")
    assert status["phase"] == "Queued"
    assert "suspend" in status["message"]
    # A job of the same queue timeout that is not suspended has run into it meanwhile.
    assert end(jobs.finished("clock")) == ("Error", "QueueTimedOut")
    assert jobs.pods_ever("paused") == []
    jobs.patch("paused", suspend=False)
    assert end(jobs.finished("paused")) == ("Succeeded", "Completed")


def test_an_exceeded_quota_makes_the_job_wait_until_it_is_raised(own: Operator) -> None:
    own.cluster.apply(own.namespace, quota(0))
    own.cluster.wait(own.namespace, "resourcequota/tight", "jsonpath={.status.hard.pods}=0")
    own.submit("waits", command=["true"])
    own.submit("gives-up", command=["true"], queueTimeoutSeconds=10)
    status = own.until_reason("waits", "QuotaExceeded")
    assert status["phase"] == "Queued"
    assert "exceeded quota: tight" in status["message"]
    given_up = own.finished("gives-up")
    assert end(given_up) == ("Error", "QueueTimedOut")
    assert "exceeded quota: tight" in given_up["message"]
    own.cluster.apply(own.namespace, quota(5))
    assert end(own.finished("waits")) == ("Succeeded", "Completed")


def test_a_quota_that_is_not_counted_yet_makes_the_job_wait(own: Operator) -> None:
    """Forged: while the quota controller is away, a quota can be without its usage."""
    own.cluster.apply(own.namespace, quota(5))
    own.cluster.wait(own.namespace, "resourcequota/tight", "jsonpath={.status.hard.pods}=5")
    words = ("patch", "resourcequota", "tight", "-n", own.namespace, "--subresource=status")
    own.cluster.kubectl(*words, "--type=merge", "-p", '{"status": {"used": null}}')
    own.submit("uncounted", command=["true"])
    status = own.until_reason("uncounted", "QuotaExceeded")
    assert "status unknown for quota" in status["message"]
    assert end(status) == ("Queued", "QuotaExceeded")


# -- refused -----------------------------------------------------------------------------------


def test_a_service_account_that_the_pool_does_not_allow_is_denied(jobs: Operator) -> None:
    jobs.submit("powerful", command=["true"], serviceAccountName="admin")
    status = jobs.finished("powerful")
    assert end(status) == ("Error", "AdmissionDenied")
    assert "serviceAccountName admin" in status["message"]
    assert jobs.pods_ever("powerful") == []


def test_a_pod_that_the_api_server_refuses_ends_with_its_words(jobs: Operator) -> None:
    limit = {"type": "Container", "max": {"ephemeral-storage": "100Gi"}}
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "disk"},
        "spec": {"limits": [limit]},
    }
    jobs.cluster.apply(jobs.namespace, limits)
    greedy = {**SMALL, "limits": {"memory": "128Mi", "ephemeral-storage": "200Gi"}}
    jobs.submit("greedy", command=["true"], resources=greedy)
    status = jobs.finished("greedy")
    assert end(status) == ("Error", "AdmissionDenied")
    assert "maximum ephemeral-storage usage per Container is 100Gi" in status["message"]


def test_a_pod_that_is_invalid_ends_with_the_api_servers_words(jobs: Operator) -> None:
    jobs.submit("odd", command=["true"], resources={"requests": {"no such resource": "1"}})
    status = jobs.finished("odd")
    assert end(status) == ("Error", "AdmissionDenied")
    assert "no such resource" in status["message"]


def test_what_is_not_built_yet_is_named(jobs: Operator) -> None:
    jobs.submit("ahead", command=["true"], cache=[{"key": "pip", "paths": ["pip"]}])
    status = jobs.finished("ahead")
    assert end(status) == ("Error", "NotInstalled")
    assert "does not have cache yet" in status["message"]
    assert jobs.pods_ever("ahead") == []


def test_a_foreign_pod_of_that_name_is_a_conflict(jobs: Operator) -> None:
    foreign = jobs.cluster.get("pod", "-n", jobs.namespace, "-l", "cijob.dev/job=early")["items"][0]
    spec = {"containers": [{"name": "job", "image": "localhost:1/no/such:image"}]}
    spec["containers"][0]["securityContext"] = foreign["spec"]["containers"][0]["securityContext"]
    spec |= {"securityContext": foreign["spec"]["securityContext"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "taken-1"}, "spec": spec}
    jobs.cluster.kubectl("create", "-n", jobs.namespace, "-f", "-", stdin=json.dumps(pod))
    status = jobs.finished(jobs.submit("taken", command=["true"]))
    assert end(status) == ("Error", "NameConflict")
    assert "taken-1" in status["message"]
    there = jobs.cluster.get("pod", "-n", jobs.namespace, "taken-1")
    assert "deletionTimestamp" not in there["metadata"]


def test_an_image_that_cannot_be_pulled_ends_with_the_registrys_words(jobs: Operator) -> None:
    status = jobs.finished("no-image")
    assert end(status) == ("Error", "ImagePullFailed")
    assert "not started after 30 s" in status["message"]
    assert "localhost:1/no/such:image" in status["message"]
    assert "connection refused" in status["message"]


def test_a_missing_config_map_is_named(jobs: Operator) -> None:
    status = jobs.finished("no-config-map")
    assert end(status) == ("Error", "ConfigMissing")
    assert 'configmap "no-such-map" not found' in status["message"]
