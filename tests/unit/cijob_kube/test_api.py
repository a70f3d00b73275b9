"""A streamed answer comes whole, however it is gathered; none at all is told from nobody there."""

import asyncio

import aiohttp
import pytest
import uvloop
from aiohttp import web

from cijob_kube.api import GATHER_BYTES, Api
from cijob_kube.errors import Unavailable
from kit.apiserver import served

pytestmark = pytest.mark.process
PIECE = b"x" * 100


async def streamed(pieces: int, gather: float) -> tuple[bytes, int]:
    """So many pieces, then a last one when all of them were read; the body, in how many chunks."""
    read = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(pieces):
            await response.write(PIECE)
            await asyncio.sleep(0)
        await read.wait()
        await response.write(b"the last")
        return response

    body, chunks = b"", 0
    async with served(answer, "/log") as api, asyncio.timeout(20):
        async for chunk in api.stream("/log", {}, gather=gather):
            body, chunks = body + chunk, chunks + 1
            if len(body) >= pieces * len(PIECE):
                read.set()
    return body, chunks


@pytest.mark.parametrize("gather", [0, 0.005])
@pytest.mark.parametrize("pieces", [1, 50, 3000])  # 3000 are more than what is gathered at a time
def test_nothing_is_held_back_and_nothing_lost(pieces: int, gather: float) -> None:
    assert 3000 * len(PIECE) > 4 * GATHER_BYTES
    body, chunks = uvloop.run(streamed(pieces, gather))
    assert body == PIECE * pieces + b"the last"
    assert 1 <= chunks <= pieces + 1


async def unanswered() -> Unavailable:
    """What a request gives that a server takes and never answers."""

    async def hear(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    timeout = aiohttp.ClientTimeout(total=0.2)
    async with served(hear) as api, aiohttp.ClientSession(timeout=timeout) as session:
        impatient = Api(session, api._configuration)
        with pytest.raises(Unavailable) as raised:
            await impatient.create("/api/v1/namespaces/team/pods", {})
    return raised.value


def test_a_server_that_says_nothing_is_not_one_that_is_away() -> None:
    error = asyncio.run(unanswered())
    assert not error.is_away
    assert error.message == "the API server did not answer within 20 s"
