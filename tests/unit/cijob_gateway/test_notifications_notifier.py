"""Which jobs somebody is told of, and that no change of them is missed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from cijob_api.objects import CIJob, CIJobTemplate
from cijob_gateway.notifications import notifier
from cijob_gateway.notifications.couriers import Tools
from cijob_gateway.notifications.cursors import cursor_name
from cijob_gateway.notifications.notifier import Notifier
from cijob_gateway.watches import Json, Watch
from cijob_kube.api import Api
from unit.cijob_gateway.notifying import COMMIT, GIT, NOON, RUNS, SUCCEEDED, at, body
from unit.cijob_gateway.test_notifications_couriers import ALL, DOWN, Scene

TEMPLATE: dict[str, Any] = {"templateRef": {"name": "test"}, "notify": None}


class Jobs(Watch[CIJob]):
    """A watch that is complete."""

    trouble = ""


class Templates(Watch[CIJobTemplate]):
    """A watch that is complete."""

    trouble = ""


class Archiver:
    """The part of an archiver that notifies, with its watches in the test's hands."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        api = cast("Api", None)  # nothing is watched
        self.jobs = Jobs(api, CIJob, "cijobs", (), told=self._told)
        self.templates = Templates(api, CIJobTemplate, "cijobtemplates", ())
        self.notifier = Notifier(scene.tools, self.jobs, self.templates, "system")
        self.version = 0

    def put(self, found: Json) -> None:
        self.version += 1
        metadata = {**found["metadata"], "resourceVersion": str(self.version)}
        spec = {key: value for key, value in found["spec"].items() if value is not None}
        self.jobs.put({**found, "metadata": metadata, "spec": spec})

    def drop(self, name: str = "mine") -> None:
        self.version += 1
        self.jobs.drop(("team", name), version=self.version)

    def template(self, namespace: str, *sinks: str) -> None:
        metadata = {"name": "test", "namespace": namespace, "uid": "t", "resourceVersion": "1"}
        spec = {"notify": [{"name": sink} for sink in sinks]}
        self.templates.put({"metadata": metadata, "spec": spec})

    async def until(self, count: int) -> list[str]:
        """What was accepted, once that is so many."""
        async with asyncio.timeout(20):
            while len(self.scene.sink.accepted) < count:  # noqa: ASYNC110 (the test's own)
                await asyncio.sleep(0.001)
        return self.scene.sink.accepted

    async def until_idle(self) -> None:
        """Wait until nobody has anything to tell."""
        async with asyncio.timeout(20):
            while self.notifier._couriers or self.notifier._bodies:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.001)

    def _told(self, key: tuple[str, str]) -> None:
        self.notifier.note(key)


def play(steps: Callable[[Archiver], Awaitable[None]], scene: Scene | None = None) -> Scene:
    """Run an archiver while a test does its steps."""
    scene = scene or Scene()

    async def run() -> None:
        archiver = Archiver(scene)
        work = asyncio.create_task(archiver.notifier.run())
        await asyncio.sleep(0)  # it runs
        await steps(archiver)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(run())
    return scene


def test_a_job_is_told_of_as_it_goes() -> None:
    async def steps(archiver: Archiver) -> None:
        archiver.put(body())
        assert await archiver.until(1) == ALL[:1]
        archiver.put(body(status=RUNS))
        assert await archiver.until(2) == ALL[:2]
        archiver.put(body(status=SUCCEEDED))
        assert await archiver.until(3) == ALL
        await archiver.until_idle()
        assert archiver.notifier._tracked == {}

    play(steps)


def test_what_happened_before_it_started_is_told_and_what_was_accepted_is_not() -> None:
    async def first(archiver: Archiver) -> None:
        archiver.put(body(status=RUNS))
        await archiver.until(2)

    async def second(archiver: Archiver) -> None:
        archiver.put(body(status=SUCCEEDED))
        archiver.put(body(name="other", uid="u-2", status=SUCCEEDED))
        await archiver.until(4)
        await archiver.until_idle()

    store = play(first).store
    scene = play(second, Scene(store))
    assert sorted(scene.sink.accepted) == sorted(
        ["u-1.finished", "u-2.queued", "u-2.started.1", "u-2.finished"]
    )


def test_many_jobs_at_the_start_are_all_told_of() -> None:
    async def steps(archiver: Archiver) -> None:
        for n in range(100):
            archiver.put(body(name=f"j{n}", uid=f"u-{n}"))
        await archiver.until(100)

    scene = play(steps)
    assert sorted(scene.sink.accepted) == sorted(f"u-{n}.queued" for n in range(100))


