"""Server-sent events on the wire, and how a stream ends."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from cijob_api.lines import Lines
from cijob_gateway import streams
from cijob_gateway.errors import Forbidden
from cijob_gateway.logs.follows import Batch, End, Gap, Item, State
from cijob_gateway.streams import HEARTBEAT, Stream, Terms, encode, events
from cijob_kube.errors import Denied, Unavailable

T = "2026-01-01T00:00:00.000000000Z"
LINES = Batch(1, Lines.of_rows([(T.encode(), 0, b"one\n"), (T.encode(), 1, b"\xff\r")]))
END = End("Succeeded", "Completed", "exit code 0", 0, 2, 6, "0" * 64, complete=True)


async def items(*given: Item, then: asyncio.Event | None = None) -> AsyncGenerator[Item, None]:
    for item in given:
        yield item
    if then:
        await then.wait()


def terms(*, withdrawn: bool = False, heartbeat: float = 60) -> Terms:
    async def recheck() -> None:
        if withdrawn:
            raise Forbidden("no more")

    return Terms(asyncio.Event(), recheck, heartbeat)


async def collect(stream: AsyncGenerator[bytes, None]) -> list[bytes]:
    return [chunk async for chunk in stream]


def test_a_batch_is_ascii_and_keeps_its_bytes() -> None:
    text = encode(LINES).decode("ascii")
    head, kind, data, *_ = text.split("\n")
    assert (head, kind) == (f"id: 1.{T}.1", "event: log")
    lines = json.loads(data.removeprefix("data: "))["lines"]
    assert [line.encode("utf-8", "surrogateescape") for line in lines] == list(LINES.lines)


def test_each_item_is_an_event_of_its_kind() -> None:
    kinds = [encode(item).split(b"\n")[0] for item in (State("Queued", "", "", 1), Gap("x"), END)]
    assert kinds == [b"event: status", b"event: gap", b"event: end"]


def test_a_stream_ends_with_its_items() -> None:
    sent = asyncio.run(collect(events(items(LINES, END), terms())))
    assert sent == [encode(LINES), encode(END)]


def test_in_silence_there_are_heartbeats_until_the_right_is_withdrawn() -> None:
    async def run() -> list[bytes]:
        stream = events(items(then=asyncio.Event()), terms(heartbeat=0.001))
        beats = [await anext(stream) for _ in range(3)]
        await stream.aclose()
        return beats

    assert asyncio.run(run()) == [HEARTBEAT] * 3

    async def withdrawn() -> list[bytes]:
        return await collect(
            events(items(then=asyncio.Event()), terms(withdrawn=True, heartbeat=0.001))
        )

    [refusal] = asyncio.run(withdrawn())
    assert refusal.startswith(b"event: error\n")
    assert b'"slug"' not in refusal
    assert b"forbidden" in refusal


def test_an_api_server_that_is_away_withdraws_no_right() -> None:
    asked: list[int] = []

    async def recheck() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise Denied(403, "Forbidden", "the gateway may not ask")
        raise Unavailable(503, "", "the API server is away")

    stream = events(items(then=asyncio.Event()), Terms(asyncio.Event(), recheck, 0.001))
    *beats, last = asyncio.run(collect(stream))
    assert beats == [HEARTBEAT] * 2
    assert last.startswith(b"event: error\n")
    assert b"the gateway may not ask" in last


def test_a_gateway_that_ends_tells_its_clients_to_reconnect() -> None:
    async def run() -> list[bytes]:
        given = terms()
        stream = events(items(LINES, then=asyncio.Event()), given)
        first = await anext(stream)
        given.draining.set()
        return [first, *await collect(stream)]

    first, last = asyncio.run(run())
    assert first == encode(LINES)
    assert last.startswith(b"event: reconnect\n")


def test_a_client_that_leaves_ends_the_follow_at_once() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def run() -> list[str]:
        sent: list[str] = []
        first = asyncio.Event()

        async def send(message: Any) -> None:
            sent.append(message["type"])
            if message.get("body"):
                first.set()

        async def receive() -> dict[str, str]:
            await first.wait()
            return {"type": "http.disconnect"}

        async with asyncio.timeout(5):
            await Stream(endless(), {"Content-Type": "x"})({}, receive, send)
        assert closed.is_set()
        assert len(asyncio.all_tasks()) == 1
        return sent

    assert asyncio.run(run()) == ["http.response.start", "http.response.body"]


def test_who_waits_hears_news_soon_and_heartbeats_only_in_their_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "NEWS_SECONDS", 0.001)
    told = [b"first", b"", b"second"]

    async def news() -> bytes:
        return told.pop(0)

    async def run() -> list[bytes]:
        wanted = replace(terms(heartbeat=0.002), news=news)
        stream = events(items(then=asyncio.Event()), wanted)
        said = [await anext(stream) for _ in range(3)]
        await stream.aclose()
        return said

    assert asyncio.run(run()) == [b"first", HEARTBEAT, b"second"]
