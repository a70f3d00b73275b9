"""A courier tells a sink everything once and in order, whatever happens meanwhile."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cijob_api.objects import CIJob
from cijob_gateway.archiver import metrics
from cijob_gateway.archiver.uploads import Bucket
from cijob_gateway.logs.archive import tail_name
from cijob_gateway.notifications.backoff import Backoff
from cijob_gateway.notifications.books import Books
from cijob_gateway.notifications.couriers import Courier, Tools, Tracked
from cijob_gateway.notifications.cursors import Cursor
from cijob_gateway.notifications.posts import Post
from cijob_gateway.notifications.senders import Answer, Outcome
from cijob_kube.errors import Gone, LeaseLost, Unavailable
from cijob_kube.events import Event, Events, Subject
from kit.objects import MemoryStore
from unit.cijob_gateway.notifying import ARCHIVED, FAILED, GIT, NOON, RUNS, SUCCEEDED, at, job

CONFIG = {
    "chat": "kind: webhook\nurl: https://hooks.example.com/x",
    "commit": "kind: github-status\nurl: https://git.example.com",
    "broken": "kind: webhook",
}
OK = Answer(Outcome.ACCEPTED)
DOWN = Answer(Outcome.AGAIN, "it cannot be reached")
FORBIDDEN = Answer(Outcome.AGAIN, "the address 10.0.0.1 is private", certain=True)
REFUSED = Answer(Outcome.REFUSED, "it answered 422", certain=True)


class Reader:
    """The API server, with the namespace's ConfigMap and Secret."""

    def __init__(self) -> None:
        self.failures = 0
        self.config = dict(CONFIG)

    async def get(self, path: str) -> dict[str, Any]:
        if self.failures:
            self.failures -= 1
            raise Unavailable(0, "", "away")
        if "secrets" in path:
            return {"data": {"commit": "dG9rZW4="}}
        if not self.config:
            raise Gone(404, "NotFound", "not there")
        return {"data": self.config}


class Sink:
    """What answers a request; by default it accepts all. Remembers what it accepted."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.accepted: list[str] = []
        self.tried = 0
        self.bodies: list[dict[str, Any]] = []
        self.before: Callable[[], None] = lambda: None

    async def send(self, post: Post) -> Answer:
        self.tried += 1
        self.before()
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else OK
        body = json.loads(post.body)
        self.bodies.append(body)
        if answer.outcome == Outcome.ACCEPTED:
            self.accepted.append(body.get("id") or body["state"])
        return answer


class Told(Events):
    """Events, as they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, subject: Subject, event: Event) -> None:
        self.told.append((event.reason, event.message))


