"""The agent's environment, read once at the start and nowhere else, and the paths of its Pod."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from cijob_agent.errors import BadSetting


class Paths(NamedTuple):
    """Where things are in the Pod; other places in tests."""

    workspace: str = "/workspace"
    control: str = "/cijob"
    token: str = "/var/run/cijob/token"  # noqa: S105  # where it lies
    termination: str = "/dev/termination-log"


class Archive(NamedTuple):
    """The archive that the job names."""

    url: str
    sha256: str
    size: int


class Settings(NamedTuple):
    """What this Pod's agent is to do."""

    archive: Archive | None  # a job with artifacts only has no source
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
        beside_the_job=prepare == "Parallel",
        workspace_bytes=_number(environment, "CIJOB_WORKSPACE_BYTES", 4 << 30),
        start_timeout_seconds=_number(environment, "CIJOB_START_TIMEOUT_SECONDS", 600),
    )


def _archive(environment: Mapping[str, str]) -> Archive:
    gateway = _text(environment, "CIJOB_GATEWAY").rstrip("/")
    if not gateway.startswith(("http://", "https://")):
        raise BadSetting(f"CIJOB_GATEWAY is {gateway!r}; it must be an http or https URL")
    namespace, job = _text(environment, "CIJOB_NAMESPACE"), _text(environment, "CIJOB_JOB")
    return Archive(
        url=f"{gateway}/internal/v1/namespaces/{namespace}/jobs/{job}/source",
        sha256=_text(environment, "CIJOB_SOURCE_SHA256").lower(),
        size=_number(environment, "CIJOB_SOURCE_BYTES"),
    )


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
