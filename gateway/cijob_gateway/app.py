"""The two HTTP applications: the user API, and the internal one for agents, probes and metrics.

They listen on ports of their own, so that a network policy can tell them apart, and so that a
user's token can open nothing of the agents' by any mistake in a route.
"""

import logging
from http import HTTPStatus
from time import monotonic
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cijob_gateway import metrics
from cijob_gateway.answers import answer, broke_off, fault
from cijob_gateway.bodies import BODY_SECONDS, Bodies
from cijob_gateway.errors import TYPES, BadRequest, Problem, ProblemDocument, problem_of
from cijob_gateway.parts import Parts
from cijob_gateway.routes import (
    about,
    agents,
    artifacts,
    buildjobs,
    buildstreams,
    collections,
    events,
    health,
    jobs,
    logs,
    outcomes,
    queue,
    sources,
)
from cijob_kube.errors import ApiError, Denied

logger = logging.getLogger(__name__)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Anything but success",
        "content": {"application/problem+json": {"schema": ProblemDocument.model_json_schema()}},
    }
}
ABOUT = "Submit jobs, follow them, and get what they leave behind. Errors are RFC 9457 documents."


def user_app(parts: Parts | None, *, body_seconds: float = BODY_SECONDS) -> FastAPI:
    """The user API. Without parts it can only describe itself."""
    app = _app("cijob", parts, body_seconds)
    shown = (jobs, outcomes, logs, events, queue, artifacts)
    for part in (about, sources, *shown, buildjobs, buildstreams):
        app.include_router(part.router, responses=PROBLEMS)
    return app


def internal_app(parts: Parts) -> FastAPI:
    """What agents, the kubelet and Prometheus ask."""
    app = _app("cijob, internal", parts)
    for part in (agents, collections, health):
        app.include_router(part.router)
    return app


def _app(title: str, parts: Parts | None, body_seconds: float = BODY_SECONDS) -> FastAPI:
    app = FastAPI(title=title, version="v1", description=ABOUT, docs_url=None, redoc_url=None)
    app.state.parts = parts
    app.add_middleware(Bodies, seconds=body_seconds)
    app.add_middleware(Counted)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _cut)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101
    return answer(error)


async def _api_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101
    if isinstance(error, Denied):
        # The caller was allowed: it is the gateway that lacks a right, or admission said no.
        logger.warning("the API server refused the gateway: %s", error)
    return answer(problem_of(error))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return answer(BadRequest(fault(error)))


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    title = HTTPStatus(error.status_code).phrase
    slug = title.lower().replace(" ", "-")
    document = {"type": TYPES + slug, "title": title, "status": error.status_code}
    return JSONResponse(
        {**document, "detail": str(error.detail)},
        error.status_code,
        media_type="application/problem+json",
    )


async def _cut(request: Request, _: Exception) -> JSONResponse:
    return broke_off(request.url.path)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed", exc_info=error, extra={"path": request.url.path})
    return answer(Problem("the gateway failed at this; its log says how"))


class Counted:
    """Counts every request by its route, and how long it took unless it is a stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, streamed = monotonic(), 0, False

        async def noted(message: Message) -> None:
            nonlocal status, streamed
            if message["type"] == "http.response.start":
                status = message["status"]
            streamed = streamed or bool(message.get("more_body"))
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            metrics.requests.labels(scope["method"], route, str(status)).inc()
            if not streamed:
                metrics.request_seconds.labels(route).observe(monotonic() - began)
