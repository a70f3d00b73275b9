"""What is remembered from one look at a job to the next, before a server that refuses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import pytest
from aiohttp import web

from cijob_api.fitting import DEFAULT_POOL
from cijob_api.specs import CIPoolSpec
from cijob_kube.api import Api
from cijob_kube.errors import Unavailable
from cijob_kube.leases import Leadership
from cijob_operator.act import Actor
from cijob_operator.cache import Cache, Key
from cijob_operator.decisions import Policy
from cijob_operator.jobqueue import ADMISSION, POOLS, JobQueue
from cijob_operator.reconcile import Reconciler
from cijob_operator.times import format_time
from cijob_operator.workqueue import WorkQueue
from kit.apiserver import served
from unit.cijob_operator.builders import IMAGE, NEVER_AGAIN, NOON, after

Json = dict[str, Any]
KEY = ("team", "tests")
WEBHOOK = 'Internal error occurred: failed calling webhook "policy.example.com"'
QUOTA = "pods is forbidden: exceeded quota: tight"


def body(uid: str = "job-uid", version: int = 1, **spec: Any) -> Json:
    metadata = {"name": "tests", "namespace": "team", "uid": uid, "resourceVersion": str(version)}
    metadata["creationTimestamp"] = "2026-01-01T12:00:00Z"
    said = {"image": IMAGE, **spec}
    return {"metadata": metadata, "spec": said, "status": {"phase": "Queued"}}


class Leads:
    """A process that leads."""

    def check(self) -> None:
        """It does."""


class Scene:
    """One job, the API server that it is written to, and the loop that looks at it."""

    def __init__(self, job: Json) -> None:
        self.job = job
        self.refusal: tuple[int, str] | None = None  # of the creation of Pods
        self.is_away = False
        self.gone: set[str] = set()  # methods on Pods that find none
        self.asked: list[str] = []  # the last word of what was asked of the server, with its verb
        self.now = NOON

    def connect(self, api: Api) -> None:
        self.cache, self.queue = Cache(), WorkQueue[Key]()
        self.jobs = JobQueue(
            self.queue.add, lambda: {DEFAULT_POOL: CIPoolSpec(max_concurrent=1)}, aging_seconds=60
        )
        self.reconciler = Reconciler(
            self.cache,
            self.queue,
            Actor(api, self.cache, cast("Leadership", Leads())),
            policy=Policy(),
            jobs=self.jobs,
            write_pools=nothing,
            system_namespace="system",
            now=lambda: self.now,
        )
        self.queue.add(self.cache.put_job(self.job))

    async def handle(self, request: web.Request) -> web.Response:
        if self.is_away and request.transport:
            request.transport.abort()
            return web.Response()
        last = request.path.rpartition("/")[2]
        self.asked.append(f"{request.method} {last}")
        if last == "status":
            return web.json_response(self._patched((await request.json())["status"]))
        if request.method == "POST" and self.refusal:
            return refused(*self.refusal)
        if request.method in self.gone:
            return refused(404, f"pods {last!r} not found")
        pod = await request.json()
        created = {"uid": "pod-uid", "creationTimestamp": format_time(self.now)}
        pod["metadata"] |= {**created, "resourceVersion": "9"}
        return web.json_response(pod)

    def _patched(self, patch: Json) -> Json:
        status = {**self.job["status"], **patch}
        version = str(int(self.job["metadata"]["resourceVersion"]) + 1)
        metadata = {**self.job["metadata"], "resourceVersion": version}
        kept = {key: value for key, value in status.items() if value is not None}
        self.job = {**self.job, "metadata": metadata, "status": kept}
        return self.job

    async def settle(self, at: datetime | None = None) -> None:
        """Look at the job at a moment, and at everything that this changes."""
        if at:
            self.now = at
            self.queue.add(KEY)
        while len(self.queue):
            key = await self.queue.get()
            try:
                if key == ADMISSION:
                    self.jobs.admit(self.now)
                elif key != POOLS:
                    await self.reconciler.reconcile(key)
            finally:
                self.queue.done(key)

    @property
    def status(self) -> tuple[str, str]:
        """Phase and reason as they are stored."""
        status = self.job["status"]
        return (status["phase"], status.get("reason", ""))

    def count(self, what: str) -> int:
        """How often the server was asked for that."""
        return self.asked.count(what)


async def nothing() -> None:
    """Write no pool's status."""


def refused(code: int, message: str) -> web.Response:
    reason = {403: "Forbidden", 404: "NotFound", 500: "InternalError"}.get(code, "")
    return web.json_response({"reason": reason, "message": message}, status=code)


@asynccontextmanager
async def scene_of(job: Json) -> AsyncIterator[Scene]:
    scene = Scene(job)
    async with served(scene.handle) as api, asyncio.timeout(20):
        scene.connect(api)
        yield scene


def play(test: Callable[[Scene], Awaitable[None]], **spec: Any) -> None:
    async def main() -> None:
        async with scene_of(body(**spec)) as scene:
            await test(scene)

    asyncio.run(main())


# -- a create without a verdict ---------------------------------------------------------------


async def given_up_creating(scene: Scene) -> None:
    """Its Pod is answered with 500 for five seconds."""
    scene.refusal = (500, WEBHOOK)
    with pytest.raises(Unavailable):
        await scene.settle()
    with pytest.raises(Unavailable):
        await scene.settle(after(4.9))
    assert scene.status[1] in {"", "Starting"}  # nothing but its intent, if it has one
    assert scene.jobs.place(KEY) == DEFAULT_POOL
    await scene.settle(after(5))


def test_a_pod_that_cannot_be_created_for_long_is_said_in_the_server_s_words() -> None:
    async def test(scene: Scene) -> None:
        await given_up_creating(scene)
        assert scene.status == ("Queued", "AdmissionDenied")
        assert scene.job["status"]["message"] == WEBHOOK

    play(test)


