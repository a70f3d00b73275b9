"""`/healthz`, `/readyz` and `/metrics`, on the internal listener."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cijob_gateway.metrics import REGISTRY
from cijob_gateway.parts import Given

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?")
async def alive() -> Response:
    """Answers as long as requests are handled at all."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", summary="Can it do its work now?")
async def ready(given: Given) -> Response:
    """503, saying why, while something that it needs is away."""
    trouble = given.trouble()
    return PlainTextResponse(trouble + "\n" if trouble else "ok\n", 503 if trouble else 200)


@router.get("/metrics", summary="Figures for Prometheus")
async def metrics() -> Response:
    """All counts, in Prometheus' text format."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
