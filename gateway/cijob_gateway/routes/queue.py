"""`/v1/queue`: the pools, and where each queued job stands.

Everybody who is logged in may see how full the pools are. Jobs have names only for those who may
get them; for the others they are counted.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from cijob_api.objects import CIJob
from cijob_gateway.login import Right
from cijob_gateway.parts import Call, Called
from cijob_gateway.waits import PoolLine, Wait
from cijob_gateway.wire import event

router = APIRouter(prefix="/v1/queue", tags=["queue"])


class Wanted(BaseModel):
    """Which jobs are named."""

    namespace: str = Field(default="", description="Only those of that namespace.")
    limit: int = Field(default=100, ge=1, le=10_000)


class QueuePool(BaseModel):
    """A pool, and the line before it."""

    name: str
    running: int
    places: int
    queued: int
    waitSeconds: int = Field(description="How long one more job would wait: a guess.")  # noqa: N815


class QueueJob(BaseModel):
    """Where a queued job stands."""

    namespace: str
    name: str
    pool: str | None = Field(description="Where it is likely to run; null if it is in no line.")
    position: int | None = Field(description="1 for the next one of its pool, or of its limit.")
    ahead: int | None = Field(description="How many are in front of it.")
    waitSeconds: int | None = Field(description="How long it will wait: a guess.")  # noqa: N815
    limit: str | None = Field(
        description="Whose limit holds it: group, namespace or submitter; null for none."
    )
    message: str = Field(description="What it waits for.")


class QueueNow(BaseModel):
    """The queue, in the order in which jobs are likely to start."""

    pools: list[QueuePool]
    jobs: list[QueueJob]
    others: int = Field(description="Queued jobs that are not named here.")


@router.get("", summary="Who waits, for what, and for how long")
async def queue(call: Called, wanted: Annotated[Wanted, Query()]) -> QueueNow:
    """The queue now; at most a second old."""
    found = await call.parts.queue.look()
    seen = {
        namespace: await call.parts.login.may(call.user, Right("get", namespace))
        for namespace in {wait.namespace for wait in found.waits}
        if wanted.namespace in {"", namespace}
    }
    jobs = [wait for wait in found.waits if seen.get(wait.namespace)][: wanted.limit]
    return QueueNow(
        pools=[_pool(line) for line in found.pools],
        jobs=[shown(wait) for wait in jobs],
        others=len(found.waits) - len(jobs),
    )


def news_of(call: Call, job: CIJob) -> Callable[[], Awaitable[bytes]]:
    """What a reader of a queued job's stream is told: where it stands, when that has changed."""
    told: Wait | None = None

    async def news() -> bytes:
        nonlocal told
        found = call.parts.watch.body(job.metadata.namespace, job.metadata.name)
        if found is None or (found.get("status") or {}).get("phase", "Queued") != "Queued":
            return b""
        wait = await call.parts.queue.wait(job.metadata.namespace, job.metadata.name)
        # What else it may wait for stands in its status.
        if wait is None or wait.position is None or wait == told:
            return b""
        told = wait
        return event("queue", shown(wait).model_dump(exclude={"namespace", "name"}))

    return news


def shown(wait: Wait) -> QueueJob:
    """Where a job stands, as it is told."""
    return QueueJob(
        namespace=wait.namespace,
        name=wait.name,
        pool=wait.pool,
        position=wait.position,
        ahead=wait.position - 1 if wait.position else None,
        waitSeconds=wait.seconds,
        limit=wait.limit,
        message=wait.words,
    )


def _pool(line: PoolLine) -> QueuePool:
    return QueuePool(
        name=line.name,
        running=line.running,
        places=line.places,
        queued=line.queued,
        waitSeconds=line.seconds,
    )
