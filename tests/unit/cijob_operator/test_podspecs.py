"""The Pod of an attempt, compared with golden files, from the tiniest job on.

`CIJOB_UPDATE_GOLDEN=1 pytest tests/unit/cijob_operator/test_podspecs.py` writes them anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from cijob_api.resolve import Resolved, resolve
from cijob_api.specs import CIPoolSpec
from cijob_operator.agentspecs import PodSettings
from cijob_operator.podspecs import pod
from unit.cijob_operator.builders import job, template

GOLDEN = Path(__file__).parent / "golden"
DIGEST = "0" * 64
ARCHIVE = {"archive": {"sha256": DIGEST, "sizeBytes": 1}}
POOL = CIPoolSpec.model_validate(
    {
        "maxConcurrent": 10,
        "nodeSelector": {"pool": "ci"},
        "tolerations": [{"key": "ci", "operator": "Exists"}],
        "allow": {"serviceAccountNames": ["deployer"], "runtimeClassNames": ["gvisor"]},
    }
)

JOBS: dict[str, dict[str, Any]] = {
    "image-only": {},
    "command": {"command": ["make"], "args": ["test"], "workingDir": "/src"},
    "script-with-args": {"script": 'echo "$1"\n', "args": ["hello"]},
    "environment": {
        "env": [
            {"name": "A", "value": "1"},
            {"name": "EMPTY"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "secretEnv": [{"secretName": "deploy", "keys": ["TOKEN"]}, {"secretName": "whole"}],
    },
    "resources": {
        "resources": {"requests": {"cpu": 2, "memory": "2Gi"}, "limits": {"nvidia.com/gpu": 1}}
    },
    "timeouts": {
        "startTimeoutSeconds": 60,
        "timeoutSeconds": 10,
        "terminationGracePeriodSeconds": 0,
    },
    "placement-with-template": {
        "template": "python",
        "serviceAccountName": "deployer",
        "runtimeClassName": "gvisor",
        "imagePullSecrets": [{"name": "registry"}],
    },
    "archive": {"source": ARCHIVE, "command": ["make"], "env": [{"name": "HOME", "value": "/h"}]},
    "git-in-a-folder": {
        "source": {"git": {"url": "https://git.example.com/a.git", "ref": "main"}},
        "script": "make\n",
        "workingDir": "backend",
    },
    "git-with-a-secret": {
        "source": {"git": {"url": "ssh://git@git.example.com/a.git", "secretName": "key"}},
        "command": ["make"],
    },
    "git-with-everything": {
        "source": {
            "git": {
                "url": "ssh://git@git.example.com/a$(b).git",
                "commit": "abc123",
                "depth": 0,
                "submodules": True,
                "secretName": "key",
            }
        },
        "image": "scratch",
        "prepare": "Init",
        "env": [{"name": "GIT_URL", "value": "own"}],
    },
    "prepare-init": {"source": ARCHIVE, "prepare": "Init", "workingDir": "backend"},
    "architecture": {"architecture": "x86_64"},
    "kueue": {"labels": {"kueue.x-k8s.io/queue-name": "team-queue", "owner": "ada"}},
    "concurrency": {"concurrency": {"group": "deploy", "supersede": True}},
    "ca-bundle": {
        "env": [{"name": "SSL_CERT_FILE", "value": "/own.crt"}],
        "secretEnv": [{"secretName": "whole"}],
    },
    "ca-bundle-with-agent": {"source": ARCHIVE, "script": "make\n"},
    "artifacts-only": {"command": ["make"], "artifacts": [{"name": "wheel", "path": "dist/*.whl"}]},
}
WITH_CA_BUNDLE = {"ca-bundle", "ca-bundle-with-agent"}
every_job = pytest.mark.parametrize("name", JOBS)


def made(name: str, attempt: int = 1) -> dict[str, Any]:
    what = job(**JOBS[name])
    known = template(script="make\n", timeoutSeconds=900) if what.spec.template_ref else None
    pool = POOL if known else CIPoolSpec(max_concurrent=10)
    resolved = resolve(what, known, pool)
    assert isinstance(resolved, Resolved), resolved
    settings = PodSettings(agent_image="cijob/cijob:dev", ca_bundle=name in WITH_CA_BUNDLE)
    return pod(what, resolved, attempt, settings)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, as a person would write them; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


@every_job
def test_a_job_gives_its_golden_pod(name: str) -> None:
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("CIJOB_UPDATE_GOLDEN"):
        file.write_text(yaml.dump(made(name), Dumper=_Dumper, sort_keys=False, width=1000))
    assert made(name) == yaml.safe_load(file.read_text())


def test_every_golden_file_is_somebody_s() -> None:
    assert {file.stem for file in GOLDEN.glob("*.yaml")} == set(JOBS)


@every_job
def test_the_same_job_gives_the_same_bytes(name: str) -> None:
    assert json.dumps(made(name)) == json.dumps(made(name))


@every_job
def test_another_attempt_differs_by_its_name_and_label_only(name: str) -> None:
    first, second = made(name, 1), made(name, 2)
    assert second["metadata"].pop("name") == "tests-2"
    assert second["metadata"]["labels"].pop("cijob.dev/attempt") == "2"
    del first["metadata"]["name"], first["metadata"]["labels"]["cijob.dev/attempt"]
    assert first == second


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    spec = manifest["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


@every_job
def test_the_pod_keeps_to_pod_security_restricted(name: str) -> None:
    """kubernetes.io/docs/concepts/security/pod-security-standards, profile Restricted."""
    manifest = made(name)
    spec = manifest["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & spec.keys()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(manifest):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "runAsUser", "procMount", "seccompProfile"} & context.keys()
        assert "ports" not in container
    for volume in spec.get("volumes", []):
        assert set(volume) - {"name"} <= {"configMap", "emptyDir", "projected", "secret"}


def test_the_job_can_put_nothing_where_the_agent_hands_its_key_over() -> None:
    agent, container = made("git-with-a-secret")["spec"]["containers"]
    [seen] = [one for one in container["volumeMounts"] if one["name"] == "ssh"]
    assert seen["readOnly"] is True
    [own] = [one for one in agent["volumeMounts"] if one["name"] == "ssh"]
    assert own == {"name": "ssh", "mountPath": seen["mountPath"]}


@every_job
def test_the_job_gets_no_token_and_the_agent_only_its_own(name: str) -> None:
    manifest = made(name)
    assert manifest["spec"]["automountServiceAccountToken"] is False
    assert manifest["spec"]["enableServiceLinks"] is False
    for container in containers(manifest):
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert ("token" in mounted) is (container["name"] == "agent")
        assert container["name"] == "agent" or "git-credentials" not in mounted


@pytest.mark.parametrize(("limit", "room"), [("8Mi", 8 << 20), ("1500M", 1500 * 10**6)])
def test_the_agent_knows_its_room_and_the_archive_has_some_of_its_own(
    limit: str, room: int
) -> None:
    """Else a source that is too large would evict the Pod, and nobody would say why."""
    source = {"archive": {"sha256": DIGEST, "sizeBytes": 5000}}
    resources = {"limits": {"ephemeral-storage": limit}}
    what = job(source=source, script="make", resources=resources)
    resolved = resolve(what, None, CIPoolSpec(max_concurrent=10))
    assert isinstance(resolved, Resolved)
    spec = pod(what, resolved, 1, PodSettings())["spec"]
    told = {variable["name"]: variable["value"] for variable in spec["containers"][0]["env"]}
    assert (told["CIJOB_WORKSPACE_BYTES"], told["CIJOB_SOURCE_BYTES"]) == (str(room), "5000")
    sizes = {v["name"]: v["emptyDir"]["sizeLimit"] for v in spec["volumes"] if "emptyDir" in v}
    assert sizes == {"workspace": limit, "control": str(room + 5000)}


@pytest.mark.parametrize(
    ("said", "marked"),
    [
        ({"source": ARCHIVE, "command": ["make"]}, True),
        ({"source": ARCHIVE, "script": "make"}, False),
        ({"source": ARCHIVE, "command": ["make"], "prepare": "Init"}, False),
        ({"command": ["make"]}, False),
    ],
)
def test_a_wrapped_command_is_marked(said: dict[str, Any], *, marked: bool) -> None:
    what = job(**said)
    resolved = resolve(what, None, CIPoolSpec(max_concurrent=10))
    assert isinstance(resolved, Resolved)
    notes = pod(what, resolved, 1, PodSettings())["metadata"]["annotations"]
    assert ("cijob.dev/wrapped-command" in notes) is marked


@every_job
def test_every_container_and_volume_has_its_limits(name: str) -> None:
    manifest = made(name)
    for container in containers(manifest):
        assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"]["limits"].keys()
    for volume in manifest["spec"].get("volumes", []):
        assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


@every_job
def test_no_pod_outlives_what_was_promised_by_more_than_ten_minutes(name: str) -> None:
    manifest = made(name)
    notes, spec = manifest["metadata"]["annotations"], manifest["spec"]
    promised = int(notes["cijob.dev/start-timeout-seconds"]) + int(
        notes["cijob.dev/timeout-seconds"]
    )
    grace = spec["terminationGracePeriodSeconds"]
    assert spec["activeDeadlineSeconds"] == promised + grace + 600


@every_job
def test_the_pod_belongs_to_its_job_and_goes_with_it(name: str) -> None:
    metadata = made(name)["metadata"]
    [owner] = metadata["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        "job-uid",
        True,
        False,
    )
    assert all(len(value) <= 63 for value in metadata["labels"].values())
    assert "finalizers" not in metadata


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        ("echo $HOME ${A}", "echo $HOME ${A}"),
        ("kill $$", "kill $$$$"),
        ("echo $(date) $1", "echo $$(date) $$1"),
    ],
)
def test_a_script_arrives_as_it_was_written(script: str, sent: str) -> None:
    # Kubernetes makes one dollar of two, and would put a variable for $(NAME).
    resolved = resolve(job(script=script), None, POOL)
    assert isinstance(resolved, Resolved)
    container = pod(job(script=script), resolved, 1, PodSettings())["spec"]["containers"][0]
    assert container["command"] == ["sh", "-euc", sent, "sh"]
