"""What is known of a job: its status, as three writers keep it, each only its own keys.

The operator writes all but `results`; the gateway `results` but for `logs` and `failure`; the
archiver those two.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cijob_api.fields import Bytes, Count, Label, Model, Sha256, Short, Time, Word, listed, named
from cijob_api.reasons import Phase

Message = Annotated[str, Field(max_length=4096)]
ExitCode = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
ReasonWord = Annotated[str, Field(max_length=128)]


class ConditionType(StrEnum):
    """The contract: what is certain about a job."""

    ADMITTED = "Admitted"
    STARTED = "Started"
    FINISHED = "Finished"
    SUCCEEDED = "Succeeded"


class Condition(Model):
    """One thing that is or is not so; as everywhere in Kubernetes."""

    type: ReasonWord
    """What it is about."""
    status: Annotated[str, Field(max_length=7, pattern="^(True|False|Unknown)$")]
    """True, False or Unknown."""
    reason: ReasonWord
    """One CamelCase word."""
    message: Message = ""
    """A sentence for people."""
    last_transition_time: Time
    """When the status changed last."""


class Spent(Model):
    """Where an attempt's time went, in whole seconds; each second is counted once."""

    starting_seconds: Count | None = None
    """From its Pod's creation to its container's start, without pulling and fetching."""
    pulling_seconds: Count | None = None
    """Pulling images, and waiting for other pulls; absent: they were there, or nobody said."""
    fetching_seconds: Count | None = None
    """How long its command waited for the source; absent: it did not, or nobody said."""
    running_seconds: Count | None = None
    """What its command ran for."""


class Attempt(Model):
    """One try: one Pod."""

    number: Annotated[int, Field(ge=1, le=1000)]
    """1 for the first."""
    pod_name: Word | None = None
    """The Pod's name."""
    pod_uid: Annotated[str, Field(max_length=64)] | None = Field(default=None, alias="podUID")
    """The Pod's UID."""
    container_id: Word | None = Field(default=None, alias="containerID")
    """The job's container, as the runtime names it."""
    node_name: Word | None = None
    """The node that it ran on."""
    template: ReasonWord | None = None
    """Name and generation of the template that it was resolved with."""
    start_time: Time | None = None
    """When the job's container started."""
    completion_time: Time | None = None
    """When the attempt ended."""
    exit_code: ExitCode | None = None
    """The container's exit code, if it ended by itself."""
    reason: ReasonWord | None = None
    """How it ended."""
    message: Message | None = None
    """That in a sentence."""
    spent: Spent | None = None
    """Where its time went, as far as it is known."""


class SourceResult(Model):
    """What the job really ran on."""

    commit: Annotated[str, Field(max_length=64)] | None = None
    """The commit that the ref was resolved to."""
    sha256: Sha256 | None = None
    """The digest of the archive."""


class LogResult(Model):
    """What was recorded of the log."""

    lines: Bytes | None = None
    """How many lines."""
    bytes: Bytes | None = None
    """How many bytes."""
    sha256: Sha256 | None = None
    """The digest of all bytes."""
    complete: bool | None = None
    """Whether every line that the runtime recorded is there."""
    message: Message | None = None
    """What is missing, if anything."""


class TestFailure(Model):
    """One failed test."""

    __test__ = False  # not a test class, whatever its name

    name: Short
    """The test's name; of pytest its node id."""
    file: Short | None = None
    """The file that it stands in."""
    line: Count | None = None
    """The line that failed, if the report says it."""
    message: Message | None = None
    """Its assertion."""


class TestResult(Model):
    """What the tests said."""

    __test__ = False

    summary: Annotated[str, Field(max_length=64)] | None = None
    """For the column: `12/340 failed`, `340 passed`."""
    total: Count | None = None
    """How many ran."""
    failed: Count | None = None
    """How many failed."""
    errors: Count | None = None
    """How many could not run."""
    skipped: Count | None = None
    """How many were skipped."""
    first_failures: list[TestFailure] | None = listed(10)
    """The first ones that failed."""


class ArtifactResult(Model):
    """One artifact that was kept."""

    name: Label
    """The artifact's name."""
    size_bytes: Bytes | None = None
    """Its size in bytes."""
    sha256: Sha256 | None = None
    """Its digest."""


class CollectionState(StrEnum):
    """How far the collection of results came."""

    COMPLETE = "Complete"
    PARTIAL = "Partial"
    FAILED = "Failed"


class Collection(Model):
    """What became of collecting artifacts and reports."""

    attempt: Count
    """The attempt that it is about."""
    state: CollectionState
    """Complete, Partial or Failed."""
    message: Message | None = None
    """What is missing, if anything."""
    fetch_seconds: Count | None = None
    """How long the command had waited for its source, as the agent told; absent: not at all."""


class Failure(Model):
    """What a failed job said last."""

    log_tail: Message | None = None
    """The last lines of its log."""


class Results(Model):
    """What the job left behind."""

    source: SourceResult | None = None
    """What it ran on."""
    logs: LogResult | None = None
    """Its log."""
    tests: TestResult | None = None
    """Its tests."""
    artifacts: list[ArtifactResult] | None = named("name", 64)
    """Its artifacts."""
    collection: Collection | None = None
    """How their collection went."""
    failure: Failure | None = None
    """What it said last, if it failed."""


class Retries(Model):
    """What was taken from the two retry budgets."""

    own: Count = 0
    """Attempts repeated because the command failed."""
    infrastructure: Count = 0
    """Attempts repeated because the platform failed."""


class Waited(Model):
    """The clock of the queue timeout; it stands still while the job is suspended."""

    seconds: Count = 0
    """Seconds waited before `since`."""
    since: Time | None = None
    """Since when the clock runs; absent while it stands still."""


class CIJobStatus(Model):
    """What is known of a job. At most 8 KiB; the conditions are the contract."""

    observed_generation: Bytes | None = None
    """The generation of the spec that this is about."""
    phase: Phase = Phase.QUEUED
    """Queued, Starting, Running, Succeeded, Failed, Error or Cancelled: a summary."""
    reason: ReasonWord | None = None
    """Why, in one word; docs/reasons.md lists them."""
    message: Message | None = None
    """Why, in a sentence."""
    conditions: list[Condition] | None = named("type", 8)
    """Admitted, Started, Finished, Succeeded."""
    attempts: list[Attempt] | None = listed(10)
    """The last 10 attempts."""
    retries: Retries | None = None
    """What was taken from the retry budgets (default: nothing)."""
    waited: Waited | None = None
    """The clock of the queue timeout (default: it runs since the job was created)."""
    pool: Label | None = None
    """The pool that it was admitted to."""
    start_time: Time | None = None
    """When its container first started."""
    completion_time: Time | None = None
    """When it ended."""
    duration: Annotated[str, Field(max_length=32)] | None = None
    """How long it ran, for the column."""
    exit_code: ExitCode | None = None
    """The exit code of the last attempt."""
    results: Results | None = None
    """What it left behind."""


class CIPoolStatus(Model):
    """How full a pool is."""

    running: Count | None = None
    """Jobs that run in it."""
    queued: Count | None = None
    """Jobs that wait for it."""
    nodes: Count | None = None
    """Nodes that it can run on."""
    conditions: list[Condition] | None = named("type", 8)
    """What is so about the pool."""
