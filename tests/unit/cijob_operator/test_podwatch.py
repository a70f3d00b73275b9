"""The watch of Pods, before a server that watches as Kubernetes does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from cijob_operator.cache import Cache, Key
from cijob_operator.podwatch import watch_pods
from cijob_operator.workqueue import WorkQueue
from kit.apiserver import served

Json = dict[str, Any]


def pod(version: int, phase: str = "Pending") -> Json:
    labels = {"cijob.dev/job": "tests", "cijob.dev/attempt": "1"}
    metadata = {"name": "tests-1", "namespace": "team", "uid": "pod-uid", "labels": labels}
    metadata["resourceVersion"] = str(version)
    return {"metadata": metadata, "status": {"phase": phase}}


class Scene:
    """The server, and what the watch has made of what it said."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[Json | None] = asyncio.Queue()  # None cuts the connection
        self.asked: list[tuple[str, str, str]] = []
        self.cache, self.queue = Cache(), WorkQueue[Key]()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        version = query.get("resourceVersion", "")
        self.asked.append((request.path, query["labelSelector"], version))
        response = web.StreamResponse()
        await response.prepare(request)
        while said := await self.says.get():
            await response.write(json.dumps(said).encode() + b"\n")
        return response

    def tell(self, kind: str, body: Json) -> None:
        self.says.put_nowait({"type": kind, "object": body})

    async def news(self) -> Key:
        """The next key to look at."""
        key = await self.queue.get()
        self.queue.done(key)
        return key


def watching(test: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a test beside the watch of one namespace."""

    async def main() -> None:
        scene = Scene()
        async with served(scene.handle) as api, asyncio.timeout(20):
            running = asyncio.create_task(watch_pods(api, scene.cache, scene.queue, ["team"]))
            try:
                await test(scene)
            finally:
                scene.says.put_nowait(None)
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running

    asyncio.run(main())


def test_a_pod_s_job_is_looked_at_when_there_is_news_of_it_and_only_then() -> None:
    async def test(scene: Scene) -> None:
        scene.tell("ADDED", pod(5))
        assert await scene.news() == ("team", "tests")
        scene.tell("MODIFIED", pod(5))  # the answer to our own write, once more
        scene.tell("BOOKMARK", {"metadata": {"resourceVersion": "8"}})
        scene.tell("MODIFIED", pod(9, "Running"))
        await scene.news()
        assert len(scene.queue) == 0
        assert scene.cache.pods["team", "tests-1"].phase == "Running"
        assert scene.asked == [("/api/v1/namespaces/team/pods", "cijob.dev/job", "")]

    watching(test)


def test_a_pod_whose_job_nobody_knows_is_forgotten_when_it_goes() -> None:
    async def test(scene: Scene) -> None:
        scene.tell("ADDED", pod(5))
        await scene.news()
        scene.tell("DELETED", pod(6))
        assert await scene.news() == ("team", "tests")
        assert not scene.cache.pods

    watching(test)
