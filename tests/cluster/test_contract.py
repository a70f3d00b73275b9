"""The contract as the API server keeps it: what it refuses, in which words, and what it stores."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.cluster import ROOT, Cluster

WRONG = yaml.safe_load((Path(__file__).parent / "contract" / "wrong.yaml").read_text())
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))

SMALLEST: dict[str, dict[str, Any]] = {
    "CIJob": {"image": "cijob/python:dev"},
    "CIJobTemplate": {"image": "cijob/python:dev"},
    "CIPool": {"maxConcurrent": 1},
}
FILLED = {"$LONG": "x" * 65537, "$SHA256": "ab" * 32, "$SHA256_UPPER": "AB" * 32}

# Every field that cannot change, with a value to change it to.
FULL: dict[str, Any] = {
    "source": {"git": {"url": "https://git.example.com/a.git"}},
    "image": "cijob/python:dev",
    "command": ["make"],
    "args": ["test"],
    "workingDir": "src",
    "env": [{"name": "A", "value": "1"}],
    "secretEnv": [{"secretName": "deploy"}],
    "resources": {"limits": {"memory": "1Gi"}},
    "imagePullSecrets": [{"name": "registry"}],
    "prepare": "Parallel",
    "pool": "default",
    "architecture": "amd64",
    "toolchains": ["gcc"],
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "ci", "operator": "Exists"}],
    "runtimeClassName": "gvisor",
    "serviceAccountName": "deployer",
    "queueTimeoutSeconds": 60,
    "startTimeoutSeconds": 60,
    "timeoutSeconds": 60,
    "terminationGracePeriodSeconds": 5,
    "concurrency": {"group": "deploy", "limit": 1},
    "retry": {"limit": 1},
    "artifacts": [{"name": "wheel", "path": "dist/*.whl"}],
    "reports": {"junit": ["*.xml"]},
    "cache": [{"key": "pip", "paths": ["pip"]}],
    "notify": [{"name": "team"}],
}
CHANGED: dict[str, Any] = {
    **FULL,
    "source": {"git": {"url": "https://git.example.com/b.git"}},
    "image": "cijob/python:other",
    "command": ["cmake"],
    "args": ["lint"],
    "workingDir": "lib",
    "env": [{"name": "A", "value": "2"}],
    "secretEnv": [{"secretName": "other"}],
    "resources": {"limits": {"memory": "2Gi"}},
    "imagePullSecrets": [{"name": "other"}],
    "prepare": "Init",
    "pool": "other",
    "architecture": "arm64",
    "toolchains": ["clang"],
    "nodeSelector": {"disk": "hdd"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "runtimeClassName": "kata",
    "serviceAccountName": "other",
    "queueTimeoutSeconds": 61,
    "startTimeoutSeconds": 61,
    "timeoutSeconds": 61,
    "terminationGracePeriodSeconds": 6,
    "concurrency": {"group": "deploy", "limit": 2},
    "retry": {"limit": 2},
    "artifacts": [{"name": "wheel", "path": "out/*.whl"}],
    "reports": {"junit": ["out/*.xml"]},
    "cache": [{"key": "pip", "paths": ["npm"]}],
    "notify": [{"name": "others"}],
}
ADDED: dict[str, Any] = {"script": "make", "templateRef": {"name": "python"}}
MUTABLE: dict[str, Any] = {
    "priority": 5,
    "suspend": True,
    "ttlSecondsAfterFinished": {"succeeded": 60},
    "desiredState": "Cancelled",
}


pytestmark = pytest.mark.usefixtures("crds")


def fill(value: Any) -> Any:
    """Put long values in for their names, and leave out what is null."""
    if isinstance(value, dict):
        return {key: fill(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [fill(item) for item in value]
    return FILLED.get(value, value) if isinstance(value, str) else value


def manifest(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The smallest good manifest of a kind, with `spec` put over it."""
    return {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": fill({**SMALLEST[kind], **spec}),
    }


def stored(cluster: Cluster, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Create a job called `job` and return it as the API server gives it."""
    cluster.apply(namespace, manifest("CIJob", "job", spec))
    job: dict[str, Any] = cluster.get("cijob", "job", "-n", namespace)
    return job


def patched(
    cluster: Cluster, namespace: str, spec: dict[str, Any], *more: str
) -> subprocess.CompletedProcess[str]:
    """Try a merge patch of the job's spec."""
    patch = json.dumps({"spec": spec})
    words = ("patch", "cijob", "job", "-n", namespace, "--type=merge", f"--patch={patch}", *more)
    return cluster.kubectl(*words, check=False)


@pytest.fixture(scope="module")
def refusals(cluster: Cluster) -> dict[str, str]:
    """What the API server says to each wrong manifest; one call for all, since each costs 0.1 s."""
    documents = "\n---\n".join(
        json.dumps(manifest(case.get("kind", "CIJob"), case["case"], case.get("spec", {})))
        for case in WRONG
    )
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=documents, check=False)
    said = {}
    for line in re.split(r"\n(?=Error from server|The )", done.stderr.strip()):
        named = re.search(r'"([^"]+)" is invalid', line)
        said[named.group(1) if named else line] = line
    return said


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["case"])
def test_a_wrong_manifest_is_refused_in_words(
    refusals: dict[str, str], case: dict[str, Any]
) -> None:
    said = refusals.get(case["case"], "")
    if case["words"].startswith("unknown field"):
        # Refused while it is decoded, before it has a name: such answers go by the field.
        said = " ".join(line for line in refusals if line.endswith(case["words"]))
    assert said, f"{case['case']} was accepted"
    assert case["words"] in said


