"""What a job leaves behind, in the bucket: its artifacts, its reports, and the list of both.

Used by collecting.py, which writes it, and by the routes, which read it. Below
`<namespace>/job/<uid>/`, and so kept as long as the job's log:

    artifacts/<attempt>/<name>       the bytes
    reports/<attempt>/<number>.xml   a JUnit report
    collections/<attempt>.json       a `Collected`: there once the collection has ended
"""

from collections.abc import AsyncGenerator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cijob_api.fields import Bytes, Count, Label, Sha256, Short
from cijob_api.objects import CIJob
from cijob_api.statuses import CollectionState
from cijob_gateway.logs.archive import job_prefix
from cijob_gateway.store import Store

MOST_ARTIFACTS = 64
MOST_REPORTS = 100
MOST_WORDS = 16_384  # characters of what is missing


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Artifact(_Said):
    """One artifact that was kept."""

    name: Label
    file: Short = Field(description="The file's name; an archive's is the artifact's and .tar.gz.")
    size_bytes: Bytes
    sha256: Sha256


class Report(_Said):
    """One JUnit report."""

    number: Annotated[int, Field(ge=0, lt=MOST_REPORTS)]
    path: Short = Field(description="Where it was in the workspace; a long one without its middle.")
    size_bytes: Bytes


class Collected(_Said):
    """Everything that one attempt left behind."""

    attempt: Count = 0
    artifacts: list[Artifact] = Field(default=[], max_length=MOST_ARTIFACTS)
    reports: list[Report] = Field(default=[], max_length=MOST_REPORTS)
    state: CollectionState
    message: str = Field(
        default="", max_length=MOST_WORDS, description="What is missing, if anything."
    )
    fetch_seconds: Count = Field(default=0, description="How long its command waited for a source.")


def artifact_name(job: CIJob, attempt: int, name: str) -> str:
    """Where an artifact lies."""
    return f"{artifacts_prefix(job, attempt)}{name}"


def artifacts_prefix(job: CIJob, attempt: int) -> str:
    """What the names of an attempt's artifacts begin with."""
    return f"{_prefix(job)}artifacts/{attempt}/"


def report_name(job: CIJob, attempt: int, number: int) -> str:
    """Where a report lies."""
    return f"{_prefix(job)}reports/{attempt}/{number}.xml"


def collected_name(job: CIJob, attempt: int) -> str:
    """Where the list lies."""
    return f"{_prefix(job)}collections/{attempt}.json"


async def read_collected(store: Store, job: CIJob, attempt: int | None = None) -> Collected | None:
    """What an attempt left behind, or the last one that left anything. Raises Down."""
    if attempt is None:
        attempts = [number async for number in _attempts(store, job)]
        attempt = max(attempts, default=0)
    try:
        found = await store.get(collected_name(job, attempt))
    except FileNotFoundError:
        return None
    return Collected.model_validate_json(found.content)


async def _attempts(store: Store, job: CIJob) -> AsyncGenerator[int, None]:
    prefix = f"{_prefix(job)}collections/"
    async for stored in store.under(prefix):
        number = stored.name.removeprefix(prefix).removesuffix(".json")
        if number.isdecimal():
            yield int(number)


def _prefix(job: CIJob) -> str:
    return job_prefix(job.metadata.namespace, job.metadata.uid)
