"""What is counted, under which labels; never a job's name."""

import pytest
from prometheus_client import generate_latest

from cijob_operator import metrics

JOBS = "/apis/cijob.dev/v1alpha1/namespaces/team/cijobs"
PODS = "/api/v1/namespaces/team/pods"
WRITES = [
    ("POST", PODS, 201, "create", "pods"),
    ("PATCH", f"{PODS}/secret-name-1", 200, "patch", "pods"),
    ("DELETE", f"{PODS}/secret-name-1", 404, "delete", "pods"),
    ("PATCH", f"{JOBS}/secret-name/status", 409, "patch", "cijobs/status"),
    ("DELETE", f"{JOBS}/secret-name", 200, "delete", "cijobs"),
    ("DELETE", f"{JOBS}/status", 200, "delete", "cijobs"),
    ("PUT", "/api/v1/namespaces/pods/configmaps/a", 200, "update", "configmaps"),
    ("DELETE", "/api/v1/namespaces/team", 200, "delete", "namespaces"),
    ("POST", "/version?", 500, "create", "unknown"),
]


def written(verb: str, resource: str, code: int) -> float:
    labels = {"verb": verb, "resource": resource, "code": str(code)}
    return metrics.REGISTRY.get_sample_value("cijob_api_writes_total", labels) or 0.0


@pytest.mark.parametrize(("method", "path", "code", "verb", "resource"), WRITES)
def test_a_write_is_counted_by_verb_resource_and_answer(
    method: str, path: str, code: int, *, verb: str, resource: str
) -> None:
    before = written(verb, resource, code)
    metrics.count_write(method, path, code)
    assert written(verb, resource, code) == before + 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/team/events",
        "/apis/coordination.k8s.io/v1/namespaces/system/leases",
        "/apis/coordination.k8s.io/v1/namespaces/system/leases/cijob-operator",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    ],
)
def test_events_leases_and_reviews_are_not_counted(path: str) -> None:
    before = generate_latest(metrics.REGISTRY)
    metrics.count_write("POST", path, 201)
    metrics.count_write("PUT", path, 200)
    assert generate_latest(metrics.REGISTRY) == before


def test_no_label_holds_the_name_of_a_job_or_namespace() -> None:
    for method, path, code, _, _ in WRITES:
        metrics.count_write(method, path, code)
    text = generate_latest(metrics.REGISTRY).decode()
    assert "secret-name" not in text
    assert "team" not in text


def test_the_phases_are_counted_when_somebody_asks() -> None:
    counts = {"Running": 1}
    metrics.follow_phases(lambda: counts)
    counts["Running"] = 7
    assert metrics.REGISTRY.get_sample_value("cijob_jobs", {"phase": "Running"}) == 7