def test_there_are_at_least_forty_wrong_manifests_and_no_name_twice() -> None:
    assert len({case["case"] for case in WRONG}) == len(WRONG) >= 40


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_accepted(cluster: Cluster, namespace: str, example: Path) -> None:
    cluster.kubectl("create", "-n", namespace, "--dry-run=server", f"--filename={example}")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


def test_a_job_may_name_its_own_secret(cluster: Cluster, namespace: str) -> None:
    assert stored(cluster, namespace, {"secretEnv": [{"secretName": "cijob-job"}]})


def test_nothing_that_a_template_may_set_is_stored_by_default(
    cluster: Cluster, namespace: str
) -> None:
    job = stored(cluster, namespace, {"image": None, "templateRef": {"name": "python"}})
    assert job["spec"] == {"desiredState": "Run", "templateRef": {"name": "python"}}


def test_an_absent_status_reads_as_queued(cluster: Cluster, namespace: str) -> None:
    assert stored(cluster, namespace, {})["status"] == {"phase": "Queued"}


def test_what_cannot_change_is_named(cluster: Cluster, namespace: str) -> None:
    stored(cluster, namespace, FULL)
    for field, value in CHANGED.items():
        said = patched(cluster, namespace, {field: value}, "--dry-run=server").stderr
        assert f"{field} cannot change after creation" in said, field


def test_what_was_given_cannot_be_taken_away(cluster: Cluster, namespace: str) -> None:
    stored(cluster, namespace, FULL)
    for field in FULL.keys() - {"image"}:
        said = patched(cluster, namespace, {field: None}, "--dry-run=server").stderr
        assert f"{field} cannot change after creation" in said, field


def test_what_was_not_given_cannot_be_added(cluster: Cluster, namespace: str) -> None:
    stored(cluster, namespace, {})
    for field in (FULL.keys() | ADDED.keys()) - {"image"}:
        value = {**FULL, **ADDED}[field]
        said = patched(cluster, namespace, {field: value}, "--dry-run=server").stderr
        assert f"{field} cannot change after creation" in said, field


def test_the_four_mutable_fields_change(cluster: Cluster, namespace: str) -> None:
    stored(cluster, namespace, FULL)
    for field, value in MUTABLE.items():
        done = patched(cluster, namespace, {field: value})
        assert done.returncode == 0, f"{field}: {done.stderr}"


@pytest.mark.parametrize("again", ["Run", None])
def test_a_cancelled_job_stays_cancelled(
    cluster: Cluster, namespace: str, again: str | None
) -> None:
    stored(cluster, namespace, {"desiredState": "Cancelled"})
    assert "stays cancelled" in patched(cluster, namespace, {"desiredState": again}).stderr


def test_the_spec_of_a_job_is_no_business_of_its_status(cluster: Cluster, namespace: str) -> None:
    stored(cluster, namespace, {})
    patched(cluster, namespace, {"suspend": True}, "--subresource=status")
    assert "suspend" not in cluster.get("cijob", "job", "-n", namespace)["spec"]


def test_every_column_shows_what_the_status_says(cluster: Cluster, namespace: str) -> None:
    stored(cluster, namespace, {})
    status = {
        "phase": "Failed",
        "reason": "CommandFailed",
        "pool": "default",
        "exitCode": 3,
        "duration": "1m12s",
        "attempts": [
            {"number": 1, "podName": "job-1", "nodeName": "node-a"},
            {"number": 2, "podName": "job-2", "nodeName": "node-b"},
        ],
        "results": {"tests": {"summary": "12/14", "total": 14, "failed": 2}},
    }
    words = ("cijob", "job", "-n", namespace)
    patch = f"--patch={json.dumps({'status': status})}"
    cluster.kubectl("patch", *words, "--subresource=status", "--type=merge", patch)
    cluster.kubectl("annotate", *words, "cijob.dev/submitter=ada")
    head, row = cluster.kubectl("get", "cij", "-n", namespace, "-o", "wide").stdout.splitlines()
    shown = dict(zip(head.split(), row.split(), strict=True))
    assert shown.pop("AGE")
    assert shown == {
        "NAME": "job",
        "PHASE": "Failed",
        "REASON": "CommandFailed",
        "POOL": "default",
        "TESTS": "12/14",
        "EXIT": "3",
        "DURATION": "1m12s",
        "POD": "job-2",
        "NODE": "node-b",
        "SUBMITTER": "ada",
    }


def test_a_new_job_shows_as_queued(cluster: Cluster, namespace: str) -> None:
    stored(cluster, namespace, {})
    assert "Queued" in cluster.kubectl("get", "ci", "-n", namespace).stdout


@pytest.mark.parametrize("kind", ["cijob", "cijobtemplate", "cipool"])
def test_every_field_is_explained(cluster: Cluster, kind: str) -> None:
    definition = cluster.get("crd", f"{kind}s.cijob.dev")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert not list(unexplained(schema["properties"]["spec"], "spec"))
    explained = cluster.kubectl("explain", f"{kind}.spec", "--recursive=false").stdout
    assert "<no description>" not in explained


def unexplained(schema: dict[str, Any], path: str) -> list[str]:
    """Paths of the fields without a description."""
    found = [] if schema.get("description") else [path]
    for name, field in schema.get("properties", {}).items():
        found += unexplained(field, f"{path}.{name}")
    inside = schema.get("items", {}).get("properties", {})
    for name, field in inside.items():
        found += unexplained(field, f"{path}[].{name}")
    return found


def test_the_resources_can_be_applied_as_people_apply_them(cluster: Cluster) -> None:
    # Without --server-side the whole resource goes into an annotation, of 256 KiB at most.
    cluster.kubectl("apply", *(f"--filename={path}" for path in (ROOT / "crds").glob("*.yaml")))
