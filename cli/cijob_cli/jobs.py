"""The parts of a job that are shown, read from the object as the API server has it. Pure.

Called by output, outcome and the commands. Not the models of cijob_api: importing pydantic takes
0.3 s, on every call of a program that a person waits for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cijob_api.names import ANNOTATION_RETRY_OF, ANNOTATION_RETRY_TESTS, ANNOTATION_SUBMITTER
from cijob_cli.events import End
from cijob_cli.units import format_duration, parse_time


@dataclass(frozen=True)
class JobView:
    """A job, for people."""

    name: str
    namespace: str
    template: str
    submitter: str
    phase: str
    reason: str
    message: str
    pool: str
    source: str
    tests: str
    exit_code: int | None
    created: datetime | None
    started: datetime | None
    ended: datetime | None
    attempts: tuple[Mapping[str, Any], ...]
    retry_of: str
    retry_tests: str  # how many failed tests of that job, if not all of it

    def duration(self, now: datetime) -> str:
        """How long it has run, or empty."""
        if self.started is None:
            return ""
        return format_duration(round(((self.ended or now) - self.started).total_seconds()))

    def age(self, now: datetime) -> str:
        """How long it has been there."""
        return format_duration(round((now - self.created).total_seconds())) if self.created else ""

    def of_last_attempt(self, name: str) -> str:
        """A field of the newest attempt, or empty."""
        return str(self.attempts[-1].get(name) or "") if self.attempts else ""

    def end(self) -> End:
        """The same as an end of a stream."""
        return End(self.phase, self.reason, self.message, self.exit_code)


def _source(ran_on: Mapping[str, Any]) -> str:
    """What it really ran on: a commit, or an archive by its digest."""
    known = ("commit", "commit"), ("archive", "sha256")
    return ", ".join(f"{what} {ran_on[key]}" for what, key in known if ran_on.get(key))


def view(job: Mapping[str, Any]) -> JobView:
    """Read a job; an absent status means Queued."""
    metadata, spec = job["metadata"], job.get("spec") or {}
    status = job.get("status") or {}
    results = status.get("results") or {}
    notes = metadata.get("annotations") or {}
    return JobView(
        name=metadata["name"],
        namespace=metadata.get("namespace") or "",
        template=(spec.get("templateRef") or {}).get("name") or "",
        submitter=notes.get(ANNOTATION_SUBMITTER) or "",
        phase=status.get("phase") or "Queued",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        pool=status.get("pool") or spec.get("pool") or "",
        source=_source(results.get("source") or {}),
        tests=(results.get("tests") or {}).get("summary") or "",
        exit_code=status.get("exitCode"),
        created=parse_time(metadata.get("creationTimestamp")),
        started=parse_time(status.get("startTime")),
        ended=parse_time(status.get("completionTime")),
        attempts=tuple(status.get("attempts") or ()),
        retry_of=notes.get(ANNOTATION_RETRY_OF) or "",
        retry_tests=notes.get(ANNOTATION_RETRY_TESTS) or "",
    )
