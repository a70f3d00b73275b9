"""The agent's environment, read once at the start and nowhere else, and the paths of its Pod."""

import json
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from cijob_agent.errors import BadSetting

_URL = r"https://[A-Za-z0-9\[][^/?#@\s\\]*/[^?#\s]*|ssh://([^-/?#@:\s][^/?#@:\s]*@)?[A-Za-z0-9\[][^/?#@\s]*/[^?#\s]*"
_NETWORK = (
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)


class Paths(NamedTuple):
    """Where things are in the Pod; other places in tests."""

    workspace: str = "/workspace"
    control: str = "/cijob"
    token: str = "/var/run/cijob/token"  # noqa: S105  # where it lies
    termination: str = "/dev/termination-log"
    private: str = "/tmp"  # noqa: S108  # the container's own: no other one sees it
    volume: str = "/cijob-volume"  # for git: the job's workspace is the folder `workspace` in it
    ssh: str = "/cijob-ssh"  # the job mounts it read-only; only where the job has a git Secret


class Archive(NamedTuple):
    """The archive that the job names."""

    url: str
    sha256: str
    size: int


class Repository(NamedTuple):
    """The git repository that the job names."""

    url: str
    ref: str  # empty: HEAD
    commit: str  # empty: the tip of ref
    depth: int  # 0: all of its history
    submodules: bool
    secret: str  # name of the Secret with credentials, for messages; empty: none
    credentials: str  # the folder that it is mounted at
    network: Mapping[str, str]  # whom to trust and how to get out, as variables for git


class Artifact(NamedTuple):
    """Files to keep."""

    name: str
    path: str
    when: str  # Always, OnSuccess or OnFailure


class Collect(NamedTuple):
    """What is brought to the gateway at the job's end."""

    url: str
    artifacts: tuple[Artifact, ...]
    junit: tuple[str, ...]  # globs of reports


class Settings(NamedTuple):
    """What this Pod's agent is to do."""

    archive: Archive | None  # a job with artifacts only has no source
    repository: Repository | None
    collect: Collect | None
    beside_the_job: bool  # False: in an init container, before it
    workspace_bytes: int
    start_timeout_seconds: int


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the `CIJOB_*` variables. Raises BadSetting."""
    prepare = environment.get("CIJOB_PREPARE") or "Parallel"
    if prepare not in ("Parallel", "Init"):
        raise BadSetting(f"CIJOB_PREPARE is {prepare!r}; it must be Parallel or Init")
    return Settings(
        archive=_archive(environment) if environment.get("CIJOB_SOURCE_SHA256") else None,
        repository=_repository(environment) if environment.get("CIJOB_GIT_URL") else None,
        collect=_collect(environment) if environment.get("CIJOB_COLLECT") else None,
        beside_the_job=prepare == "Parallel",
        workspace_bytes=_number(environment, "CIJOB_WORKSPACE_BYTES", 4 << 30),
        start_timeout_seconds=_number(environment, "CIJOB_START_TIMEOUT_SECONDS", 600),
    )


def _archive(environment: Mapping[str, str]) -> Archive:
    return Archive(
        url=f"{_job_url(environment)}/source",
        sha256=_text(environment, "CIJOB_SOURCE_SHA256").lower(),
        size=_number(environment, "CIJOB_SOURCE_BYTES"),
    )


def _collect(environment: Mapping[str, str]) -> Collect:
    """`CIJOB_COLLECT` is JSON, as the job's spec has it: `{"artifacts": […], "junit": […]}`."""
    try:
        said = json.loads(environment["CIJOB_COLLECT"])
        artifacts = tuple(
            Artifact(str(one["name"]), str(one["path"]), str(one.get("when") or "Always"))
            for one in said.get("artifacts") or ()
        )
        junit = tuple(str(glob) for glob in said.get("junit") or ())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadSetting(f"CIJOB_COLLECT cannot be read: {error}") from error
    return Collect(_job_url(environment), artifacts, junit)


def _job_url(environment: Mapping[str, str]) -> str:
    """The job's own endpoints at the gateway."""
    gateway = _text(environment, "CIJOB_GATEWAY").rstrip("/")
    if not gateway.startswith(("http://", "https://")):
        raise BadSetting(f"CIJOB_GATEWAY is {gateway!r}; it must be an http or https URL")
    namespace, job = _text(environment, "CIJOB_NAMESPACE"), _text(environment, "CIJOB_JOB")
    return f"{gateway}/internal/v1/namespaces/{namespace}/jobs/{job}"


def _repository(environment: Mapping[str, str]) -> Repository:
    url, ref = environment["CIJOB_GIT_URL"], environment.get("CIJOB_GIT_REF", "")
    commit = environment.get("CIJOB_GIT_COMMIT", "")
    # The schema refuses these already; git would take them for options, programs or passwords.
    if not re.fullmatch(_URL, url):
        raise BadSetting("CIJOB_GIT_URL is no https:// or ssh:// URL without a password")
    if ref and not _is_ref(ref):
        raise BadSetting(f"CIJOB_GIT_REF is {ref!r}; it must be the name of a branch or tag")
    if commit and not re.fullmatch(r"[0-9a-f]{4,64}", commit):
        raise BadSetting(f"CIJOB_GIT_COMMIT is {commit!r}; it must be 4 to 64 hexadecimal digits")
    depth = environment.get("CIJOB_GIT_DEPTH", "1")
    if not (depth.isascii() and depth.isdigit()):
        raise BadSetting(f"CIJOB_GIT_DEPTH is {depth!r}; it must be a whole number, 0 for all")
    return Repository(
        url=url,
        ref=ref,
        commit=commit,
        depth=int(depth),
        submodules=environment.get("CIJOB_GIT_SUBMODULES") == "true",
        secret=environment.get("CIJOB_GIT_SECRET", ""),
        credentials=environment.get("CIJOB_GIT_CREDENTIALS", ""),
        network={name: environment[name] for name in _NETWORK if environment.get(name)},
    )


def _is_ref(ref: str) -> bool:
    """Whether git could have a ref of that name: https://git-scm.com/docs/git-check-ref-format."""
    return not re.search(r"^[-+/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.$|/$|\.lock$", ref)


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise BadSetting(f"{name} is not set; the operator sets it in the agent's container")
    return value


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name, "")
    if not text and default is not None:
        return default
    # isascii: isdigit alone takes digits of other scripts.
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BadSetting(f"{name} is {text!r}; it must be a whole number above 0")
    return int(text)