class Scene:
    """A courier and all around it."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.sink, self.reader, self.events = Sink(), Reader(), Told()
        self.done: list[str] = []
        self.leads = True
        self.bucket = Bucket(self.store, asyncio.Semaphore(2), self._check)
        clock = iter(range(0, 10**9, 100))  # books are read anew each time
        self.tools = Tools(
            bucket=self.bucket,
            books=Books(self.reader, lambda: float(next(clock))),
            sender=self.sink,
            events=self.events,
            longest=timedelta(hours=1),
            now=lambda: NOON,
            backoff=Backoff(first=0.001, longest=0.01),
        )

    async def track(self, subject: CIJob, sink: str = "chat", *, gone: bool = False) -> Tracked:
        meta = subject.metadata
        cursor = await Cursor.load(self.bucket, meta.namespace, meta.uid)
        return Tracked(subject, (sink,), cursor, gone=gone)

    async def run(self, *subjects: CIJob, sink: str = "chat", gone: bool = False) -> list[str]:
        """Tell a sink of jobs until there is nothing to tell; what it has accepted so far."""
        courier = Courier(
            self.tools, "team", sink, done=lambda t, _: self.done.append(t.job.metadata.uid)
        )
        for subject in subjects:
            courier.wake(await self.track(subject, sink, gone=gone))
        await asyncio.wait_for(courier.run(), 20)
        assert len(courier) == 0
        return self.sink.accepted

    def _check(self) -> None:
        if not self.leads:
            raise LeaseLost("another leads")


ALL = ["u-1.queued", "u-1.started.1", "u-1.finished"]


def counted(outcome: str) -> float:
    return float(metrics.notifications.labels(outcome)._value.get())


def test_all_of_a_job_is_told_once_and_in_order() -> None:
    scene, before = Scene(), counted("accepted")
    assert asyncio.run(scene.run(job(status=SUCCEEDED))) == ALL
    assert scene.sink.tried == 3
    assert counted("accepted") == before + 3
    assert scene.done == ["u-1"]
    assert scene.events.told == []


def test_the_next_archiver_tells_nothing_that_was_accepted() -> None:
    scene = Scene()
    asyncio.run(scene.run(job(status=RUNS)))
    again = Scene(scene.store)
    assert asyncio.run(again.run(job(status=SUCCEEDED))) == ["u-1.finished"]
    third = Scene(scene.store)
    assert asyncio.run(third.run(job(status=SUCCEEDED))) == []


def test_a_sink_that_was_down_gets_all_of_it_later() -> None:
    scene = Scene()
    scene.sink.answers = [DOWN, DOWN, DOWN, OK, DOWN, OK]
    assert asyncio.run(scene.run(job(status=SUCCEEDED))) == ALL
    assert scene.sink.tried == 7
    assert scene.events.told == []  # that something is down is no news for the job's owner


def test_each_accepted_event_is_stored_before_the_next_is_sent() -> None:
    scene = Scene()
    stored: list[int] = []

    def before() -> None:
        stored.append(sum(one.startswith("put") for one in scene.store.asked))

    scene.sink.before = before
    asyncio.run(scene.run(job(status=SUCCEEDED)))
    assert stored == [0, 1, 2]


def test_jobs_take_turns() -> None:
    scene = Scene()
    first, second = job(uid="a", status=RUNS), job(uid="b", status=RUNS)
    told = asyncio.run(scene.run(first, second))
    assert sorted(told) == ["a.queued", "a.started.1", "b.queued", "b.started.1"]
    assert told[:2] == ["a.queued", "b.queued"]


def test_an_event_that_is_never_taken_is_given_up_and_the_next_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene, before = Scene(), counted("given_up")
    scene.sink.answers = [OK, REFUSED]
    assert asyncio.run(scene.run(job(status=SUCCEEDED))) == ["u-1.queued", "u-1.finished"]
    assert counted("given_up") == before + 1
    assert "given up: it answered 422" in caplog.text
    assert scene.events.told == [
        ("NotificationGivenUp", "sink 'chat' will not be told started: it answered 422")
    ]
    assert asyncio.run(Scene(scene.store).run(job(status=SUCCEEDED))) == []


def test_what_waiting_alone_cannot_help_is_told_the_owner_once() -> None:
    scene = Scene()
    scene.sink.answers = [FORBIDDEN, FORBIDDEN, FORBIDDEN]
    assert asyncio.run(scene.run(job(status=RUNS))) == ALL[:2]
    words = "sink 'chat' was not told: the address 10.0.0.1 is private"
    assert scene.events.told == [("NotificationFailed", words)]


def test_what_is_too_old_is_given_up_and_said() -> None:
    old = {**SUCCEEDED, "completionTime": at(30)}
    subject = job(status=old)
    subject = subject.model_copy(
        update={"metadata": subject.metadata.model_copy(update={"creation_timestamp": at(7200)})}
    )
    scene = Scene()
    assert asyncio.run(scene.run(subject)) == ["u-1.started.1", "u-1.finished"]
    assert scene.events.told == [
        (
            "NotificationGivenUp",
            "sink 'chat' will not be told queued: it could not be told within 1:00:00",
        )
    ]


@pytest.mark.parametrize(
    ("sink", "reason", "words"),
    [
        ("nobody", "SinkUnknown", "there is no sink 'nobody' in ConfigMap cijob-notifications"),
        ("broken", "SinkInvalid", "sink 'broken' of ConfigMap cijob-notifications: url: Field"),
    ],
)
def test_a_wrong_sink_is_told_the_owner_once_and_may_be_made_right(
    sink: str, reason: str, words: str
) -> None:
    scene = Scene()

    async def run() -> list[str]:
        courier = Courier(scene.tools, "team", sink, done=lambda *_: None)
        courier.wake(await scene.track(job(status=RUNS), sink))
        work = asyncio.create_task(courier.run())
        while not scene.events.told:  # noqa: ASYNC110 (what is waited for is the test's own)
            await asyncio.sleep(0)
        scene.reader.config[sink] = CONFIG["chat"]
        await asyncio.wait_for(work, 20)
        return scene.sink.accepted

    assert asyncio.run(run()) == ALL[:2]
    ((said, message),) = scene.events.told
    assert said == reason
    assert message.startswith(words)


def test_a_wrong_sink_of_a_job_that_ended_long_ago_is_let_go() -> None:
    scene = Scene()
    old = {**SUCCEEDED, "completionTime": at(4000)}
    assert asyncio.run(scene.run(job(status=old), sink="nobody")) == []
    assert scene.done == ["u-1"]


@pytest.mark.process
def test_an_api_server_or_store_that_is_away_is_waited_for() -> None:
    scene = Scene()
    scene.reader.failures = 2
    scene.store.failures = 1
    assert asyncio.run(scene.run(job(status=RUNS))) == ALL[:2]


def test_a_failure_brings_the_last_lines_of_its_log() -> None:
    scene = Scene()

    async def run() -> None:
        tail = b"".join(b"line %d\n" % n for n in range(200)) + b"\xff!"
        await scene.store.put(tail_name("team", "u-1", 1), tail, kind="text/plain")
        await scene.run(job(status={**FAILED, **ARCHIVED}))

    asyncio.run(run())
    data = scene.sink.bodies[-1]["data"]
    assert (data["job_id"], data["error"], data["exit_code"]) == ("mine", "exit code 7", 7)
    assert data["details"] == [
        *(f"line {n}" for n in range(101, 200)),
        "\N{REPLACEMENT CHARACTER}!",
    ]


def test_a_failure_without_a_log_has_no_lines() -> None:
    scene = Scene()
    asyncio.run(scene.run(job(status={**FAILED, **ARCHIVED})))
    assert scene.sink.bodies[-1]["data"]["details"] == []


def test_a_commit_gets_the_state_that_is_so_when_it_is_told() -> None:
    scene = Scene()
    assert asyncio.run(scene.run(job(source=GIT), sink="commit")) == ["pending"]
    told = asyncio.run(scene.run(job(status=SUCCEEDED, source=GIT), sink="commit"))
    assert told == ["pending", "success"]
    assert asyncio.run(scene.run(job(status=SUCCEEDED, source=GIT), sink="commit")) == told


def test_who_does_not_lead_tells_nobody() -> None:
    scene = Scene()
    scene.leads = False
    with pytest.raises(LeaseLost):
        asyncio.run(scene.run(job(status=RUNS)))
    assert scene.sink.tried == 0


def test_a_process_that_is_told_to_end_waits_for_the_last_answer_and_stores_it() -> None:
    scene = Scene()

    async def run() -> None:
        courier = Courier(scene.tools, "team", "chat", done=lambda *_: None)
        courier.wake(await scene.track(job(status=SUCCEEDED)))
        work = asyncio.create_task(courier.run())

        def cancel() -> None:
            work.cancel()

        scene.sink.before = cancel
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(run())
    assert scene.sink.accepted == ["u-1.queued"]
    assert asyncio.run(Scene(scene.store).run(job(status=SUCCEEDED))) == ALL[1:]


def test_a_job_that_cannot_be_told_of_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    failures = iter([ValueError("a mistake of ours")])

    def before() -> None:
        if error := next(failures, None):
            raise error

    scene.sink.before = before
    assert asyncio.run(scene.run(job(status=RUNS))) == ALL[:2]
    assert "a notification cannot be made" in caplog.text


@pytest.mark.parametrize("error", [Unavailable(0, "", "away"), ValueError("a mistake of ours")])
def test_a_job_that_is_forgotten_while_its_turn_fails_ends_nothing(error: Exception) -> None:
    scene = Scene()
    first, second = job(uid="a", status=RUNS), job(uid="b", status=RUNS)

    async def run() -> list[str]:
        courier = Courier(scene.tools, "team", "chat", done=lambda *_: None)
        forgotten = await scene.track(first, gone=True)
        courier.wake(forgotten)
        courier.wake(await scene.track(second))

        def forget() -> None:
            if scene.sink.tried == 1:
                courier.forget(forgotten, "too many wait")
                raise error

        scene.sink.before = forget
        await asyncio.wait_for(courier.run(), 20)
        return scene.sink.accepted

    assert asyncio.run(run()) == ["b.queued", "b.started.1"]
