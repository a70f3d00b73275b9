"""A build job's log by WebSocket: how it ends when nothing is said for a while."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import WebSocket

from cijob_api.objects import CIJob
from cijob_gateway.errors import Down, Forbidden
from cijob_gateway.routes import buildstreams
from cijob_gateway.routes.buildjobs import Builds
from cijob_kube.errors import Unavailable

JOB = cast("CIJob", SimpleNamespace(metadata=SimpleNamespace(name="j")))
AWAY = Unavailable(503, "", "the API server is away")


class Quiet:
    """A build job that says nothing until its reader's right was asked for so often."""

    def __init__(self, *answers: Exception) -> None:
        self.parts = SimpleNamespace(draining=asyncio.Event())
        self.left = list(answers)
        self.asked_all = asyncio.Event()

    async def require(self, *_: str) -> None:
        answer = self.left.pop(0) if self.left else None
        if not self.left:
            self.asked_all.set()
        if answer:
            raise answer

    async def lines(self, _: CIJob, *, follow: bool) -> AsyncGenerator[list[str], None]:
        assert follow
        await self.asked_all.wait()
        yield ["done"]


class Client:
    """The other end of a socket: it takes everything and never goes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def send_text(self, line: str) -> None:
        self.lines.append(line)

    async def receive(self) -> Any:
        await asyncio.Event().wait()


def closed(monkeypatch: pytest.MonkeyPatch, *answers: Exception) -> tuple[int, str, list[str]]:
    """How the stream was closed, and what it had sent."""
    monkeypatch.setattr(buildstreams, "HEARTBEAT_SECONDS", 0.01)

    async def run() -> tuple[int, str, list[str]]:
        client, builds = Client(), Quiet(*answers)
        code, words = await buildstreams._until_over(
            cast("WebSocket", client), cast("Builds", builds), JOB
        )
        return code, words, client.lines

    return asyncio.run(run())


def test_an_api_server_that_is_away_ends_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    assert closed(monkeypatch, AWAY, AWAY) == (1000, "", ["done"])


def test_a_right_that_was_withdrawn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    code, words, _ = closed(monkeypatch, AWAY, Forbidden("no more"), AWAY)
    assert (code, words) == (1008, "Not allowed")


def test_what_may_be_better_soon_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    code, words, _ = closed(monkeypatch, Down("S3 is away"), AWAY)
    assert (code, words) == (1012, "Not available now")
