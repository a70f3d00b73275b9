"""Jobs, sinks and their surroundings, as the tests of notifications see them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cijob_api.objects import CIJob
from cijob_gateway.notifications.sinks import Kind, Sink, Spec
from cijob_gateway.watches import Json

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = {"git": {"url": "https://git.example.com/team/app.git", "commit": COMMIT}}


def at(seconds: float) -> str:
    """So many seconds before noon."""
    return (NOON - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def body(
    *, name: str = "mine", uid: str = "u-1", status: Json | None = None, **spec: Any
) -> dict[str, Any]:
    """A job of a minute ago that notifies `chat`, unless it says something else."""
    return {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJob",
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": uid,
            "resourceVersion": "1",
            "creationTimestamp": at(60),
        },
        "spec": {"image": "i", "notify": [{"name": "chat"}], **spec},
        "status": status or {},
    }


def job(**fields: Any) -> CIJob:
    """The same, parsed."""
    return CIJob.parse(body(**fields))


def attempt(number: int = 1, code: int | None = None, **facts: Any) -> dict[str, Any]:
    """An attempt that runs, or has ended with a code."""
    found = {"number": number, "startTime": at(50 - number), "podName": f"mine-{number}"}
    if code is not None:
        reason = "CommandFailed" if code else "Completed"
        found |= {"completionTime": at(40 - number), "exitCode": code, "reason": reason}
    return {**found, **facts}


RUNS: Json = {"phase": "Running", "reason": "Running", "attempts": [attempt()]}
SUCCEEDED: Json = {
    "phase": "Succeeded",
    "reason": "Completed",
    "exitCode": 0,
    "completionTime": at(30),
    "attempts": [attempt(1, 0)],
}
FAILED: Json = {
    "phase": "Failed",
    "reason": "CommandFailed",
    "message": "exit code 7",
    "exitCode": 7,
    "completionTime": at(30),
    "attempts": [attempt(1, 7)],
}
ARCHIVED: Json = {"results": {"logs": {"lines": 3, "complete": True}}}


def webhook(*events: str, key: str = "") -> Sink:
    """A webhook that gets these events, or all."""
    said: dict[str, Any] = {"kind": "webhook", "url": "https://hooks.example.com/x?token=t"}
    if events:
        said["events"] = events
    return Sink("chat", Spec.model_validate(said), key)


def github(**more: str) -> Sink:
    """An API for commit statuses on the host of the jobs' repository."""
    said = {"kind": Kind.GITHUB_STATUS, "url": "https://git.example.com/api/v1/", **more}
    return Sink("commit", Spec.model_validate(said), "ghp_x")
