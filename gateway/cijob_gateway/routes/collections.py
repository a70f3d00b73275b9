"""`/internal/v1/…`: what agents bring of their own Pod's attempt, and that this was all."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from cijob_api import names
from cijob_api.fields import DNS_LABEL
from cijob_api.objects import CIJob
from cijob_gateway import collecting, metrics
from cijob_gateway.artifacts import (
    MOST_ARTIFACTS,
    MOST_REPORTS,
    Collected,
    artifact_name,
    artifacts_prefix,
    report_name,
)
from cijob_gateway.errors import ResultTooLarge
from cijob_gateway.parts import Given, Name, Namespace, Parts
from cijob_gateway.reports import Most
from cijob_gateway.routes.agents import own_pod
from cijob_gateway.settings import MIB
from cijob_gateway.uploads import Wanted

router = APIRouter(prefix="/internal/v1/namespaces/{namespace}/jobs/{name}", tags=["agents"])
Artifact = Annotated[str, Path(pattern=DNS_LABEL, max_length=63)]
Number = Annotated[int, Path(ge=0, lt=MOST_REPORTS)]
REPORT_BYTES = Most().report_bytes


@dataclass(frozen=True)
class Own:
    """A request of an agent's, for its own Pod's attempt."""

    parts: Parts
    request: Request
    job: CIJob
    attempt: int


async def own(namespace: Namespace, name: Name, request: Request, given: Given) -> Own:
    """A request with the job and attempt that its token is for. Raises Forbidden."""
    job, pod = await own_pod(given, namespace, name, request)
    return Own(given, request, job, int(pod["metadata"]["labels"][names.LABEL_ATTEMPT]))


Owned = Annotated[Own, Depends(own)]


@router.get("/collection", summary="What may be brought")
async def limits(call: Owned) -> Response:
    """The limits, in bytes; of reports also how many."""
    settings = call.parts.settings
    return JSONResponse(
        {
            "artifactBytes": settings.max_artifact_bytes,
            "totalBytes": settings.max_artifacts_bytes,
            "reportBytes": REPORT_BYTES,
            "reports": MOST_REPORTS,
        }
    )


@router.put("/artifacts/{artifact}", summary="Bring an artifact")
async def bring_artifact(artifact: Artifact, call: Owned) -> Response:
    """Store the body, in place of what was brought under that name before."""
    target, settings = artifact_name(call.job, call.attempt, artifact), call.parts.settings
    others = [
        stored.size
        async for stored in call.parts.store.under(artifacts_prefix(call.job, call.attempt))
        if stored.name != target
    ]
    if len(others) >= MOST_ARTIFACTS:
        raise ResultTooLarge(f"{len(others)} artifacts are stored, that is the limit; name fewer")
    limit = min(settings.max_artifact_bytes, settings.max_artifacts_bytes - sum(others))
    return await _store(call, target, limit)


@router.put("/reports/{number}", summary="Bring a report")
async def bring_report(number: Number, call: Owned) -> Response:
    """Store the body, in place of what was brought under that number before."""
    return await _store(call, report_name(call.job, call.attempt, number), REPORT_BYTES)


@router.post("/collection", summary="That was all")
async def finish(said: Collected, call: Owned) -> Response:
    """Results become part of the job's status."""
    whole = said.model_copy(update={"attempt": call.attempt})
    answer = await collecting.finish(call.parts.api, call.parts.store, call.job, whole)
    call.parts.watch.put(answer)
    return JSONResponse({"attempt": call.attempt})


async def _store(call: Own, target: str, limit: int) -> Response:
    """Store a body, however large, with constant memory."""
    kind = "application/xml" if target.endswith(".xml") else "application/octet-stream"
    wanted = Wanted(limit, kind=kind, problem=_too_large)
    digest, size = await call.parts.store.write(target, _body(call.request), wanted, result=True)
    metrics.result_bytes.labels("reports" if kind.endswith("xml") else "artifacts").inc(size)
    return JSONResponse({"sizeBytes": size, "sha256": digest}, 201)


async def _body(request: Request) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        yield chunk


def _too_large(size: int, limit: int) -> ResultTooLarge:
    words = f"it has {size / MIB:.0f} MiB or more, and {max(limit, 0) / MIB:.0f} MiB are left"
    return ResultTooLarge(f"{words}; keep less, or have the gateway's limits raised")
