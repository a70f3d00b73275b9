"""Streams to readers: what they are told in silence, and how a stream ends."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from cijob_api.lines import Lines
from cijob_gateway import streams
from cijob_gateway.errors import Forbidden, Restarting
from cijob_gateway.logs.logitems import Batch, End, Gap, Item
from cijob_gateway.streams import HEARTBEAT, SEND_BYTES, Stream, Terms, events, text
from cijob_gateway.wire import encode
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


def test_a_stream_ends_with_its_items() -> None:
    sent = asyncio.run(collect(events(items(LINES, END), terms())))
    assert sent == [*encode(LINES), *encode(END)]


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

    *before, refusal = asyncio.run(withdrawn())
    assert set(before) <= {HEARTBEAT}
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
    assert (set(beats) <= {HEARTBEAT}, len(asked)) == (True, 3)
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
    assert [first] == list(encode(LINES))
    assert last.startswith(b"event: reconnect\n")


async def endless() -> AsyncGenerator[Item, None]:
    """A log of which more is always there."""
    while True:
        yield LINES
        await asyncio.sleep(0)


def test_a_busy_stream_ends_when_its_right_is_withdrawn() -> None:
    *sent, refusal = asyncio.run(collect(events(endless(), terms(withdrawn=True, heartbeat=0.001))))
    assert refusal.startswith(b"event: error\n")
    assert set(sent) == set(encode(LINES))


def test_a_busy_stream_is_told_that_the_gateway_ends() -> None:
    async def run() -> bytes:
        given = terms()
        stream = events(endless(), given)
        await anext(stream)
        given.draining.set()
        return (await collect(stream))[-1]

    assert asyncio.run(run()).startswith(b"event: reconnect\n")


def test_a_text_is_the_logs_own_bytes_and_says_what_is_missing() -> None:
    sent = asyncio.run(collect(text(items(LINES, Gap("rotated away"), END), terms())))
    assert sent == [b"one\n\xff\r", b"\n--- cijob: lines are missing here: rotated away\n"]


@pytest.mark.parametrize("busy", [False, True])
def test_a_text_breaks_off_when_its_right_is_withdrawn(*, busy: bool) -> None:
    source = endless() if busy else items(LINES, then=asyncio.Event())
    with pytest.raises(Forbidden):
        asyncio.run(collect(text(source, terms(withdrawn=True, heartbeat=0.001))))


@pytest.mark.parametrize("busy", [False, True])
def test_a_text_breaks_off_at_once_when_the_gateway_ends(*, busy: bool) -> None:
    async def run() -> None:
        given = terms()
        stream = text(endless() if busy else items(LINES, then=asyncio.Event()), given)
        await anext(stream)
        given.draining.set()
        async with asyncio.timeout(5):
            await collect(stream)

    with pytest.raises(Restarting):
        asyncio.run(run())


def test_a_large_chunk_is_sent_in_parts() -> None:
    async def run() -> list[bytes]:
        sent: list[bytes] = []

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        async def one() -> AsyncGenerator[bytes, None]:
            yield b"x" * (SEND_BYTES * 2 + 1)

        await Stream(one(), {"Content-Type": "x"})({}, asyncio.Event().wait, send)  # type: ignore[arg-type]
        return sent

    assert [len(part) for part in asyncio.run(run())] == [0, SEND_BYTES, SEND_BYTES, 1, 0]


def test_a_body_that_breaks_off_has_no_end() -> None:
    async def run() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message.get("more_body"))

        async def broken() -> AsyncGenerator[bytes, None]:
            yield b"a part"
            raise Restarting("the gateway restarts")

        await Stream(broken(), {"Content-Type": "x"})({}, asyncio.Event().wait, send)  # type: ignore[arg-type]
        return sent

    assert asyncio.run(run()) == [None, True]


def test_a_client_that_leaves_ends_the_follow_at_once() -> None:
    closed = asyncio.Event()

    async def held() -> AsyncGenerator[bytes, None]:
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
            await Stream(held(), {"Content-Type": "x"})({}, receive, send)
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
