"""An endless watch goes on where it was, begins again when it must, and never asks in a hurry."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from cijob_kube.errors import ApiError, Gone, Unavailable
from cijob_operator.eventstreams import Stream, hear

Json = dict[str, Any]
PODS = Stream("pods", {"labelSelector": "ours"}, "pods are not heard of", again_seconds=7)
Answer = Sequence[int | ApiError]


class Server:
    """Gives one answer after the other to whoever watches, and then waits for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str | float] = []
        """The version of each watch, and between them each pause in seconds."""
        self.over = asyncio.Event()

    async def watch(self, path: str, *, version: str, **query: str) -> AsyncIterator[Json]:
        assert (path, query) == ("/api/v1/namespaces/team/pods", {"labelSelector": "ours"})
        self.asked.append(version)
        if not self.answers:
            self.over.set()
            await asyncio.Event().wait()
        for said in self.answers.pop(0):
            if isinstance(said, ApiError):
                raise said
            yield {"object": {"metadata": {"resourceVersion": str(said)}}}


BUSY = Unavailable(503, "ServiceUnavailable", "busy")
TOO_OLD = Gone(410, "Expired", "too old")


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([[5, 7], [8]], ["", "7", "8"]),
        ([[5, TOO_OLD]], ["", ""]),
        ([[5, BUSY]], ["", 7, "5"]),
        ([[BUSY], [BUSY]], ["", 7, "", 7, ""]),
        ([[5], [], [TOO_OLD], [9]], ["", "5", 7, "5", 7, "", "9"]),
    ],
    ids=["it ends", "too old", "cut", "away", "nothing comes"],
)
def test_where_it_goes_on_and_after_which_pause(
    answers: list[Answer], asked: list[str | float], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Json] = []

    async def main() -> None:
        server = Server(*answers)

        async def pause(seconds: float) -> None:
            server.asked.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", pause)
        hearing = asyncio.create_task(hear(server, PODS, ["team"], taken.append))
        async with asyncio.timeout(10):
            await server.over.wait()
        hearing.cancel()
        await asyncio.wait({hearing})
        assert server.asked == asked

    asyncio.run(main())
    wanted = [str(said) for answer in answers for said in answer if isinstance(said, int)]
    assert [event["object"]["metadata"]["resourceVersion"] for event in taken] == wanted


@pytest.mark.parametrize(
    ("namespaces", "paths"),
    [
        (["team", "others"], ["/api/v1/namespaces/others/pods", "/api/v1/namespaces/team/pods"]),
        ([], ["/api/v1/pods"]),
    ],
)
def test_each_namespace_has_a_watch_or_all_have_one(
    namespaces: list[str], paths: list[str]
) -> None:
    asked: asyncio.Queue[str] = asyncio.Queue()

    class Listening:
        async def watch(self, path: str, *, version: str, **_: str) -> AsyncIterator[Json]:
            asked.put_nowait(path)
            await asyncio.Event().wait()
            yield {"version": version}

    async def main() -> None:
        hearing = asyncio.create_task(hear(Listening(), PODS, namespaces, lambda _: None))
        async with asyncio.timeout(10):
            found = [await asked.get() for _ in paths]
        hearing.cancel()
        await asyncio.wait({hearing})
        assert sorted(found) == paths
        assert asked.empty()

    asyncio.run(main())
