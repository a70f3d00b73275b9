"""Full lists, before a server that lists what a test says, and what they say of the watches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aiohttp import web

from cijob_operator.act import Actor
from cijob_operator.cache import Cache, Key
from cijob_operator.podviews import PodView
from cijob_operator.resync import DeadWatch, Resync
from cijob_operator.settings import read_settings
from cijob_operator.workqueue import WorkQueue
from kit.apiserver import served
from unit.cijob_operator.builders import IMAGE

Json = dict[str, Any]
KEY = ("team", "tests")
WHOLE_CLUSTER = read_settings({"CIJOB_SYSTEM_NAMESPACE": "system"})


def job(version: int) -> Json:
    metadata = {"name": "tests", "namespace": "team", "uid": "job-uid"}
    return {"metadata": {**metadata, "resourceVersion": str(version)}, "spec": {"image": IMAGE}}


def pod(version: int) -> Json:
    labels = {"cijob.dev/job": "tests", "cijob.dev/attempt": "1"}
    metadata: Json = {"name": "tests-1", "namespace": "team", "uid": "pod-uid", "labels": labels}
    metadata["ownerReferences"] = [{"kind": "CIJob", "uid": "job-uid"}]
    metadata["resourceVersion"] = str(version)
    return {"metadata": metadata, "status": {"phase": "Running"}}


class Orphanage:
    """Takes the Pods whose job is gone."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def delete_orphan(self, orphan: PodView) -> None:
        self.deleted.append(orphan.name)


class Scene:
    """What the server lists, and what the cache makes of it."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Json]] = {}
        self.version = 100
        self.meanwhile: Callable[[str], None] = lambda _: None  # told of each list that was made
        self.cache, self.orphanage = Cache(), Orphanage()

    @property
    def actor(self) -> Actor:
        return cast("Actor", self.orphanage)

    async def handle(self, request: web.Request) -> web.Response:
        resource = request.path.rpartition("/")[2]
        page = {
            "metadata": {"resourceVersion": str(self.version)},
            "items": list(self.lists.get(resource, [])),
        }
        self.meanwhile(resource)  # happens before the answer is there
        return web.json_response(page)


def play(test: Callable[[Scene, Resync], Awaitable[None]]) -> None:
    async def main() -> None:
        scene = Scene()
        async with served(scene.handle) as api, asyncio.timeout(20):
            queue = WorkQueue[Key]()
            await test(scene, Resync(api, scene.cache, queue, WHOLE_CLUSTER))

    asyncio.run(main())


# -- dead watches -----------------------------------------------------------------------------


def test_what_two_rounds_find_before_the_watch_tells_is_a_dead_watch() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        await resync.begin()
        scene.lists["cijobs"] = [job(5)]
        await resync.run(scene.actor)
        scene.lists["cijobs"] = [job(6)]
        with pytest.raises(DeadWatch, match="missed 1 changes twice"):
            await resync.run(scene.actor)

    play(test)


def test_what_the_watch_told_meanwhile_is_no_sign_of_a_dead_one() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        await resync.begin()
        scene.lists["cijobs"] = [job(5)]
        await resync.run(scene.actor)
        scene.lists["cijobs"] = [job(6)]
        scene.cache.put_job(job(6))
        await resync.run(scene.actor)

    play(test)


def test_the_first_lists_expect_nothing_of_watches_that_are_not_there_yet() -> None:
    """At a start, at the takeover that follows at once, and in the first round after it."""

    async def test(scene: Scene, resync: Resync) -> None:
        for version, read in enumerate((resync.begin, resync.begin, resync.run), 5):
            scene.lists["cijobs"], scene.lists["pods"] = [job(version)], [pod(version)]
            await read(scene.actor)
        assert scene.cache.job_version(KEY) == 7

    play(test)


def test_a_takeover_forgets_what_was_missed_before_it() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        await resync.begin()
        for version, read in enumerate((resync.run, resync.begin, resync.run), 5):
            scene.lists["cijobs"] = [job(version)]
            await read(scene.actor)

    play(test)


# -- what goes, and what stays gone -----------------------------------------------------------


def test_what_the_list_lacks_is_gone() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        scene.lists = {"cijobs": [job(5)], "pods": [pod(6)]}
        await resync.begin()
        scene.lists = {}
        await resync.run(scene.actor)
        assert (scene.cache.jobs, scene.cache.pods) == ({}, {})
        assert scene.orphanage.deleted == []

    play(test)


def test_a_pod_that_goes_without_its_job_is_remembered_until_its_attempt_is_closed() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        scene.lists = {"cijobs": [job(5)], "pods": [pod(6)]}
        await resync.begin()
        scene.lists["pods"] = []
        await resync.run(scene.actor)
        assert [known.gone for known in scene.cache.pods.values()] == [True]

    play(test)


def test_what_is_newer_than_the_list_that_lacks_it_stays() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        scene.cache.put_job(job(101))
        await resync.begin()
        assert KEY in scene.cache.jobs

    play(test)


def template(version: int) -> Json:
    metadata = {"name": "python", "namespace": "team", "uid": "template-uid"}
    return {"metadata": {**metadata, "resourceVersion": str(version)}, "spec": {"image": IMAGE}}


def pool(version: int) -> Json:
    metadata = {"name": "large", "uid": "pool-uid", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"maxConcurrent": 3}}


def test_templates_and_pools_that_the_list_lacks_are_gone_unless_they_are_newer() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        scene.lists = {"cijobtemplates": [template(5)], "cipools": [pool(6)]}
        await resync.begin()
        assert (len(scene.cache.templates), len(scene.cache.pools)) == (1, 1)
        scene.lists = {}
        await resync.run(scene.actor)
        assert (len(scene.cache.templates), len(scene.cache.pools)) == (0, 0)
        scene.cache.put_template(template(101))
        scene.cache.put_pool(pool(102))
        await resync.run(scene.actor)
        assert (len(scene.cache.templates), len(scene.cache.pools)) == (1, 1)

    play(test)


def test_a_job_that_goes_while_it_is_listed_does_not_come_back() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        scene.lists["cijobs"] = [job(5)]
        await resync.begin()

        def goes(resource: str) -> None:
            if resource == "cijobs":
                scene.cache.drop_job(KEY, "job-uid")

        scene.meanwhile = goes
        await resync.run(scene.actor)
        assert scene.cache.jobs == {}

    play(test)


def test_a_pod_that_is_forgotten_while_it_is_listed_does_not_come_back() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        scene.lists = {"cijobs": [job(5)], "pods": [pod(6)]}
        await resync.begin()

        def goes(resource: str) -> None:
            if resource == "pods":
                scene.cache.drop_pod(pod(7))
                scene.cache.forget_pod(("team", "tests-1"))

        scene.meanwhile = goes
        await resync.run(scene.actor)
        assert scene.cache.pods == {}

    play(test)


def test_a_pod_without_its_job_is_an_orphan_for_who_leads() -> None:
    async def test(scene: Scene, resync: Resync) -> None:
        scene.lists["pods"] = [pod(6)]
        await resync.begin()
        assert scene.orphanage.deleted == []
        await resync.begin(scene.actor)
        assert scene.orphanage.deleted == ["tests-1"]

    play(test)
