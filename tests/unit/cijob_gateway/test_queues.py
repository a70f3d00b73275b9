"""The queue from the gateway's own watches: what is read of the objects, and how often."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from cijob_api.objects import CIJob, CIPool
from cijob_api.specs import CIPoolSpec
from cijob_gateway import queues, waits
from cijob_gateway.queues import Ground, Queue
from cijob_gateway.waits import Wait
from cijob_gateway.watches import Json, Watch
from cijob_kube.api import Api

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
START, END = "2026-03-01T11:00:00Z", "2026-03-01T11:01:00Z"


class Scene:
    """Watches that hold what a test puts into them, and the queue over them."""

    def __init__(self, places: int = 0) -> None:
        self.jobs: Watch[CIJob] = Watch(cast("Api", None), CIJob, "cijobs", [])
        self.pools: Watch[CIPool] = Watch(cast("Api", None), CIPool, "cipools", [])
        self.templates: dict[str, Json] = {}
        self.version = 0
        self.time = 0.0
        ground = Ground(
            jobs=self.jobs,
            pools=self.pools,
            template=lambda _, name: self.templates.get(name),
            namespaces=("team",),
            default_pool=CIPoolSpec(max_concurrent=places),
            aging_seconds=300,
        )
        self.cpu = 0.0
        self.queue = Queue(
            ground, now=lambda: NOON, monotonic=lambda: self.time, cpu=lambda: self.cpu
        )

    def job(self, name: str, phase: str = "", spec: Json | None = None, **status: Any) -> None:
        self.version += 1
        metadata = {
            "name": name,
            "namespace": "team",
            "uid": name,
            "resourceVersion": str(self.version),
            "creationTimestamp": START,
        }
        body: Json = {"metadata": metadata, "spec": {"image": "x", **(spec or {})}}
        if phase:
            body["status"] = {"phase": phase, **status}
        self.jobs.put(body)

    def pool(self, name: str, **spec: Any) -> None:
        self.version += 1
        metadata = {"name": name, "uid": name, "resourceVersion": str(self.version)}
        self.pools.put({"metadata": metadata, "spec": {"maxConcurrent": 1, **spec}})

    def wait(self, name: str) -> Wait | None:
        return asyncio.run(self.queue.wait("team", name))


def test_a_job_without_a_status_waits_and_a_running_one_holds_a_place() -> None:
    scene = Scene(places=1)
    scene.job("new")
    scene.job("begun", "Running", pool="default")
    scene.job("over", "Succeeded", pool="default")
    wait = scene.wait("new")
    assert wait
    assert (wait.position, wait.seconds) == (1, 300)
    assert wait.words == "all 1 places of pool default are taken"
    assert scene.wait("begun") is None
    assert scene.wait("over") is None


@pytest.mark.parametrize(
    ("spec", "status", "words"),
    [
        ({"suspend": True}, {}, "suspend is true"),
        ({"templateRef": {"name": "none"}}, {}, "there is no template none"),
        ({"pool": "moon"}, {}, "there is no pool moon; there is default"),
        ({}, {"reason": "BackingOff", "message": "at noon"}, "at noon"),
        ({}, {"reason": "AdmissionDenied", "message": "no webhook"}, "no webhook"),
        ({"image": 5}, {}, "spec.image: Input should be a valid string"),
    ],
)
def test_what_is_no_matter_of_turns_is_said(spec: Json, status: Json, words: str) -> None:
    scene = Scene()
    scene.job("held", "Queued", spec, **status)
    wait = scene.wait("held")
    assert wait
    assert (wait.position, wait.words) == (None, words)


def test_a_job_that_is_being_cancelled_does_not_wait() -> None:
    scene = Scene()
    scene.job("gone", "Queued", {"desiredState": "Cancelled"})
    assert scene.wait("gone") is None


def test_the_template_says_where_a_job_fits() -> None:
    scene = Scene()
    scene.pool("amd", architecture="amd64")
    scene.pool("arm", architecture="arm64")
    scene.job("built", "Queued", {"templateRef": {"name": "build"}})
    recipe = {"image": "x", "architecture": "aarch64"}
    metadata = {"name": "build", "resourceVersion": "1"}
    scene.templates["build"] = {"metadata": metadata, "spec": recipe}
    wait = scene.wait("built")
    assert wait
    assert (wait.pool, wait.seconds) == ("arm", 0)


def test_the_template_says_whose_group_a_job_is_in() -> None:
    scene = Scene(places=5)
    recipe = {"image": "x", "concurrency": {"group": "deploy"}}
    metadata = {"name": "deploy", "resourceVersion": "1"}
    scene.templates["deploy"] = {"metadata": metadata, "spec": recipe}
    scene.job("begun", "Running", {"templateRef": {"name": "deploy"}}, pool="default")
    scene.job("held", "Queued", {"templateRef": {"name": "deploy"}})
    scene.job("other", "Queued", {"concurrency": {"group": "other"}})
    held, other = scene.wait("held"), scene.wait("other")
    assert held
    assert held.words == "1 of at most 1 jobs of group deploy run"
    assert other
    assert other.words != held.words


def test_history_is_of_jobs_that_ran_to_an_end_of_their_own() -> None:
    scene = Scene(places=1)
    times: Json = {"startTime": START, "completionTime": END, "pool": "default"}
    scene.job("done", "Failed", **times)
    scene.job("stopped", "Cancelled", **{**times, "completionTime": "2026-03-01T11:30:00Z"})
    scene.job("begun", "Running", pool="default")
    scene.job("new", "Queued")
    wait = scene.wait("new")
    assert wait
    assert wait.seconds == 60


def test_a_look_is_taken_again_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    looks = counted(monkeypatch)
    scene.job("one")
    for _ in range(3):
        scene.wait("one")
    assert looks() == 1
    scene.job("two")
    assert scene.wait("two")
    assert looks() == 2
    scene.time += 1
    scene.wait("one")
    assert looks() == 3


def test_a_long_look_is_not_taken_at_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.job("one")
    looks = counted(monkeypatch, then=lambda: setattr(scene, "cpu", scene.cpu + 0.5))
    scene.wait("one")
    scene.job("two")
    scene.time += 4.5
    assert scene.wait("two") is None
    assert looks() == 1
    scene.time += 1
    assert scene.wait("two")
    assert looks() == 2


def test_one_that_took_long_on_a_busy_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.job("one")
    looks = counted(monkeypatch, then=lambda: setattr(scene, "time", scene.time + 0.5))
    scene.wait("one")
    scene.job("two")
    assert scene.wait("two")
    assert looks() == 2


def test_a_job_is_read_again_only_when_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    read: list[str] = []
    before = queues._read

    def noted(body: Json, *rest: Any) -> Any:
        read.append(body["metadata"]["name"])
        return before(body, *rest)

    monkeypatch.setattr(queues, "_read", noted)
    for name in ("one", "two"):
        scene.job(name)
    scene.wait("one")
    scene.job("two", spec={"priority": 5})
    scene.wait("one")
    assert read == ["one", "two", "two"]


def counted(
    monkeypatch: pytest.MonkeyPatch, then: Callable[[], None] = lambda: None
) -> Callable[[], int]:
    """How often the whole queue was looked at."""
    taken: list[int] = []
    before = waits.look

    def noted(*given: Any) -> Any:
        taken.append(1)
        then()
        return before(*given)

    monkeypatch.setattr(queues, "look", noted)
    return lambda: len(taken)
