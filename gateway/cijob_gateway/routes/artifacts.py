"""`/v1/namespaces/{ns}/jobs/{name}/artifacts`: what a job left behind, also when it is gone.

Who may read a job's log may read its artifacts. They come from whatever the job ran: a browser is
told to save them and to guess nothing.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from cijob_api.fields import DNS_LABEL
from cijob_api.objects import CIJob
from cijob_gateway import metrics
from cijob_gateway.artifacts import Artifact, Collected, artifact_name, read_collected
from cijob_gateway.errors import NotFound
from cijob_gateway.parts import Called, Name, Namespace
from cijob_gateway.ranges import Body, ranged
from cijob_gateway.store import Store

router = APIRouter(prefix="/v1/namespaces/{namespace}/jobs/{name}/artifacts", tags=["artifacts"])
ArtifactName = Annotated[str, Path(pattern=DNS_LABEL, max_length=63)]
Attempt = Annotated[
    int | None, Query(ge=1, description="Of that attempt (default: the last that left any).")
]


@dataclass(frozen=True)
class Left:
    """A job that the caller may read, and what it left behind."""

    store: Store
    request: Request
    job: CIJob
    collected: Collected


async def left(namespace: Namespace, name: Name, call: Called, attempt: Attempt = None) -> Left:
    """What a job left behind. Raises NotFound, Forbidden, Down."""
    job, store = await call.readable(namespace, name), call.parts.store
    collected = await read_collected(store, job, attempt)
    if collected is None:
        over = job.status.phase.is_final
        words = "nothing was collected" if over else "nothing is collected before its end"
        raise NotFound(f"job {name} has no artifacts: {words}")
    return Left(store, call.request, job, collected)


LeftBehind = Annotated[Left, Depends(left)]


@router.get("", summary="A job's artifacts")
async def listed(found: LeftBehind) -> Collected:
    """All of them with size and digest, the reports, and what is missing."""
    return found.collected


@router.head("/{artifact}", summary="How large an artifact is")
@router.get("/{artifact}", summary="An artifact", response_class=Response)
async def download(artifact: ArtifactName, found: LeftBehind) -> Response:
    """Its bytes, or one range of them; the ETag is its sha256."""
    name, artifacts = found.job.metadata.name, found.collected.artifacts
    wanted = next((one for one in artifacts if one.name == artifact), None)
    if wanted is None:
        there = ", ".join(one.name for one in artifacts) or "none"
        raise NotFound(f"job {name} has no artifact {artifact!r}; it has: {there}")
    target = artifact_name(found.job, found.collected.attempt, artifact)
    if await found.store.find(target) is None:
        raise NotFound(f"the artifact {artifact!r} of job {name} is no longer stored")

    def read(start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return _counted(found.store, target, start, stop)

    return await ranged(found.request, Body(wanted.size_bytes, _headers(wanted), read))


def _headers(found: Artifact) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.file, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{found.sha256}"',
    }


async def _counted(store: Store, target: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    if start == stop:  # a length of 0 means all to the store
        return
    async for chunk in store.read(target, start=start, length=stop - start):
        metrics.served_bytes.inc(len(chunk))
        yield chunk
