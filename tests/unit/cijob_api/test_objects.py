"""Objects: parsed once at the edge, with words for what cannot be parsed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cijob_api.errors import Malformed
from cijob_api.objects import CIJob, CIJobTemplate, CIPool, Resource
from cijob_api.parts import DesiredState
from cijob_api.reasons import Phase

FULL: dict[str, Any] = {
    "templateRef": {"name": "python"},
    "source": {"git": {"url": "https://git.example.com/a.git", "secretName": "git"}},
    "image": "cijob/python:dev",
    "command": ["make"],
    "args": ["test"],
    "workingDir": "src",
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ],
    "secretEnv": [{"secretName": "deploy", "keys": ["TOKEN"]}],
    "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}},
    "imagePullSecrets": [{"name": "registry"}],
    "prepare": "Init",
    "tolerations": [{"key": "ci", "operator": "Exists", "tolerationSeconds": 5}],
    "serviceAccountName": "deployer",
    "terminationGracePeriodSeconds": 0,
    "concurrency": {"group": "deploy", "limit": 1, "supersede": True},
    "retry": {"limit": 1, "backoffSeconds": 5, "infrastructureLimit": 0},
    "artifacts": [{"name": "wheel", "path": "dist/*.whl", "when": "OnSuccess"}],
    "ttlSecondsAfterFinished": {"succeeded": 60, "failed": 600},
    "suspend": False,
    "desiredState": "Cancelled",
}


def job(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "job", "namespace": "team"}
    return {"metadata": metadata, "spec": {"image": "cijob/python:dev", **spec}}


def test_the_smallest_job() -> None:
    parsed = CIJob.parse(job())
    assert parsed.key == ("team", "job")
    assert parsed.spec.desired_state is DesiredState.RUN
    assert parsed.status.phase is Phase.QUEUED


def test_what_was_not_said_is_none() -> None:
    spec = CIJob.parse(job()).spec
    said = spec.model_dump(exclude_none=True)
    assert said == {"image": "cijob/python:dev", "desired_state": "Run"}


def test_a_full_spec_comes_out_as_it_went_in() -> None:
    spec = CIJob.parse(job(**FULL)).spec
    assert spec.model_dump(mode="json", by_alias=True, exclude_none=True) == FULL


def test_a_status_comes_out_as_it_went_in() -> None:
    attempt = {"number": 1, "podName": "job-1", "podUID": "u", "containerID": "c", "exitCode": 3}
    status = {"phase": "Failed", "reason": "CommandFailed", "attempts": [attempt], "exitCode": 3}
    parsed = CIJob.parse({**job(), "status": status}).status
    assert parsed.model_dump(mode="json", by_alias=True, exclude_none=True) == status


@given(st.text(max_size=200), st.integers(min_value=1, max_value=7 * 86400))
def test_any_argument_and_timeout_survive(argument: str, seconds: int) -> None:
    said = {"args": [argument], "timeoutSeconds": seconds}
    spec = CIJob.parse(job(**said)).spec
    dumped = spec.model_dump(by_alias=True, include={"args", "timeout_seconds"})
    assert dumped == said


def test_unknown_fields_are_ignored_at_every_depth() -> None:
    newer = job(colour="blue", retry={"limit": 1, "colour": "blue"})
    newer["metadata"]["colour"] = newer["colour"] = "blue"
    assert CIJob.parse(newer) == CIJob.parse(job(retry={"limit": 1}))


def test_a_number_as_a_quantity_is_read_as_text() -> None:
    resources = CIJob.parse(job(resources={"limits": {"cpu": 2}})).spec.resources
    assert resources
    assert resources.limits == {"cpu": "2"}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"image": ""}, "spec.image"),
        ({"command": "make test"}, "spec.command"),
        ({"command": []}, "spec.command"),
        ({"timeoutSeconds": 0}, "spec.timeoutSeconds"),
        ({"timeoutSeconds": "10m"}, "spec.timeoutSeconds"),
        ({"priority": 1001}, "spec.priority"),
        ({"prepare": "Sometimes"}, "spec.prepare"),
        ({"desiredState": "Paused"}, "spec.desiredState"),
        ({"env": [{"name": "A"}, {"name": "1A"}]}, "spec.env.1.name"),
        ({"retry": {"backoffSeconds": 3601}}, "spec.retry.backoffSeconds"),
        ({"resources": {"limits": {"memory": "lots"}}}, "spec.resources.limits.memory"),
        ({"resources": {"limits": {"cpu": True}}}, "spec.resources.limits.cpu"),
        ({"source": {"git": {}}}, "spec.source.git.url"),
        ({"templateRef": {}}, "spec.templateRef.name"),
    ],
)
def test_malformed_names_the_field(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as caught:
        CIJob.parse(job(**spec))
    assert str(caught.value).startswith(f"{field}: ")
    assert isinstance(caught.value.__cause__, ValidationError)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"metadata": {"name": "job"}}, "spec: "),
        ({"spec": {"image": "a"}}, "metadata: "),
        ({"metadata": {}, "spec": {"image": "a"}}, "metadata.name: "),
        ("no object", "the object: "),
        (None, "the object: "),
    ],
)
def test_what_is_no_object_of_ours_is_malformed(body: Any, words: str) -> None:
    with pytest.raises(Malformed, match=f"^{words}"):
        CIJob.parse(body)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [(CIJobTemplate, {"acceptsJobFlags": True}), (CIPool, {"maxConcurrent": 0})],
)
def test_templates_and_pools_are_parsed_likewise(
    kind: type[Resource], spec: dict[str, Any]
) -> None:
    parsed = kind.parse({"metadata": {"name": "some"}, "spec": spec})
    dumped = parsed.model_dump(by_alias=True, exclude_none=True)
    assert dumped["spec"] == spec


def test_a_pool_without_its_size_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"^spec\.maxConcurrent: "):
        CIPool.parse({"metadata": {"name": "some"}, "spec": {}})


def test_objects_are_frozen() -> None:
    with pytest.raises(ValidationError):
        CIJob.parse(job()).spec.image = "other"
