"""The agent's part of a Pod: beside the job, or before it for images without a shell. Pure.

Used by `podspecs`. What the agent is told stands in its environment, what it says in its
termination message, and what it shares with the job in two volumes.
"""

import json
from dataclasses import dataclass
from typing import Any

from cijob_api.objects import CIJob
from cijob_api.parts import Git, Prepare
from cijob_api.quantities import parse
from cijob_api.resolve import Resolved

Json = dict[str, Any]
WORKSPACE, CONTROL, TOKEN = "/workspace", "/cijob", "/var/run/cijob"
CREDENTIALS = "/var/run/cijob-git"  # of a git repository
VOLUME = "/cijob-volume"  # the workspace's volume as a whole
SSH = "/cijob-ssh"  # the socket of an ssh-agent that holds its key
AGENT_RESOURCES = {
    "requests": {"cpu": "10m", "memory": "64Mi"},
    "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "1Gi"},
}
DEFAULT_DISK = "4Gi"


@dataclass(frozen=True)
class PodSettings:
    """What this installation puts into every Pod of a job."""

    agent_image: str = "cijob/cijob:dev"
    gateway: str = "http://cijob-gateway.cijob-system.svc:8081"
    ca_bundle: bool = False  # whether namespaces may have the ConfigMaps cijob-ca, cijob-ca-env


def add_agent(spec: Json, job: CIJob, resolved: Resolved, settings: PodSettings) -> None:
    """Put the agent and the volumes that it shares with the job into a Pod's spec."""
    mounts = [
        {"name": "workspace", "mountPath": WORKSPACE},
        {"name": "control", "mountPath": CONTROL},
    ]
    container = spec["containers"][0]
    container["volumeMounts"] = mounts
    given = {variable["name"] for variable in container.get("env", [])}
    defaults = {"HOME": f"{CONTROL}/home", "TMPDIR": f"{CONTROL}/tmp"}  # noqa: S108
    if git := _git(resolved):
        defaults["GIT_URL"] = verbatim(git.url)
    added = [{"name": name, "value": v} for name, v in defaults.items() if name not in given]
    container["env"] = [*added, *container.get("env", [])]
    agent = _container(job, resolved, settings, mounts)
    if resolved.prepare == Prepare.INIT:
        container["workingDir"] = in_workspace(resolved.working_dir)
        spec["initContainers"] = [agent]
    else:
        # First in the list: its fetch overlaps the pull of the job's image.
        spec["containers"].insert(0, agent)
    spec["volumes"] = _volumes(resolved)
    if git:
        _put_aside(agent, container)
    if git and git.secret_name:
        _add_credentials(spec, agent, git.secret_name)
        if resolved.prepare == Prepare.PARALLEL:
            _add_ssh_agent(spec, agent, container)


def in_workspace(folder: str | None) -> str:
    """A job's working folder as an absolute path."""
    if folder and folder.startswith("/"):
        return folder
    return f"{WORKSPACE}/{folder}" if folder else WORKSPACE


