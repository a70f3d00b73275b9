"""The shared watch, against a server that lists and watches as Kubernetes does."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiohttp import web

from cijob_api.objects import CIJob
from cijob_gateway.watches import Watch
from kit.apiserver import served

Json = dict[str, Any]


def job(name: str, version: int, *, uid: str = "", **status: Any) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": uid or name,
            "resourceVersion": str(version),
            "managedFields": [{"much": "noise"}],
        },
        "spec": {"image": "alpine"},
        "status": status,
    }


class Server:
    """Lists `items` at `version`; gives to watchers what is put into `events`."""

    def __init__(self) -> None:
        self.items: list[Json] = []
        self.version = 1
        self.events: asyncio.Queue[Json | None] = asyncio.Queue()
        self.lists = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists += 1
            page = {"metadata": {"resourceVersion": str(self.version)}, "items": self.items}
            return web.json_response(json.loads(json.dumps(page)))
        response = web.StreamResponse()
        await response.prepare(request)
        while event := await self.events.get():
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    def tell(self, kind: str, body: Json) -> None:
        self.events.put_nowait({"type": kind, "object": body})


@asynccontextmanager
async def watching(server: Server) -> AsyncIterator[Watch[CIJob]]:
    async with served(server.handle) as api:
        watch = Watch(api, CIJob, "cijobs", ["team"])
        running = asyncio.create_task(watch.run())
        try:
            async with asyncio.timeout(10):
                yield watch
        finally:
            running.cancel()
            await asyncio.wait({running})


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 (no event of the watch is meant for tests)
        await asyncio.sleep(0.005)


def run(test: Callable[[Server, Watch[CIJob]], Awaitable[None]], *items: Json) -> None:
    async def main() -> None:
        server = Server()
        server.items = list(items)
        async with watching(server) as watch:
            await until(lambda: not watch.trouble)
            await test(server, watch)

    asyncio.run(main())


def names(watch: Watch[CIJob]) -> list[str]:
    return sorted(body["metadata"]["name"] for body in watch.bodies("team"))


def test_it_knows_what_is_listed_and_what_comes() -> None:
    async def test(server: Server, watch: Watch[CIJob]) -> None:
        assert names(watch) == ["a"]
        assert watch.body("team", "a")["kind"] == "CIJob"  # type: ignore[index]
        assert "managedFields" not in watch.body("team", "a")["metadata"]  # type: ignore[index]
        server.tell("ADDED", job("b", 2))
        server.tell("DELETED", job("a", 3))
        await until(lambda: names(watch) == ["b"])

    run(test, job("a", 1))


def test_a_late_answer_neither_ages_an_object_nor_brings_it_back() -> None:
    async def test(server: Server, watch: Watch[CIJob]) -> None:
        server.tell("MODIFIED", job("a", 5, phase="Running"))
        await until(lambda: watch.find("team", "a").status.phase == "Running")  # type: ignore[union-attr]
        watch.put(job("a", 4, phase="Queued"))
        assert watch.find("team", "a").status.phase == "Running"  # type: ignore[union-attr]
        server.tell("DELETED", job("a", 6))
        await until(lambda: names(watch) == [])
        watch.put(job("a", 5))
        assert names(watch) == []

    run(test, job("a", 1))


def test_what_we_deleted_is_gone_at_once_and_no_late_event_brings_it_back() -> None:
    async def test(server: Server, watch: Watch[CIJob]) -> None:
        watch.forget(job("a", 1))
        assert names(watch) == []
        server.tell("MODIFIED", job("a", 2))
        server.tell("ADDED", job("b", 3))
        await until(lambda: names(watch) == ["b"])
        watch.forget(job("b", 3, uid="before"))
        server.tell("DELETED", job("a", 4))
        server.tell("ADDED", job("a", 5, uid="another"))
        await until(lambda: names(watch) == ["a", "b"])

    run(test, job("a", 1))


def test_after_too_old_a_version_it_lists_again_and_drops_what_is_gone() -> None:
    async def test(server: Server, watch: Watch[CIJob]) -> None:
        server.items, server.version = [job("b", 9)], 9
        server.tell("ERROR", {"code": 410, "reason": "Expired", "message": "too old"})
        await until(lambda: names(watch) == ["b"])
        assert server.lists == 2

    run(test, job("a", 1))


def test_a_follower_sees_the_present_then_the_newest_then_the_end() -> None:
    async def test(server: Server, watch: Watch[CIJob]) -> None:
        async with aclosing(watch.changes("team", "a", "a")) as changes:  # type: ignore[type-var]
            first = await anext(changes)
            assert first
            assert first.status.phase == "Queued"
            for version, phase in ((2, "Starting"), (3, "Running"), (4, "Succeeded")):
                watch.put(job("a", version, phase=phase))
            newest = await anext(changes)
            assert newest
            assert newest.status.phase == "Succeeded"
            server.tell("ADDED", job("a", 5, uid="another"))
            assert await anext(changes) is None
        assert watch._followers == {}

    run(test, job("a", 1))


def test_what_is_replaced_is_waited_for_and_what_never_was_is_not() -> None:
    async def script(server: Server, watch: Watch[CIJob]) -> None:
        assert await watch.returns("team", "a", patience_seconds=0)
        assert not await watch.returns("team", "b", patience_seconds=60)
        server.tell("DELETED", job("a", 2))
        await until(lambda: names(watch) == [])
        assert not await watch.returns("team", "a", patience_seconds=0)
        again = asyncio.create_task(watch.returns("team", "a", patience_seconds=60))
        await asyncio.sleep(0)
        server.tell("ADDED", job("a", 3, uid="another"))
        assert await again
        assert watch._followers == {}

    run(script, job("a", 1))


def test_an_object_is_found_by_its_uid_also_when_it_is_still_to_come() -> None:
    async def script(server: Server, watch: Watch[CIJob]) -> None:
        assert (await watch.of_uid("team", "one", patience_seconds=0)) == watch.body("team", "one")
        assert await watch.of_uid("other", "one", patience_seconds=0) is None
        assert await watch.of_uid("team", "two", patience_seconds=0) is None
        coming = asyncio.create_task(watch.of_uid("team", "two", patience_seconds=60))
        await asyncio.sleep(0)
        server.tell("ADDED", job("two", 2))
        assert (await coming) == watch.body("team", "two")

    run(script, job("one", 1))
