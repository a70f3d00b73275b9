"""Bodies that are read whole: so large at most, and there in time; what is longer is streamed.

Used by the applications, before anything of theirs sees the request: a client that sends a byte
now and then would hold it for ever.
"""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cijob_gateway.answers import answer, broke_off
from cijob_gateway.errors import BadRequest, Problem, SlowBody

BODY_BYTES = 1 << 20
BODY_SECONDS = 30.0
STREAMED = {"application/zip"}


class Bodies:
    """Reads each body that is posted, but for archives, and hands it on in one piece."""

    def __init__(self, app: ASGIApp, *, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or is_streamed(Request(scope)):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(Request(scope, receive))
        except Problem as problem:
            response = answer(problem)
            response.headers["Connection"] = "close"  # the rest of the body is nobody's
            await response(scope, receive, send)
            return
        except ClientDisconnect:
            await broke_off(scope["path"])(scope, receive, send)
            return
        await self._app(scope, _once(body, receive), send)

    async def _read(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > BODY_BYTES:
                        words = f"the body is over {BODY_BYTES} bytes"
                        raise BadRequest(f"{words}; a source goes to sources/, as application/zip")
        except TimeoutError:
            words = f"{len(body)} bytes of the body came in {self._seconds:g} s, and not all"
            raise SlowBody(f"{words}; send it again, in one go") from None
        return bytes(body)


def is_streamed(request: Request) -> bool:
    """Whether the body is an archive, which may be large and is stored as it comes."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip() in STREAMED


def _once(body: bytes, receive: Receive) -> Receive:
    """The body, and then whatever else comes: that the client is gone."""
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return rest.pop() if rest else await receive()

    return received