def test_meanwhile_its_place_is_free_for_others() -> None:
    async def test(scene: Scene) -> None:
        await given_up_creating(scene)
        assert scene.jobs.place(KEY) == ""

    play(test)


def test_it_is_tried_again_without_another_word_and_runs_when_it_can() -> None:
    async def test(scene: Scene) -> None:
        await given_up_creating(scene)
        await scene.settle(after(20))
        assert (scene.count("POST pods"), scene.count("PATCH status")) == (4, 1)
        scene.refusal = None
        await scene.settle(after(35))
        assert (scene.count("POST pods"), scene.count("PATCH status")) == (5, 1)
        assert [pod.name for pod in scene.cache.pods.values()] == ["tests-1"]

    play(test)


def test_the_queue_timeout_ends_it_and_says_for_what_it_waited() -> None:
    async def test(scene: Scene) -> None:
        await given_up_creating(scene)
        await scene.settle(after(10))
        assert scene.status == ("Error", "QueueTimedOut")
        assert "failed calling webhook" in scene.job["status"]["message"]

    play(test, queueTimeoutSeconds=10)


def test_while_the_api_server_is_away_nothing_is_said_of_the_job() -> None:
    async def test(scene: Scene) -> None:
        scene.is_away = True
        for seconds in (0, 10, 20):
            with pytest.raises(Unavailable) as raised:
                await scene.settle(after(seconds))
            assert raised.value.is_away
        scene.is_away = False
        await scene.settle(after(21))
        assert scene.asked == ["POST pods"]

    play(test)


# -- a job that must never start twice --------------------------------------------------------


def test_a_pod_that_was_refused_takes_its_intent_back() -> None:
    """Else the next operator would take the attempt for one whose Pod is lost."""

    async def test(scene: Scene) -> None:
        scene.refusal = (403, QUOTA)
        await scene.settle()
        assert scene.status == ("Queued", "QuotaExceeded")
        assert "attempts" not in scene.job["status"]

    play(test, **NEVER_AGAIN)


def test_each_try_is_announced_and_taken_back_without_another_word() -> None:
    async def test(scene: Scene) -> None:
        scene.refusal = (403, QUOTA)
        await scene.settle()
        said = scene.job["status"]
        assert scene.asked == ["PATCH status", "POST pods", "PATCH status"]
        await scene.settle(after(15))
        assert scene.asked[3:] == ["PATCH status", "POST pods", "PATCH status"]
        assert scene.job["status"] == said

    play(test, **NEVER_AGAIN)


def test_an_operator_that_comes_later_starts_what_was_refused() -> None:
    async def test(scene: Scene) -> None:
        scene.refusal = (403, QUOTA)
        await scene.settle()
        scene.refusal = None
        async with scene_of(scene.job) as later:
            await later.settle(after(60))
            assert later.asked == ["PATCH status", "POST pods"]

    play(test, **NEVER_AGAIN)


def test_a_create_without_a_verdict_keeps_its_intent() -> None:
    """The Pod may have been there; that the next try is refused says nothing of this one."""

    async def test(scene: Scene) -> None:
        await given_up_creating(scene)
        assert scene.status == ("Queued", "AdmissionDenied")
        assert [a["number"] for a in scene.job["status"]["attempts"]] == [1]
        scene.refusal = (403, QUOTA)
        await scene.settle(after(20))
        assert scene.status == ("Queued", "QuotaExceeded")
        assert [a["number"] for a in scene.job["status"]["attempts"]] == [1]

    play(test, **NEVER_AGAIN)


# -- another job of that name -----------------------------------------------------------------


def test_what_stood_against_a_job_does_not_stand_against_the_next_of_its_name() -> None:
    async def test(scene: Scene) -> None:
        scene.refusal = (403, 'violates PodSecurity "restricted"')
        await scene.settle()
        assert scene.status == ("Error", "AdmissionDenied")
        scene.refusal = None
        scene.job = body("another", 100)
        scene.queue.add(scene.cache.put_job(scene.job))
        await scene.settle()
        assert scene.asked[-1] == "POST pods"
        assert scene.status == ("Queued", "")

    play(test)


# -- a Pod that is gone, unsaid by its watch --------------------------------------------------


def test_a_pod_that_cannot_be_stopped_since_it_is_gone_is_not_asked_for_ever() -> None:
    async def test(scene: Scene) -> None:
        await scene.settle()
        pod = next(iter(scene.cache.pods.values()))
        ready = {"metadata": {"resourceVersion": "10"}, "spec": {"nodeName": "node-1"}}
        scene.cache.put_pod(with_node(pod.name, ready))
        scene.gone = {"PATCH", "GET"}
        scene.cache.put_job(body(version=2, desiredState="Cancelled"))
        scene.job = body(version=2, desiredState="Cancelled")
        with pytest.raises(Exception, match="not found"):
            await scene.settle(after(1))
        assert scene.count("PATCH tests-1") == 1
        await scene.settle(after(3))
        assert scene.count("PATCH tests-1") == 2
        assert scene.status == ("Cancelled", "Cancelled")

    play(test)


def with_node(name: str, ready: Json) -> Json:
    """The Pod as its watch shows it once it has a node."""
    labels = {"cijob.dev/job": "tests", "cijob.dev/attempt": "1"}
    metadata = {"name": name, "namespace": "team", "uid": "pod-uid", "labels": labels}
    metadata["creationTimestamp"] = "2026-01-01T12:00:00Z"
    owners = [{"kind": "CIJob", "uid": "job-uid"}]
    return {**ready, "metadata": {**metadata, "ownerReferences": owners, **ready["metadata"]}}
