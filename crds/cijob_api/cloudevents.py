"""What happens to a job as CloudEvents 1.0 (github.com/cloudevents/spec). Pure.

Whoever makes the events of a job makes the same ones: ids are the job's UID with a condition or the
id of a line, times are the cluster's own. Used by the gateway, which streams them, and by the
archiver, which sends them to sinks.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cijob_api import names
from cijob_api.details import DETAILS
from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_api.statuses import Attempt

TYPE = "dev.cijob.job."
# A line that is longer is text, whatever it looks like: as objects it would take 30 times as much.
OWN_CHARACTERS = 1024 * 1024
ENDS = {
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.ERROR: "failed",
    Phase.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class Place:
    """Where in a job's life an event stands: the end of its id, and its time."""

    id: str
    time: str


@dataclass(frozen=True)
class CloudEvent:
    """One event; `kind` is the end of its type."""

    id: str
    source: str
    kind: str
    time: str
    subject: str
    data: Any

    def as_json(self) -> dict[str, Any]:
        """The event in structured mode."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": TYPE + self.kind,
            "time": self.time,
            "subject": self.subject,
            "datacontenttype": "application/json",
            "data": self.data,
        }


def queued(job: CIJob) -> CloudEvent:
    """The job is there."""
    template = job.spec.template_ref.name if job.spec.template_ref else None
    submitter = job.metadata.annotations.get(names.ANNOTATION_SUBMITTER)
    data = {"template": template, "submitter": submitter}
    return _event(job, "queued", Place("queued", job.metadata.creation_timestamp), data)


def started(job: CIJob, attempt: Attempt) -> CloudEvent:
    """An attempt's container runs."""
    data = {
        "attempt": attempt.number,
        "pod": attempt.pod_name,
        "node": attempt.node_name,
        "container": attempt.container_id,
    }
    time = attempt.start_time or job.metadata.creation_timestamp
    return _event(job, "started", Place(f"started.{attempt.number}", time), data)


def retrying(job: CIJob, attempt: Attempt) -> CloudEvent:
    """An attempt has ended, and there will be another."""
    data = {
        "attempt": attempt.number,
        "reason": attempt.reason,
        "error": attempt.message,
        "exit_code": attempt.exit_code,
    }
    time = attempt.completion_time or job.metadata.creation_timestamp
    return _event(job, "retrying", Place(f"retrying.{attempt.number}", time), data)


def finished(job: CIJob, tail: Sequence[str]) -> CloudEvent:
    """The job's end; a failure brings the last lines of its log along."""
    status = job.status
    data: dict[str, Any] = {
        "phase": status.phase.value,
        "reason": status.reason,
        "exit_code": status.exit_code,
    }
    if status.phase in {Phase.FAILED, Phase.ERROR}:
        data |= {"error": status.message, "details": list(tail)[-DETAILS:]}
    time = status.completion_time or job.metadata.creation_timestamp
    return _event(job, ENDS[status.phase], Place("finished", time), data)


def history(job: CIJob) -> list[CloudEvent]:
    """What the status tells of the job's life so far, in order; a failure without its details."""
    attempts = sorted(job.status.attempts or [], key=lambda attempt: attempt.number)
    events = [queued(job)]
    for attempt in attempts:
        if attempt.start_time:
            events.append(started(job, attempt))
        goes_on = attempt is not attempts[-1] or not job.status.phase.is_final
        if attempt.completion_time and goes_on:
            events.append(retrying(job, attempt))
    return [*events, finished(job, ())] if job.status.phase.is_final else events


def line(job: CIJob, identity: LineId, text: str) -> CloudEvent:
    """A line of the log: an object of the job's own if it is one with a type, else its text."""
    content = text.removesuffix("\n")
    place = Place(str(identity), identity.timestamp)
    if own := _object(content):
        return replace(_event(job, "output", place, own), data=own)
    return _event(job, "log", place, {"attempt": identity.attempt, "line": content})


def gap(job: CIJob, place: str, message: str) -> CloudEvent:
    """Lines are missing. `place` is the line before it, or the attempt if that has none yet, and
    the number of the gap there.
    """
    time = job.status.completion_time or job.metadata.creation_timestamp
    return _event(job, "gap", Place(f"gap.{place}", time), {"message": message})


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object with a `type` that a line may be."""
    if not text.startswith("{") or len(text) > OWN_CHARACTERS:  # nearly always so, and fast
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_own = isinstance(found, dict) and isinstance(found.get("type"), str)
    return found if is_own else None


def _event(job: CIJob, kind: str, place: Place, data: dict[str, Any]) -> CloudEvent:
    metadata = job.metadata
    source = f"/apis/{names.API_VERSION}/namespaces/{metadata.namespace}/cijobs/{metadata.name}"
    return CloudEvent(
        id=f"{metadata.uid}.{place.id}",
        source=source,
        kind=kind,
        time=place.time,
        subject=metadata.name,
        data={"job_id": metadata.name, **data},
    )
