"""`…/build-jobs/{id}/logs/stream`: a build job's log as it is written, by WebSocket.

Each message is one line, as `GET …/logs` has it; the connection is closed behind the last one. Who
may not have it is answered as by any other route, before the connection is a WebSocket. What a
client sends is not read. uvicorn's pings notice a client that is gone without a word.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from cijob_api.objects import CIJob
from cijob_gateway import metrics
from cijob_gateway.answers import answer
from cijob_gateway.errors import Down, Problem, problem_of
from cijob_gateway.pages import require_own_page
from cijob_gateway.parts import Parts
from cijob_gateway.routes.buildjobs import PREFIX, Builds, served
from cijob_gateway.streams import HEARTBEAT_SECONDS, STUCK_SECONDS, still_allowed
from cijob_kube.errors import ApiError

ENDED, AWAY, REFUSED = 1000, 1012, 1008  # RFC 6455, 7.4
router = APIRouter(prefix=PREFIX)


@router.websocket("/{id}/logs/stream")
async def stream(socket: WebSocket, id: str) -> None:  # noqa: A002 (the API's own name of it)
    """The lines of a build job until its end."""
    parts = cast("Parts", socket.app.state.parts)
    try:
        require_own_page(socket.headers, login=parts.settings.login)
        builds = served(parts, await parts.login.user(socket.headers.get("Authorization")))
        job = await builds.readable(id)
    except Problem as problem:
        return await socket.send_denial_response(answer(problem))
    except ApiError as error:
        return await socket.send_denial_response(answer(problem_of(error)))
    await socket.accept()
    metrics.streams.inc()
    try:
        code, words = await _until_over(socket, builds, job)
    finally:
        metrics.streams.dec()
    if socket.client_state == WebSocketState.CONNECTED:
        await socket.close(code, words)
    return None


async def _until_over(socket: WebSocket, builds: Builds, job: CIJob) -> tuple[int, str]:
    """Send until the lines end, the client is gone or must be; how to close."""
    sending = asyncio.ensure_future(_send(socket, builds.lines(job, follow=True)))
    gone = asyncio.ensure_future(_until_gone(socket))
    draining = asyncio.ensure_future(builds.parts.draining.wait())
    tasks: set[asyncio.Future[Any]] = {sending, gone, draining}
    try:
        while not (done := await _first(tasks)):
            await still_allowed(builds.require("get", job.metadata.name, "log"))
        if draining in done:
            return AWAY, "the gateway restarts; connect again"
        if sending in done:
            sending.result()
    except Problem as problem:
        return (AWAY if isinstance(problem, Down) else REFUSED), problem.title
    except (TimeoutError, WebSocketDisconnect):
        return ENDED, "nobody reads"
    else:
        return ENDED, ""
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _first(tasks: set[asyncio.Future[Any]]) -> set[asyncio.Future[Any]]:
    done, _ = await asyncio.wait(
        tasks, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    return done


async def _send(socket: WebSocket, lines: AsyncGenerator[list[str], None]) -> None:
    async with aclosing(lines):
        async for some in lines:
            for line in some:
                async with asyncio.timeout(STUCK_SECONDS):
                    await socket.send_text(line)


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
