"""What a job came to, for a person who asks what broke: the answer of the route of that name. Pure.

All of it is read from the status and from other jobs' at the moment it is asked for; nothing of it
is stored.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cijob_api import names, statuses
from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_api.statuses import TestResult
from cijob_gateway.reports import Failed
from cijob_gateway.spent import spent


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Failure(_Said):
    """One test that failed."""

    name: str = Field(description="Of pytest its node id.")
    file: str | None = None
    line: int | None = None
    message: str | None = Field(default=None, description="Its assertion.")


class Tests(_Said):
    """What the tests said."""

    summary: str | None
    total: int | None
    failed: int | None
    errors: int | None
    skipped: int | None
    failures: list[Failure] = Field(description="As many as were asked for.")


class Collection(_Said):
    """What became of collecting the results."""

    state: str = Field(description="Complete, Partial or Failed.")
    message: str | None = Field(description="What is missing, if anything.")


class Other(_Said):
    """Another job."""

    name: str
    phase: Phase


class Outcome(_Said):
    """What a job came to."""

    tests: Tests | None = None
    collection: Collection | None = None
    spent: dict[str, int] = Field(
        description="Seconds that are known, by stage, in their order: earlierAttempts, queued,"
        " starting, pulling, fetching, running, collecting."
    )
    flaky: Other | None = Field(
        default=None,
        description="The newest job before it that ran the same, if that ended the other way.",
    )
    retry_of: str | None = None
    retry_tests: int | None = Field(
        default=None, description="How many failed tests of that job it ran, if not all of it."
    )
    can_retry_failed: bool = Field(
        default=False, description="Whether the tests that failed can be run again by themselves."
    )


def outcome(job: CIJob, failures: Sequence[Failed]) -> Outcome:
    """What a job came to by itself, with the failures of its reports."""
    notes, results = job.metadata.annotations, job.status.results
    retried = notes.get(names.ANNOTATION_RETRY_TESTS) or ""
    return Outcome(
        tests=_tests(results.tests, failures) if results and results.tests else None,
        collection=_collection(results.collection) if results and results.collection else None,
        spent=spent(job),
        retry_of=notes.get(names.ANNOTATION_RETRY_OF),
        retry_tests=int(retried) if retried.isdecimal() else None,
    )


def known_failures(job: CIJob) -> list[Failed]:
    """The failures that the status has: the first ones."""
    tests = job.status.results.tests if job.status.results else None
    return [
        Failed(one.name, "", one.file or "", one.line, one.message or "")
        for one in (tests.first_failures if tests else None) or []
    ]


def _tests(result: TestResult, failures: Sequence[Failed]) -> Tests:
    counts = result.model_dump(exclude={"first_failures"})
    return Tests(**counts, failures=[_failure(one) for one in failures])


def _collection(said: statuses.Collection) -> Collection:
    return Collection(state=said.state, message=said.message)


def _failure(one: Failed) -> Failure:
    return Failure(name=one.name, file=one.file or None, line=one.line, message=one.message or None)