def test_a_commit_that_is_known_only_after_the_end_gets_its_status() -> None:
    found = {"git": {"url": GIT["git"]["url"]}}
    commit = {"results": {"source": {"commit": COMMIT}}}

    async def steps(archiver: Archiver) -> None:
        sinks: list[Json] = [{"name": "commit"}]
        archiver.put(body(source=found, notify=sinks, status=SUCCEEDED))
        archiver.put(body(name="last", uid="u-9"))
        assert await archiver.until(1) == ["u-9.queued"]
        await archiver.until_idle()
        archiver.put(body(source=found, notify=sinks, status={**SUCCEEDED, **commit}))
        assert await archiver.until(2) == ["u-9.queued", "success"]

    play(steps)


def test_a_job_that_is_deleted_at_once_is_told_of_as_it_was_seen_last() -> None:
    async def steps(archiver: Archiver) -> None:
        archiver.put(body())
        await archiver.until(1)
        archiver.put(body(status=SUCCEEDED))
        archiver.drop()
        assert await archiver.until(3) == ALL
        await archiver.until_idle()
        assert archiver.notifier._tracked == {}

    play(steps)


def test_deleted_jobs_of_a_sink_that_is_down_are_kept_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notifier, "MOST_GONE", 2)

    async def steps(archiver: Archiver) -> None:
        archiver.scene.sink.answers = [DOWN] * 10_000
        for n in range(4):
            archiver.put(body(name=f"j{n}", uid=f"u-{n}", status=SUCCEEDED))
        async with asyncio.timeout(20):
            while len(archiver.notifier._tracked) < 4:  # noqa: ASYNC110 (the test's own)
                await asyncio.sleep(0.001)
        for n in range(4):
            archiver.drop(f"j{n}")
        async with asyncio.timeout(20):
            while len(archiver.notifier._tracked) > 2:  # noqa: ASYNC110 (the test's own)
                await asyncio.sleep(0.001)
        archiver.scene.sink.answers = []
        await archiver.until(6)
        await archiver.until_idle()

    scene = play(steps)
    assert {told.partition(".")[0] for told in scene.sink.accepted} == {"u-2", "u-3"}
    assert caplog.text.count("given up: it is deleted, and 2 others wait as well") == 2


def test_another_job_of_the_same_name_is_another_job() -> None:
    async def steps(archiver: Archiver) -> None:
        archiver.put(body(status=RUNS))
        archiver.drop()
        archiver.put(body(uid="u-2"))
        await archiver.until(3)

    scene = play(steps)
    assert sorted(scene.sink.accepted) == ["u-1.queued", "u-1.started.1", "u-2.queued"]


@pytest.mark.parametrize(
    ("own", "system", "count"), [(("chat",), (), 1), ((), ("chat",), 1), (None, ("chat",), 1)]
)
def test_a_template_may_say_whom_to_notify(
    own: tuple[str, ...] | None, system: tuple[str, ...], count: int
) -> None:
    async def steps(archiver: Archiver) -> None:
        archiver.template("system", *system)
        if own is not None:
            archiver.template("team", *own)
        archiver.put(body(**TEMPLATE))
        archiver.put(body(name="last", uid="u-9"))
        wanted = 2 if (own or own is None) else 1  # its own template is first, though it is silent
        await archiver.until(wanted)
        await archiver.until_idle()
        assert len(archiver.scene.sink.accepted) == wanted

    play(steps)


def test_the_job_s_own_sinks_win_over_its_template_s() -> None:
    async def steps(archiver: Archiver) -> None:
        archiver.template("team", "commit", "nobody")
        archiver.put(body(templateRef={"name": "test"}))
        assert await archiver.until(1) == ["u-1.queued"]
        await archiver.until_idle()

    assert play(steps).events.told == []


def test_who_notifies_nobody_costs_nothing() -> None:
    async def steps(archiver: Archiver) -> None:
        archiver.put(body(notify=None, status=SUCCEEDED))
        archiver.put(body(name="last", uid="u-9"))
        await archiver.until(1)

    scene = play(steps)
    name = cursor_name("team", "u-9")
    assert [one for one in scene.store.asked if not one.startswith("put")] == [f"get {name}"]


def test_what_ended_long_ago_and_what_is_malformed_is_passed_over() -> None:
    async def steps(archiver: Archiver) -> None:
        archiver.put(body(status={**SUCCEEDED, "completionTime": at(4000)}))
        archiver.put(body(name="forged", uid="u-2", command=7))
        archiver.put(body(name="last", uid="u-9"))
        assert await archiver.until(1) == ["u-9.queued"]
        await archiver.until_idle()

    play(steps)


def test_a_sink_that_is_down_holds_no_other_sink_up() -> None:
    async def steps(archiver: Archiver) -> None:
        both: list[dict[str, Any]] = [{"name": "nobody"}, {"name": "chat"}]
        archiver.put(body(notify=both, status=SUCCEEDED))
        assert await archiver.until(3) == ALL

    play(steps)


def test_the_scene_s_noon_is_within_the_longest_wait() -> None:
    tools: Tools = Scene().tools
    assert tools.now() == NOON
    assert tools.longest == timedelta(hours=1)