def restricted() -> Json:
    """The security context of every container, as Pod Security `restricted` wants it."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def verbatim(text: str) -> str:
    """A text of a container's command or environment so that it arrives as it was written.

    Kubernetes replaces `$(NAME)` and `$$` there (its reference of `Container`), and a shell's own
    process id would become a lone dollar. Commands and arguments keep that meaning, as in a Pod.
    """
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _git(resolved: Resolved) -> Git | None:
    return resolved.source.git if resolved.source else None


def _put_aside(agent: Json, container: Json) -> None:
    """Give git a place on the workspace's volume that the job does not see.

    The workspace is one folder of the volume, and the agent alone has all of it: what git has made
    is moved over, and never copied.
    """
    for each in (agent, container):
        [workspace] = [one for one in each["volumeMounts"] if one["name"] == "workspace"]
        others = [one for one in each["volumeMounts"] if one is not workspace]
        each["volumeMounts"] = [{**workspace, "subPath": "workspace"}, *others]
    agent["volumeMounts"].append({"name": "workspace", "mountPath": VOLUME})


def _add_credentials(spec: Json, agent: Json, secret: str) -> None:
    """Mount the repository's Secret, in the agent only.

    Optional, since the agent then says by name what is missing; a Pod that waits for a volume says
    nothing until its start timeout. Read-only for the group, which is the Pod's `fsGroup`.
    """
    volume = {"secretName": secret, "optional": True, "defaultMode": 0o440}
    spec["volumes"].append({"name": "git-credentials", "secret": volume})
    mount = {"name": "git-credentials", "mountPath": CREDENTIALS, "readOnly": True}
    agent["volumeMounts"].append(mount)


def _add_ssh_agent(spec: Json, agent: Json, container: Json) -> None:
    """A folder where the agent offers the use of an ssh key, if the Secret has one.

    Read-only in the job: the agent hands the key to the socket in it, which must be its own.
    """
    spec["volumes"].append({"name": "ssh", "emptyDir": {"sizeLimit": "2Mi"}})
    mount = {"name": "ssh", "mountPath": SSH}
    agent["volumeMounts"].append(mount)
    container["volumeMounts"] = [*container["volumeMounts"], {**mount, "readOnly": True}]


def _container(job: CIJob, resolved: Resolved, settings: PodSettings, mounts: list[Json]) -> Json:
    told = _environment(job, resolved, settings)
    return {
        "name": "agent",
        "image": settings.agent_image,
        "command": ["python", "-m", "cijob_agent"],
        "env": [{"name": name, "value": value} for name, value in told.items()],
        "resources": AGENT_RESOURCES,
        "securityContext": restricted(),
        # Its own words, never the end of its log: they become the job's message.
        "terminationMessagePolicy": "File",
        "volumeMounts": [*mounts, {"name": "token", "mountPath": TOKEN, "readOnly": True}],
    }


def _environment(job: CIJob, resolved: Resolved, settings: PodSettings) -> dict[str, str]:
    told = {
        "CIJOB_GATEWAY": settings.gateway,
        "CIJOB_NAMESPACE": job.metadata.namespace,
        "CIJOB_JOB": job.metadata.name,
        "CIJOB_JOB_UID": job.metadata.uid,
        "CIJOB_START_TIMEOUT_SECONDS": str(resolved.start_timeout_seconds),
        "CIJOB_PREPARE": resolved.prepare.value,
        "CIJOB_WORKSPACE_BYTES": str(_disk_bytes(resolved)),
    }
    if resolved.source and (archive := resolved.source.archive):
        told["CIJOB_SOURCE_SHA256"] = archive.sha256
        told["CIJOB_SOURCE_BYTES"] = str(archive.size_bytes)
    if git := _git(resolved):
        told |= _git_environment(git)
    if resolved.collects:
        told["CIJOB_COLLECT"] = verbatim(_collect(resolved))
    return told


def _collect(resolved: Resolved) -> str:
    """What the agent collects at the end, as JSON."""
    artifacts = [
        one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in resolved.artifacts
    ]
    junit = (resolved.reports.junit or []) if resolved.reports else []
    return json.dumps({"artifacts": artifacts, "junit": junit}, separators=(",", ":"))


def _git_environment(git: Git) -> dict[str, str]:
    """What the agent is told of a repository; only what the job says."""
    said = {
        "CIJOB_GIT_URL": verbatim(git.url),
        "CIJOB_GIT_REF": verbatim(git.ref or ""),
        "CIJOB_GIT_COMMIT": git.commit or "",
        "CIJOB_GIT_DEPTH": "" if git.depth is None else str(git.depth),
        "CIJOB_GIT_SUBMODULES": "true" if git.submodules else "",
        "CIJOB_GIT_SECRET": git.secret_name or "",
        "CIJOB_GIT_CREDENTIALS": CREDENTIALS if git.secret_name else "",
    }
    return {name: value for name, value in said.items() if value}


def _volumes(resolved: Resolved) -> list[Json]:
    size = resolved.limits.get("ephemeral-storage", DEFAULT_DISK)
    token = {"audience": "cijob-agent", "expirationSeconds": 600, "path": "token"}
    return [
        {"name": "workspace", "emptyDir": {"sizeLimit": size}},
        {"name": "control", "emptyDir": {"sizeLimit": str(_control_bytes(resolved))}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
    ]


def _control_bytes(resolved: Resolved) -> int:
    """Room for what the job puts into HOME and TMPDIR, and for the archive until it is unpacked.

    Without the latter a source that is too large would evict the Pod, and nobody would hear the
    agent say so.
    """
    archive = resolved.source.archive if resolved.source else None
    return _disk_bytes(resolved) + (archive.size_bytes if archive else 0)


def _disk_bytes(resolved: Resolved) -> int:
    return int(parse(resolved.limits.get("ephemeral-storage", DEFAULT_DISK)))
