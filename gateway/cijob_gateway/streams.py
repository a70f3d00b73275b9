"""Streams to readers: how a followed job is kept on the wire, and how such a stream ends.

It ends with the job, when the client is gone or takes nothing for a minute, when its right is
withdrawn, however busy it is, and when the gateway goes away. Events say why they end. A text
cannot: its body is broken off, so that nobody takes a part of a log for all of it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cijob_gateway import metrics
from cijob_gateway.errors import Problem, Restarting, problem_of
from cijob_gateway.logs.logitems import Batch, Gap, Item
from cijob_gateway.wire import Pieces, encode, event, stamped
from cijob_kube.errors import ApiError, Unavailable

Json = dict[str, Any]
T = TypeVar("T")
HEARTBEAT = b": heartbeat\n\n"
HEARTBEAT_SECONDS = 15.0
# So soon somebody who waits hears where the job stands.
NEWS_SECONDS = 1.0
# A client that takes nothing for so long is gone, whatever its connection says.
STUCK_SECONDS = 60.0
# More at once would lie in the connection's buffer twice, and have to be taken within that time.
SEND_BYTES = 1024 * 1024
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep lines until its buffer is full
}


async def with_times(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """A follow whose lines begin with their times."""
    async with aclosing(items):
        async for item in items:
            yield stamped(item) if isinstance(item, Batch) else item


@dataclass(frozen=True)
class Terms:
    """Under which a stream goes on: until `draining`, and while `recheck` raises no Problem."""

    draining: asyncio.Event
    recheck: Callable[[], Awaitable[None]]
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    """After so long a silence there is a heartbeat; so often the right is asked for."""
    news: Callable[[], Awaitable[bytes]] | None = None
    """What is to be said in silence instead of a heartbeat, if anything: soon, then as rarely."""


async def still_allowed(asked: Awaitable[None]) -> None:
    """The right to read, asked for again; an API server that is away withdraws nothing.

    Raises Problem.
    """
    try:
        await asked
    except Unavailable:
        return  # asked again soon
    except ApiError as error:
        raise problem_of(error) from error


async def events(items: AsyncGenerator[Item, None], terms: Terms) -> AsyncGenerator[bytes, None]:
    """A follow as events, with heartbeats in silence."""
    async with aclosing(kept_alive(_encoded(items), terms)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _encoded(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Pieces, None]:
    async with aclosing(items):
        async for item in items:
            yield encode(item)


async def kept_alive(
    made: AsyncGenerator[Pieces, None], terms: Terms
) -> AsyncGenerator[bytes, None]:
    """Events on the wire, with heartbeats in silence; the last one says why it ends too soon."""
    soon = terms.news is not None
    try:
        async with aclosing(_lasting(made, terms)) as lasting:
            async for pieces in lasting:
                if pieces is not None:
                    for piece in pieces:
                        yield piece
                    continue
                news = await terms.news() if terms.news else b""
                if news or not soon:
                    yield news or HEARTBEAT
                soon = False
    except Restarting as problem:
        yield event("reconnect", {"message": problem.detail})
    except Problem as problem:
        yield event("error", problem.document())


async def text(items: AsyncGenerator[Item, None], terms: Terms) -> AsyncGenerator[bytes, None]:
    """The log's own bytes; a gap is a line of ours. Raises Problem where it breaks off."""
    async with aclosing(_lasting(items, terms)) as lasting:
        async for item in lasting:
            if isinstance(item, Batch):
                yield b"".join(item.lines)
            elif isinstance(item, Gap):
                yield f"\n--- cijob: lines are missing here: {item.message}\n".encode()


async def _lasting(items: AsyncGenerator[T, None], terms: Terms) -> AsyncGenerator[T | None, None]:
    """What comes, and None for each silence. Raises Restarting, and what `recheck` raises."""
    draining = asyncio.ensure_future(terms.draining.wait())
    withdrawn = asyncio.ensure_future(_withdrawn(terms))
    coming: asyncio.Future[T] | None = None
    patience = min(NEWS_SECONDS, terms.heartbeat_seconds) if terms.news else terms.heartbeat_seconds
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(items))
            waits: set[asyncio.Future[Any]] = {coming, draining, withdrawn}
            done, _ = await asyncio.wait(
                waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            # First, as in a busy stream something has always come.
            if withdrawn in done:
                withdrawn.result()
            elif draining in done:
                raise Restarting("the gateway restarts; reconnect")
            elif coming in done:
                item, coming = coming.result(), None
                yield item
            else:
                yield None
                patience = terms.heartbeat_seconds
    except StopAsyncIteration:
        return
    finally:
        tasks = {task for task in (draining, withdrawn, coming) if task}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await items.aclose()


async def _withdrawn(terms: Terms) -> None:
    """Ask for the right again and again; ends by raising what says that it is gone."""
    while True:
        await asyncio.sleep(terms.heartbeat_seconds)
        await still_allowed(terms.recheck())


async def first(head: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Something before a stream."""
    async with aclosing(rest):
        yield head
        async for chunk in rest:
            yield chunk


class Stream(Response):
    """An answer of chunks that notices at once when nobody reads it any more."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], headers: dict[str, str]) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send until the chunks end or the client is gone; leave nothing behind either way."""
        start = {"type": "http.response.start", "status": self.status_code}
        metrics.streams.inc()
        sending = asyncio.ensure_future(self._send({**start, "headers": self.raw_headers}, send))
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            metrics.streams.dec()
            for task in (sending, gone):
                task.cancel()
            await asyncio.wait({sending, gone})
            await self._chunks.aclose()
        error = None if sending.cancelled() else sending.exception()
        # Those leave the body without its end, and the server closes the connection.
        if error and not isinstance(error, TimeoutError | OSError | Problem):
            raise error

    async def _send(self, start: Json, send: Send) -> None:
        await send(start)
        async for chunk in self._chunks:
            for place in range(0, len(chunk), SEND_BYTES):
                some = chunk[place : place + SEND_BYTES]
                async with asyncio.timeout(STUCK_SECONDS):
                    await send({"type": "http.response.body", "body": some, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
