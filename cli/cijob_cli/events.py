"""The events of a followed job, parsed as they arrive. Called by follow. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cijob_cli.errors import Rejected


@dataclass(frozen=True)
class Event:
    """One event as the gateway sends it."""

    kind: str
    text: str  # JSON
    id: str = ""

    def data(self) -> Mapping[str, Any]:
        """What it says. Raises Rejected."""
        try:
            data = json.loads(self.text or "{}")
        except ValueError as error:
            raise Rejected(f"the gateway sent a malformed `{self.kind}` event") from error
        return data if isinstance(data, dict) else {}


@dataclass(frozen=True)
class Status:
    """Where the job is."""

    phase: str
    reason: str
    message: str
    attempt: int


@dataclass(frozen=True)
class End:
    """How the job ended, and what its whole log is, if the stream began at its start."""

    phase: str
    reason: str
    message: str
    exit_code: int | None = None
    lines: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    complete: bool = True


def read_status(data: Mapping[str, Any]) -> Status:
    """The data of a `status` event."""
    return Status(
        data.get("phase") or "Queued",
        data.get("reason") or "",
        data.get("message") or "",
        data.get("attempt") or 1,
    )


def read_end(data: Mapping[str, Any]) -> End:
    """The data of an `end` event."""
    return End(
        data.get("phase") or "Error",
        data.get("reason") or "",
        data.get("message") or "",
        data.get("exitCode"),
        data.get("lines"),
        data.get("bytes"),
        data.get("sha256"),
        data.get("complete") is not False,
    )


def read_last_event(event: Mapping[str, Any]) -> End | None:
    """The end that a CloudEvent tells of, if it does; it says nothing of the log."""
    kind = str(event.get("type") or "").removeprefix("dev.cijob.job.")
    if kind not in {"succeeded", "failed", "cancelled"}:
        return None
    data = event.get("data") or {}
    return End(
        data.get("phase") or kind.capitalize(),
        data.get("reason") or "",
        data.get("error") or "",
        data.get("exit_code"),
    )
