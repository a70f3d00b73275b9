"""How long the queue of build jobs is, as the Build Job API says it. Pure.

The guesses are those of `waits`, over the whole queue: other jobs may be in front of a build job.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from cijob_api.estimates import NO_HISTORY_SECONDS
from cijob_api.fitting import architecture
from cijob_api.objects import CIJob
from cijob_api.parts import DesiredState
from cijob_api.reasons import Phase
from cijob_gateway.buildjobs import ANY, STATES, State, is_build_job, view
from cijob_gateway.waits import Wait
from cijob_gateway.watches import Json


class QueueStatus(BaseModel):
    """The build jobs that wait."""

    total_queued: int
    total_building: int
    jobs_by_architecture: dict[str, int] = Field(description="Of those that are queued.")
    estimated_wait_time_seconds: int = Field(description="Until the last of them starts: a guess.")


class QueueInfo(BaseModel):
    """The queue that a build job waits in."""

    total_queued: int
    estimated_wait_seconds: int


class Status(BaseModel):
    """Where a build job is."""

    id: str
    status: State
    server_id: str | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: int | None
    error_message: str | None
    queue_info: QueueInfo | None = Field(description="While it is queued.")


def queue_status(bodies: Iterable[Json], waits: Mapping[str, Wait]) -> QueueStatus:
    """The build jobs among these CIJobs that wait; `waits` says where each stands, by its name.

    One that stands in no line, since no pool takes it yet, is guessed to wait for a server that all
    of them wait for.
    """
    jobs = [body for body in bodies if is_build_job(body)]
    queued = [body for body in jobs if _state_of(body) == State.QUEUED and not _is_cancelled(body)]
    seconds = [waits[n].seconds for body in queued if (n := body["metadata"]["name"]) in waits]
    known = [one for one in seconds if one is not None]
    if len(known) < len(queued):
        known.append(len(queued) * NO_HISTORY_SECONDS)
    return QueueStatus(
        total_queued=len(queued),
        total_building=sum(_state_of(body) == State.BUILDING for body in jobs),
        jobs_by_architecture=_by_architecture(queued),
        estimated_wait_time_seconds=max(known, default=0),
    )


def status_of(job: CIJob, queue: QueueStatus) -> Status:
    """Where a build job is, and in which queue."""
    shown = view(job)
    waits = QueueInfo(
        total_queued=queue.total_queued, estimated_wait_seconds=queue.estimated_wait_time_seconds
    )
    own = shown.model_dump(include=set(Status.model_fields))
    return Status(**own, queue_info=waits if shown.status == State.QUEUED else None)


def _by_architecture(bodies: Iterable[Json]) -> dict[str, int]:
    """How many there are of each processor, by the name that the oldest of them calls it."""
    words: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for body in sorted(bodies, key=lambda body: str(body["metadata"]["creationTimestamp"])):
        asked = body["spec"].get("architecture") or ANY
        counts[words.setdefault(architecture(asked), asked)] += 1
    return dict(counts)


def _is_cancelled(body: Json) -> bool:
    """Whether its end is asked for: it waits for nothing any more."""
    return bool(body["spec"].get("desiredState") == DesiredState.CANCELLED)


def _state_of(body: Json) -> State:
    return STATES[Phase((body.get("status") or {}).get("phase") or Phase.QUEUED)]
