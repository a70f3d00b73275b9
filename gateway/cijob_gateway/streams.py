"""Server-sent events: what a followed job looks like on the wire, and how such a stream ends.

The bytes are made here by hand: logs are the hot path. A stream ends with the job, when the client
is gone or takes nothing for a minute, when its right is withdrawn, and with `reconnect` when the
gateway goes away.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cijob_gateway import metrics
from cijob_gateway.errors import Problem, problem_of
from cijob_gateway.logs.logitems import Batch, Closed, End, Gap, Item, State
from cijob_kube.errors import ApiError, Unavailable

Json = dict[str, Any]
HEARTBEAT = b": heartbeat\n\n"
HEARTBEAT_SECONDS = 15.0
# So soon somebody who waits hears where the job stands.
NEWS_SECONDS = 1.0
# A client that takes nothing for so long is gone, whatever its connection says.
STUCK_SECONDS = 60.0
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep lines until its buffer is full
}


def event(kind: str, data: object, identity: str = "") -> bytes:
    """One event. ASCII only: bytes that are no UTF-8 survive as lone surrogates."""
    head = f"id: {identity}\n" if identity else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


@lru_cache(maxsize=64)
def encode(item: Item) -> bytes:
    """An item of a follow as an event. Readers of one log share its batches: each is made once."""
    match item:
        case Batch():
            lines = [line.decode("utf-8", "surrogateescape") for line in item.lines]
            return event("log", {"attempt": item.attempt, "lines": lines}, str(item.last))
        case State():
            said = {"phase": item.phase, "reason": item.reason, "message": item.message}
            return event("status", {**said, "attempt": item.attempt})
        case Closed():
            return b""  # clients see it by what comes next
        case Gap():
            return event("gap", {"message": item.message})
        case End():
            said = {"phase": item.phase, "reason": item.reason, "message": item.message}
            log = {"lines": item.lines, "bytes": item.bytes, "sha256": item.sha256}
            complete = {"exitCode": item.exit_code, **log, "complete": item.complete}
            return event("end", {**said, **complete})


def stamped(batch: Batch) -> Batch:
    """The same lines, each behind its time; their ids stay."""
    pairs = zip(batch.timestamps, batch.lines, strict=True)
    texts = tuple(time + b" " + line for time, line in pairs)
    return replace(batch, content=replace(batch.content, texts=texts))


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
    news: Callable[[], Awaitable[bytes]] | None = None
    """What is to be said in silence instead of a heartbeat, if anything: soon, then as rarely."""


async def still_allowed(asked: Awaitable[None]) -> None:
    """The right to read, asked for again; an API server that is away withdraws nothing.

    Raises Problem.
    """
    try:
        await asked
    except Unavailable:
        return  # asked again at the next silence
    except ApiError as error:
        raise problem_of(error) from error


async def events(items: AsyncGenerator[Item, None], terms: Terms) -> AsyncGenerator[bytes, None]:
    """A follow as events, with heartbeats in silence."""
    async with aclosing(kept_alive(_encoded(items), terms)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _encoded(items: AsyncGenerator[Item, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(items):
        async for item in items:
            if encoded := encode(item):
                yield encoded


async def kept_alive(
    chunks: AsyncGenerator[bytes, None], terms: Terms
) -> AsyncGenerator[bytes, None]:
    """Events on the wire, with heartbeats in silence; ended as the terms say."""
    draining = asyncio.ensure_future(terms.draining.wait())
    coming: asyncio.Future[bytes] | None = None
    patience = min(NEWS_SECONDS, terms.heartbeat_seconds) if terms.news else terms.heartbeat_seconds
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(chunks))
            waits: set[asyncio.Future[Any]] = {coming, draining}
            done, _ = await asyncio.wait(
                waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            if coming in done:
                chunk, coming = coming.result(), None
                yield chunk
            elif draining in done:
                yield event("reconnect", {"message": "the gateway restarts; reconnect"})
                return
            else:
                await still_allowed(terms.recheck())
                news = await terms.news() if terms.news else b""
                if news or patience == terms.heartbeat_seconds:
                    yield news or HEARTBEAT
                patience = terms.heartbeat_seconds
    except StopAsyncIteration:
        return
    except Problem as problem:
        yield event("error", problem.document())
    finally:
        draining.cancel()
        if coming:
            coming.cancel()
            await asyncio.wait({coming})
        await chunks.aclose()


async def first(head: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Something before a stream."""
    async with aclosing(rest):
        yield head
        async for chunk in rest:
            yield chunk


async def text(items: AsyncGenerator[Item, None], terms: Terms) -> AsyncGenerator[bytes, None]:
    """The log's own bytes; a gap is a line of ours."""
    async with aclosing(items):
        async for item in items:
            if isinstance(item, Batch):
                yield b"".join(item.lines)
            elif isinstance(item, Gap):
                yield f"\n--- cijob: lines are missing here: {item.message}\n".encode()
            if terms.draining.is_set():
                return


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
        if error and not isinstance(error, TimeoutError | OSError):
            raise error

    async def _send(self, start: Json, send: Send) -> None:
        await send(start)
        async for chunk in self._chunks:
            async with asyncio.timeout(STUCK_SECONDS):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
