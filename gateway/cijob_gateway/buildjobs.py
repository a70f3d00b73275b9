"""Build jobs: what the Build Job API says, and the CIJobs that it is said with. Pure.

Its paths, fields and words are those of the system that it succeeds. A build job is any CIJob of
the namespace for builds that starts from template `build` and clones a repository, whoever made it:
what is asked for stands in its spec, and nothing is kept beside it.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cijob_api import giturls
from cijob_api.fields import GIT_REF, Label
from cijob_api.fitting import architecture
from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_gateway.errors import Invalid
from cijob_gateway.listings import Filter
from cijob_gateway.submissions import Submission
from cijob_gateway.watches import Json

TEMPLATE = "build"
TIP, ANY_SERVER, ANY = "HEAD", "auto", "any"
# As Go and Kubernetes name the processors that Linux has nodes of.
ARCHITECTURES = {
    *("386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"),
}
_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")


class State(StrEnum):
    """Where a build job is."""

    QUEUED = "queued"
    BUILDING = "building"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATES = {
    Phase.QUEUED: State.QUEUED,
    Phase.STARTING: State.BUILDING,
    Phase.RUNNING: State.BUILDING,
    Phase.SUCCEEDED: State.COMPLETED,
    Phase.FAILED: State.FAILED,
    Phase.ERROR: State.FAILED,
    Phase.CANCELLED: State.CANCELLED,
}


class Asked(BaseModel):
    """A build to be made."""

    model_config = ConfigDict(extra="forbid")

    source_repository: str = Field(description="An https:// or ssh:// URL.")
    branch: str = Field(min_length=1, max_length=255, pattern=GIT_REF, description="Or a tag.")
    commit_hash: str | None = Field(
        default=TIP, description='A commit, full or abbreviated; "HEAD" is the tip of the branch.'
    )
    target_architecture: str = Field(
        description="As uname (x86_64, aarch64) or Kubernetes (amd64, arm64) names it."
    )
    server_id: Label | None = Field(
        default=ANY_SERVER, description='The pool to build in; "auto" is any that fits.'
    )
    toolchain: Label | None = Field(default=None, description="That the pool must offer.")
    priority: int | None = Field(
        default=None, ge=-1000, le=1000, description="Higher goes first (default 0)."
    )
    build_config: dict[str, Any] = Field(
        default_factory=dict, description="Must be empty: the repository has the recipe."
    )


class BuildJob(BaseModel):
    """A build job, as it is now."""

    id: str = Field(description="A UUID; it stays valid when the CIJob is gone.")
    source_repository: str
    branch: str
    commit_hash: str
    target_architecture: str
    server_id: str | None = Field(description="The pool that it was assigned to.")
    status: State
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: int | None
    error_message: str | None = Field(description="Why it failed.")
    created_at: datetime


class Wanted(BaseModel):
    """Which build jobs are listed."""

    status: State | None = None
    target_architecture: str | None = Field(default=None, description="By either name.")
    server_id: str | None = None
    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=10_000)


class BuildFilter(Filter):
    """The filter of a list of CIJobs that leaves the wanted build jobs."""

    wanted: Wanted

    @classmethod
    def of(cls, wanted: Wanted) -> "BuildFilter":
        """What is asked of all jobs, those that are gone included where they can be among them."""
        phases = [phase for phase, state in STATES.items() if state == wanted.status]
        gone = not phases or any(phase.is_final for phase in phases)
        found = {"wanted": wanted, "phase": phases, "template": TEMPLATE, "all": gone}
        return cls.model_validate(found)

    def suits(self, body: Json) -> bool:
        """Whether it is a build job, for that processor, in that pool."""
        processor, pool = self.wanted.target_architecture, self.wanted.server_id
        if not is_build_job(body):
            return False
        if processor and architecture(body["spec"].get("architecture") or "") != architecture(
            processor
        ):
            return False
        return not pool or (body.get("status") or {}).get("pool") == pool


def submission(asked: Asked) -> Submission:
    """The job that builds it. Raises Invalid, naming the field."""
    if fault := giturls.fault(asked.source_repository):
        raise Invalid(f"source_repository {fault}")
    if architecture(asked.target_architecture) not in ARCHITECTURES:
        known = ", ".join(["x86_64", "aarch64", *sorted(ARCHITECTURES)])
        words = f"target_architecture {asked.target_architecture!r} is no processor"
        raise Invalid(f"{words}; there are: {known}")
    if asked.build_config:
        words = f"build_config says {', '.join(sorted(asked.build_config))}"
        raise Invalid(f"{words}; how to build stands in the repository: .cijob/build or a makefile")
    source = {"url": asked.source_repository, "ref": asked.branch}
    if asked.commit_hash not in {None, "", TIP}:
        source["commit"] = _commit(asked.commit_hash or "")
    spec: Json = {
        "templateRef": {"name": TEMPLATE},
        "source": {"git": source},
        "architecture": asked.target_architecture,
    }
    if asked.server_id not in {None, ANY_SERVER}:
        spec["pool"] = asked.server_id
    if asked.toolchain:
        spec["toolchains"] = [asked.toolchain]
    if asked.priority is not None:
        spec["priority"] = asked.priority
    return Submission(spec=spec)


def _commit(text: str) -> str:
    if not _COMMIT.fullmatch(text):
        words = f"commit_hash {text!r} is no commit"
        raise Invalid(f"{words}; give 4 to 64 hexadecimal digits, or HEAD for the branch's tip")
    return text.lower()


def is_build_job(body: Json) -> bool:
    """Whether a CIJob is a build job; its namespace is another matter."""
    spec = body["spec"]
    named = (spec.get("templateRef") or {}).get("name") == TEMPLATE
    return named and bool((spec.get("source") or {}).get("git"))


def state(job: CIJob) -> State:
    """Where a build job is."""
    return STATES[job.status.phase]


def view(job: CIJob) -> BuildJob:
    """A CIJob as a build job."""
    spec, status, now = job.spec, job.status, state(job)
    git = spec.source.git if spec.source else None
    started, completed = _time(status.start_time), _time(status.completion_time)
    seconds = int((completed - started).total_seconds()) if started and completed else None
    return BuildJob(
        id=job.metadata.uid,
        source_repository=git.url if git else "",
        branch=(git.ref if git else None) or TIP,
        commit_hash=(git.commit if git else None) or TIP,
        target_architecture=spec.architecture or ANY,
        server_id=status.pool,
        status=now,
        started_at=started,
        completed_at=completed,
        duration_seconds=max(seconds, 0) if seconds is not None else None,
        error_message=status.message if now == State.FAILED else None,
        created_at=datetime.fromisoformat(job.metadata.creation_timestamp),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
