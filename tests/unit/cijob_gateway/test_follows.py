"""Any number of readers of a job's log: each gets everything, and none disturbs another."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_gateway.errors import Down
from cijob_gateway.logs.follows import Batch, End, Follows, Gap, Item, State
from cijob_gateway.logs.readings import Pace
from cijob_gateway.logs.sharedlogs import Kept
from kit.kubelet import SECOND, Entry
from kit.logserver import LogServer, Plan, PodLogs
from kit.objects import Archive, MemoryStore

pytestmark = pytest.mark.process

AT_ONCE = Pace(first=0.0005, most=0.002, silent=0.05, tries=3)
TIME = "2026-03-01T12:00:00Z"
LINE = 10**8


def lines(count: int, start: int = 0) -> list[Entry]:
    """So many lines, a tenth of a second apart."""
    return [Entry(n * LINE, b"line %d\n" % n) for n in range(start, start + count)]


def text(count: int, start: int = 0) -> bytes:
    """What they say."""
    return b"".join(entry.text for entry in lines(count, start))


class Jobs:
    """One job, as the gateway's watch of CIJobs would show it."""

    def __init__(self) -> None:
        self.job: CIJob | None = None
        self.readers = 0
        self._news = asyncio.Event()
        self.set("Queued")

    def set(self, phase: str, attempts: list[dict[str, Any]] | None = None, **status: Any) -> None:
        """The operator writes the job's status."""
        metadata = {"name": "job", "namespace": "ns", "uid": "1"}
        told = {"phase": phase, "attempts": attempts or [], **status}
        self.tell(CIJob.parse({"metadata": metadata, "spec": {"image": "x"}, "status": told}))

    def tell(self, job: CIJob | None) -> None:
        """The job is so now; None: it was deleted."""
        self.job = job
        self._news.set()
        self._news = asyncio.Event()

    def find(self, namespace: str, name: str) -> CIJob | None:
        return self.job

    async def changes(self, namespace: str, name: str, uid: str) -> AsyncGenerator[CIJob | None]:
        self.readers += 1
        try:
            while True:
                news = self._news
                yield self.job
                await news.wait()
        finally:
            self.readers -= 1


def attempt(number: int = 1, *, started: bool = True, ended: bool = False) -> dict[str, Any]:
    """An attempt in a job's status."""
    found: dict[str, Any] = {"number": number, "podName": f"pod-{number}"}
    if started:
        found["startTime"] = TIME
    if ended:
        found["completionTime"] = TIME
    return found


@dataclass
class Reader:
    """A reader and what it was given."""

    items: list[Item] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    @property
    def text(self) -> bytes:
        return b"".join(t for item in self.items if isinstance(item, Batch) for t in item.lines)

    @property
    def ids(self) -> list[LineId]:
        batches = (item for item in self.items if isinstance(item, Batch))
        return [i for batch in batches for i in batch.content.ids(batch.attempt)]

    @property
    def states(self) -> list[str]:
        return [item.phase for item in self.items if isinstance(item, State)]

    @property
    def gaps(self) -> list[str]:
        return [item.message for item in self.items if isinstance(item, Gap)]

    @property
    def end(self) -> End:
        last = self.items[-1]
        assert isinstance(last, End)
        return last

    async def until(self, condition: Callable[["Reader"], bool]) -> None:
        """Wait until what was given is so."""
        while not condition(self):
            self.news.clear()
            await self.news.wait()

    async def done(self) -> "Reader":
        """Wait for the end of the stream."""
        assert self.task
        await self.task
        return self

    async def leave(self) -> None:
        """The client is gone."""
        assert self.task
        self.task.cancel()
        await asyncio.wait({self.task})

    async def read(self, items: AsyncGenerator[Item]) -> None:
        async for item in items:
            self.items.append(item)
            self.news.set()


@dataclass
class Scene:
    """A job, its Pods' logs, and who reads them."""

    server: LogServer
    jobs: Jobs
    follows: Follows
    logs: PodLogs
    store: MemoryStore
    archive: Archive

    def reader(self, **wish: Any) -> Reader:
        """Somebody begins to read."""
        reader = Reader()
        reader.task = asyncio.create_task(reader.read(self.open(**wish)))
        return reader

    def open(self, **wish: Any) -> AsyncGenerator[Item]:
        assert self.jobs.job
        return self.follows.follow(self.jobs.job, **wish)

    def run(self) -> None:
        """The job's container has started."""
        self.jobs.set("Running", [attempt()])

    def finish(self) -> None:
        """The container ends, and the job's status says so."""
        self.logs.exit()
        self.jobs.set("Succeeded", [attempt(ended=True)], reason="Completed", exitCode=0)


@asynccontextmanager
async def staged(*more: PodLogs, keep_bytes: int = 10**6) -> AsyncGenerator[Scene]:
    """A queued job."""
    logs = PodLogs("pod-1")
    async with LogServer.serving(logs, *more) as server, asyncio.timeout(20):
        jobs = Jobs()
        store = MemoryStore()
        follows = Follows(server.api, jobs, pace=AT_ONCE, kept=Kept(keep_bytes), store=store)
        yield Scene(server, jobs, follows, logs, store, Archive(store, chunk_bytes=500))


def play(script: Callable[[Scene], Awaitable[None]], **how: Any) -> None:
    """Run a scene; nobody and nothing is left in it afterwards."""

    async def run() -> None:
        async with staged(*how.pop("more", ()), **how) as scene:
            before = {t for t in asyncio.all_tasks() if "Reader" not in repr(t)}
            await script(scene)
            await scene.logs.until(lambda: scene.logs.followers == 0)
            assert scene.follows.readers == 0
            assert scene.jobs.readers == 0
            mine = [t for t in asyncio.all_tasks() - before if "cijob_gateway" in repr(t)]
            assert mine == []

    asyncio.run(run())


# -- one reader --------------------------------------------------------------------------------


def test_a_job_is_followed_from_the_queue_to_its_end() -> None:
    async def script(scene: Scene) -> None:
        reader = scene.reader()
        await reader.until(lambda r: r.states == ["Queued"])
        scene.jobs.set("Starting", [attempt(started=False)])
        await reader.until(lambda r: r.states[-1] == "Starting")
        scene.run()
        scene.logs.write(*lines(10))
        await reader.until(lambda r: len(r.ids) == 10)
        scene.finish()
        await reader.done()
        assert reader.text == text(10)
        assert reader.states == ["Queued", "Starting", "Running", "Succeeded"]
        digest = hashlib.sha256(text(10)).hexdigest()
        end = End("Succeeded", "Completed", None, 0, 10, len(text(10)), digest, complete=True)
        assert reader.end == end

    play(script)


def test_the_end_comes_after_the_last_line() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.plans.append(Plan(hangs=True))
        reader = scene.reader()
        await scene.logs.until(lambda: scene.logs.followers == 1)
        scene.logs.files[-1].extend([*lines(5), Entry(SECOND, b"last words")])
        scene.finish()
        await reader.done()
        assert reader.text == text(5) + b"last words"
        assert [type(item) for item in reader.items[-2:]] == [State, End]

    play(script)


def test_a_job_that_never_ran_ends_without_a_log() -> None:
    async def script(scene: Scene) -> None:
        reader = scene.reader()
        scene.jobs.set("Cancelled", reason="Cancelled")
        await reader.done()
        assert reader.end.complete
        assert (reader.end.lines, reader.end.bytes) == (0, 0)
        assert not scene.logs.requests

    play(script)


def test_a_container_that_never_started_ends_without_a_gap() -> None:
    async def script(scene: Scene) -> None:
        refused = Plan(status=400, message="container is waiting to start: image can't be pulled")
        scene.logs.plans.append(refused)
        scene.jobs.set("Error", [attempt(started=False, ended=True)], reason="CannotStart")
        reader = await scene.reader().done()
        assert reader.end.complete
        assert reader.gaps == []

    play(script)


def test_attempts_follow_each_other() -> None:
    second = PodLogs("pod-2")

    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(3))
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 3)
        scene.logs.exit()
        scene.jobs.set("Starting", [attempt(ended=True), attempt(2, started=False)])
        second.write(*lines(4, 3))
        scene.jobs.set("Running", [attempt(ended=True), attempt(2)])
        await reader.until(lambda r: len(r.ids) == 7)
        second.exit()
        scene.jobs.set("Succeeded", [attempt(ended=True), attempt(2, ended=True)], exitCode=0)
        await reader.done()
        assert reader.text == text(7)
        assert [i.attempt for i in reader.ids] == [1] * 3 + [2] * 4
        assert reader.end.lines == 7
        one = await scene.reader(attempt=1).done()
        assert (one.text, one.end.complete) == (text(3), True)
        tail = await scene.reader(tail=2).done()
        assert (tail.text, tail.end.sha256) == (text(2, 5), None)

    play(script, more=[second])


def test_what_is_there_now_without_following() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(5))
        reader = await scene.reader(follow=False).done()
        assert reader.text == text(5)
        assert (reader.end.phase, reader.end.complete) == ("Running", False)

    play(script)


def test_the_last_lines_and_what_follows() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(20))
        reader, now = scene.reader(tail=3), scene.reader(from_now=True)
        await reader.until(lambda r: len(r.ids) == 3)
        await scene.logs.until(lambda: scene.logs.followers > 0)
        await now.until(lambda r: bool(r.states))
        scene.logs.write(*lines(5, 20))
        await reader.until(lambda r: len(r.ids) == 8)
        scene.finish()
        await reader.done()
        await now.done()
        assert reader.text == text(8, 17)
        assert reader.end.complete
        assert text(5, 20).endswith(now.text)

    play(script)


def test_from_now_on_before_anything_ran_is_everything() -> None:
    async def script(scene: Scene) -> None:
        reader = scene.reader(from_now=True)
        await reader.until(lambda r: bool(r.states))
        scene.run()
        scene.logs.write(*lines(5))
        scene.finish()
        assert (await reader.done()).text == text(5)

    play(script)


def test_whoever_comes_back_at_any_line_gets_the_rest() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(20))
        first = scene.reader()
        await first.until(lambda r: len(r.ids) == 20)
        back = [scene.reader(after=i) for i in first.ids]
        for number, reader in enumerate(back[:-1]):
            await reader.until(lambda r, n=number: len(r.ids) == 19 - n)  # type: ignore[misc]
        assert scene.logs.followers == 1
        scene.logs.write(*lines(5, 20))
        scene.finish()
        for number, reader in enumerate(back):
            await reader.done()
            assert reader.text == text(24 - number, number + 1)
            assert (reader.end.complete, reader.end.lines) == (True, None)
        assert (await first.done()).text == text(25)

    play(script)


# -- when something is missing -----------------------------------------------------------------


def test_a_pod_that_is_gone_leaves_an_incomplete_log_with_words() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(5))
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 5)
        scene.logs.gone = True
        scene.logs.exit()
        scene.jobs.set("Error", [attempt(ended=True)], reason="PodLost")
        await reader.done()
        assert reader.text == text(5)
        assert "Pod pod-1 is gone" in reader.gaps[0]
        assert not reader.end.complete
        assert reader.end.lines == 5

    play(script)


def test_a_deleted_job_ends_its_stream() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        reader = scene.reader()
        await scene.logs.until(lambda: scene.logs.followers == 1)
        scene.logs.gone = True
        scene.logs.exit()
        scene.jobs.tell(None)
        await reader.done()
        assert (reader.end.message, reader.end.complete) == ("the CIJob was deleted", False)

    play(script)


# -- many readers ------------------------------------------------------------------------------


def test_twenty_readers_share_one_follow() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        readers = [scene.reader() for _ in range(20)]
        for n in range(0, 50, 10):
            scene.logs.write(*lines(10, n))
            await readers[0].until(lambda r, n=n: len(r.ids) == n + 10)  # type: ignore[misc]
            readers.append(scene.reader())  # a late one
            await readers[-1].until(lambda r, n=n: len(r.ids) == n + 10)  # type: ignore[misc]
        assert scene.logs.followers == 1
        assert sum("follow" in query for query in scene.logs.requests) == 1
        scene.finish()
        for reader in readers:
            assert (await reader.done()).text == text(50)
            assert reader.end.complete

    play(script)


def test_readers_share_the_batches_themselves() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        one, two = scene.reader(), scene.reader()
        scene.logs.write(*lines(5))
        await one.until(lambda r: len(r.ids) == 5)
        await two.until(lambda r: len(r.ids) == 5)
        mine = [item for item in one.items if isinstance(item, Batch)]
        theirs = [item for item in two.items if isinstance(item, Batch)]
        assert all(a is b for a, b in zip(mine, theirs, strict=True))
        await one.leave()
        await two.leave()

    play(script)


def test_a_reader_that_stops_reading_holds_up_nobody_and_costs_no_memory() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        slow = scene.open()
        given = [await anext(slow)]  # its state; then it stops
        fast = scene.reader()
        for n in range(0, 500, 50):
            scene.logs.write(*lines(50, n))
            await fast.until(lambda r, n=n: len(r.ids) == n + 50)  # type: ignore[misc]
            if n == 0:
                given.append(await anext(slow))
        (room,) = scene.follows._rooms.values()
        (shared,) = room._shared.values()
        assert shared.first > 0
        assert shared._bytes <= 20_000
        assert scene.follows._ground.kept.logs == 1
        scene.finish()
        assert (await fast.done()).text == text(500)
        given += [item async for item in slow]
        late = Reader(given)
        assert late.text == text(500)
        assert late.ids == fast.ids
        assert late.end == fast.end
        assert scene.follows._ground.kept.logs == 0

    play(script, keep_bytes=20_000)


def test_a_slow_reader_takes_its_seat_again() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        slow = scene.open()
        await anext(slow)
        fast = scene.reader()
        scene.logs.write(*lines(300))
        await fast.until(lambda r: len(r.ids) == 300)
        again = Reader()
        again.task = asyncio.create_task(again.read(slow))
        await again.until(lambda r: len(r.ids) == 300)
        asked = len(scene.logs.requests)
        scene.logs.write(*lines(5, 300))
        await again.until(lambda r: len(r.ids) == 305)
        assert len(scene.logs.requests) == asked  # by the shared follow
        scene.finish()
        assert (await again.done()).text == (await fast.done()).text == text(305)

    play(script, keep_bytes=5000)


def test_clients_that_go_away_leave_nothing_behind() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(5))
        readers = [scene.reader(), scene.reader(), scene.reader(tail=1)]
        for reader in readers[:2]:
            await reader.until(lambda r: len(r.ids) == 5)
        await readers[2].until(lambda r: len(r.ids) == 1)
        waiting = scene.open()
        await anext(waiting)
        for reader in readers:
            await reader.leave()
        assert scene.follows.readers == 1
        await waiting.aclose()

    play(script)


def test_the_follow_ends_with_the_last_reader_and_begins_again_with_the_next() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(5))
        for _ in range(3):
            reader = scene.reader()
            await reader.until(lambda r: len(r.ids) == 5)
            await reader.leave()
            await scene.logs.until(lambda: scene.logs.followers == 0)

    play(script)


def test_a_finished_job_can_be_read_by_many_at_once() -> None:
    async def script(scene: Scene) -> None:
        scene.logs.write(*lines(100))
        scene.finish()
        readers = [scene.reader() for _ in range(10)]
        for reader in readers:
            assert (await reader.done()).text == text(100)
            assert reader.end.complete
        last = readers[0].ids[-1]
        back = await scene.reader(after=last).done()
        assert (back.text, back.end.complete) == (b"", True)

    play(script)


# -- what is archived --------------------------------------------------------------------------


def archived(count: int, start: int = 0) -> list[tuple[bytes, bytes]]:
    """Lines as the archiver stores them."""
    return [(entry.timestamp, entry.text) for entry in lines(count, start)]


def test_a_closed_archive_is_all_that_is_read_and_no_pod_is_asked() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*archived(500))
        await scene.archive.finish()
        scene.logs.gone = True
        scene.finish()
        reader = await scene.reader().done()
        digest = hashlib.sha256(text(500)).hexdigest()
        assert reader.text == text(500)
        assert (reader.end.lines, reader.end.bytes) == (500, len(text(500)))
        assert (reader.end.sha256, reader.end.complete) == (digest, True)
        for place in (0, 250, 499):
            back = await scene.reader(after=reader.ids[place]).done()
            assert (back.ids, back.end.complete) == (reader.ids[place + 1 :], True)
        assert scene.logs.requests == []

    play(script)


def test_archive_and_live_log_are_joined_by_id_wherever_a_reader_comes_in() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(60))
        await scene.archive.add(*archived(40))
        scene.logs.rotate()  # the first 60 are in the archive, or nowhere
        scene.logs.files[-1].extend(lines(30, 30))
        first = scene.reader()
        await first.until(lambda r: len(r.ids) == 60)
        await scene.archive.add(*archived(20, 40))
        second = scene.reader()
        back = [scene.reader(after=first.ids[n]) for n in (0, 30, 39, 40, 59)]
        await second.until(lambda r: len(r.ids) == 60)
        await scene.logs.until(lambda: scene.logs.followers > 0)
        assert scene.logs.followers == 1
        scene.logs.write(*lines(10, 60))
        scene.finish()
        for reader in (first, second):
            assert (await reader.done()).text == text(70)
            assert (reader.gaps, reader.end.complete, reader.end.lines) == ([], True, 70)
        for reader, n in zip(back, (0, 30, 39, 40, 59), strict=True):
            assert (await reader.done()).ids == first.ids[n + 1 :]
            assert reader.end.complete

    play(script)


async def silent(scene: Scene) -> None:
    """All that was written is archived, and the log was rotated behind it."""
    scene.run()
    await scene.archive.add(*archived(10))
    scene.logs.rotate()


def asked_for_the_rest(scene: Scene) -> int:
    return sum("sinceTime" in query for query in scene.logs.requests)


def test_what_a_silent_job_has_written_up_to_now_is_read_without_words() -> None:
    async def script(scene: Scene) -> None:
        await silent(scene)
        reader = await scene.reader(follow=False).done()
        assert (reader.text, reader.gaps, reader.end.phase) == (text(10), [], "Running")

    play(script)


def test_a_silent_job_is_followed_through_its_silence() -> None:
    async def script(scene: Scene) -> None:
        await silent(scene)
        reader = scene.reader()
        await scene.logs.until(lambda: asked_for_the_rest(scene) > 20)
        assert (reader.text, reader.gaps) == (text(10), [])
        scene.logs.write(*lines(5, 900))
        await scene.archive.add(*archived(5, 900))
        await reader.until(lambda r: len(r.ids) == 15)
        scene.finish()
        await reader.done()
        assert reader.text == text(10) + text(5, 900)
        assert (reader.gaps, reader.end.complete, reader.end.lines) == ([], True, 15)

    play(script)


def test_a_job_that_was_silent_to_its_end_is_complete_when_its_archive_is() -> None:
    async def script(scene: Scene) -> None:
        await silent(scene)
        reader = scene.reader()
        await scene.logs.until(lambda: asked_for_the_rest(scene) > 10)
        await scene.archive.finish()
        scene.finish()
        await reader.done()
        assert (reader.text, reader.gaps, reader.end.complete) == (text(10), [], True)

    play(script)


async def archive_attempts(scene: Scene, *numbers: int) -> None:
    """Three lines each of these attempts, all of them different, are archived."""
    for number in numbers:
        archive = Archive(scene.store, attempt=number)
        await archive.add(*archived(3, 3 * (number - 1)))
        await archive.finish()


@pytest.mark.parametrize("over", [False, True])
def test_attempts_that_the_status_names_no_more_are_read_from_the_archive(*, over: bool) -> None:
    last = PodLogs("pod-5")
    last.write(*lines(3, 12))

    async def script(scene: Scene) -> None:
        await archive_attempts(scene, 1, 2, 3, 4)
        named = [attempt(4, ended=True), attempt(5, ended=over)]
        scene.jobs.set("Succeeded" if over else "Running", named)
        whole = scene.reader()
        await whole.until(lambda r: len(r.ids) == 15)
        one = await scene.reader(attempt=2).done()
        assert (one.text, one.gaps, one.end.complete) == (text(3, 3), [], True)
        back = scene.reader(after=whole.ids[4])
        await back.until(lambda r: len(r.ids) == 10)
        last.exit()
        scene.jobs.set("Succeeded", [attempt(5, ended=True)])
        for reader, start in ((whole, 0), (back, 5)):
            await reader.done()
            assert (reader.text, reader.gaps) == (text(15 - start, start), [])
            assert (reader.ids[-1].attempt, reader.end.complete) == (5, True)
        assert whole.end.lines == 15

    play(script, more=[last])


def test_who_is_late_reads_on_with_an_attempt_that_was_named_when_it_began() -> None:
    async def script(scene: Scene) -> None:
        await archive_attempts(scene, 1, 2, 3)
        scene.jobs.set("Running", [attempt(ended=True), attempt(2)])
        slow = scene.open()
        given = [await anext(slow)]
        scene.jobs.set("Succeeded", [attempt(3, ended=True)])
        given += [item async for item in slow]
        late = Reader(given)
        assert (late.text, late.end.lines, late.end.complete) == (text(9), 9, True)

    play(script)


def test_an_attempt_that_left_nothing_in_the_archive_is_no_gap() -> None:
    async def script(scene: Scene) -> None:
        await archive_attempts(scene, 2, 3)
        scene.jobs.set("Succeeded", [attempt(3, ended=True)])
        reader = await scene.reader().done()
        assert (reader.text, reader.gaps, reader.end.complete) == (text(6, 3), [], True)

    play(script)


def test_without_an_archive_an_attempt_that_nobody_names_is_read_from_its_pod() -> None:
    first, third = PodLogs("job-1"), PodLogs("pod-3")
    first.write(*lines(3))
    third.write(*lines(3, 6))
    first.exit()
    third.exit()

    async def script(scene: Scene) -> None:
        scene.jobs.set("Succeeded", [attempt(3, ended=True)])
        reader = await scene.reader().done()
        assert reader.text == text(3) + text(3, 6)
        assert reader.gaps == ["Pod job-2 is gone, and the rest of its log with it"]
        assert not reader.end.complete

    play(script, more=[first, third])


def test_an_attempt_that_nobody_names_is_waited_for_while_the_store_is_away() -> None:
    async def script(scene: Scene) -> None:
        await archive_attempts(scene, 1, 2)
        scene.jobs.set("Succeeded", [attempt(2, ended=True)])
        scene.store.trouble = "the object store cannot be reached"
        with pytest.raises(Down):
            await scene.reader().done()
        scene.store.trouble = ""
        assert (await scene.reader().done()).text == text(6)

    play(script)


def test_what_the_node_threw_away_under_a_follow_is_filled_from_the_archive() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(10))
        scene.logs.plans.append(
            Plan(cut=len(b"".join(e.timestamp + b" " + e.text for e in lines(10))))
        )
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 10)
        scene.logs.rotate()
        scene.logs.rotate()
        scene.logs.files[-1].extend(lines(10, 1000))
        await scene.archive.add(*archived(1005))
        scene.logs.tell()
        await reader.until(lambda r: len(r.ids) == 1010)
        scene.finish()
        assert (await reader.done()).text == text(1010)
        assert (reader.gaps, reader.end.complete) == ([], True)

    play(script)


def test_what_neither_has_is_a_gap() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        await scene.archive.add(*archived(10))
        scene.logs.files[-1].extend(lines(10, 1000))
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 20)
        scene.finish()
        await reader.done()
        assert reader.text == text(10) + text(10, 1000)
        assert "lines are missing here" in reader.gaps[0]
        assert not reader.end.complete

    play(script)


def test_a_pod_that_is_gone_is_no_loss_when_the_archive_has_the_rest() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(5))
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 5)
        await scene.archive.add(*archived(300))
        await scene.archive.finish()
        scene.logs.gone = True
        scene.finish()
        assert (await reader.done()).text == text(300)
        assert (reader.gaps, reader.end.complete, reader.end.lines) == ([], True, 300)

    play(script)


def test_an_archive_without_an_end_and_without_a_pod_is_given_and_said_to_be_incomplete() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*archived(20))
        scene.logs.gone = True
        scene.finish()
        reader = await scene.reader().done()
        assert (reader.text, reader.end.complete) == (text(20), False)
        assert "Pod pod-1 is gone" in reader.gaps[0]

    play(script)


def test_an_archive_that_was_given_up_says_what_is_missing() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*archived(20))
        await scene.archive.finish(complete=False, message="the spool was full for 3 minutes")
        scene.finish()
        reader = await scene.reader().done()
        assert (reader.text, reader.gaps) == (text(20), ["the spool was full for 3 minutes"])
        assert not reader.end.complete

    play(script)


def test_an_archive_that_does_not_fit_its_end_is_not_called_complete() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*archived(20))
        await scene.archive.finish()
        await scene.archive.add(*archived(1, 20))
        scene.finish()
        reader = await scene.reader().done()
        assert reader.gaps == ["the archive has 21 of 20 lines, 158 of 150 bytes"]
        assert not reader.end.complete

    play(script)


def test_without_the_store_a_live_log_is_read_from_its_pod() -> None:
    async def script(scene: Scene) -> None:
        scene.store.trouble = "the object store cannot be reached"
        scene.run()
        scene.logs.write(*lines(5))
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 5)
        scene.finish()
        assert (await reader.done()).text == text(5)
        assert reader.end.complete

    play(script)


def test_without_the_store_the_begin_of_an_old_log_may_be_missing_and_that_is_said() -> None:
    async def script(scene: Scene) -> None:
        scene.store.trouble = "the object store cannot be reached"
        scene.run()
        scene.logs.write(*lines(5, 1000))
        scene.finish()
        reader = await scene.reader().done()
        assert reader.text == text(5, 1000)
        assert reader.gaps == ["the first lines may be missing: the object store cannot be reached"]
        assert not reader.end.complete

    play(script)


def test_a_gap_is_filled_when_the_store_is_back() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*archived(10))
        later = dict(scene.store.objects)
        await scene.archive.add(*archived(100, 10))
        later, scene.store.objects = scene.store.objects, later
        scene.run()
        scene.logs.files[-1].extend(lines(5, 5))
        served = b"".join(entry.timestamp + b" " + entry.text for entry in lines(5, 5))
        scene.logs.plans.extend([Plan(), Plan(cut=len(served))])

        def rotated(query: dict[str, str]) -> None:
            if len(scene.logs.requests) == 3:  # behind the follow that was cut
                scene.store.objects, scene.store.failures = later, 4
                scene.logs.rotate()
                scene.logs.files[-1].extend(lines(20, 90))

        scene.logs.before = rotated
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 110)
        scene.finish()
        assert (await reader.done()).text == text(110)
        assert scene.store.failures < 0
        assert (reader.gaps, reader.end.complete) == ([], True)

    play(script)


def test_a_pod_that_is_gone_while_the_store_is_away_is_no_loss_yet() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(5))
        reader = scene.reader()
        await reader.until(lambda r: len(r.ids) == 5)
        await scene.archive.add(*archived(20))
        await scene.archive.finish()
        scene.store.trouble = "the object store cannot be reached"
        scene.logs.gone = True
        scene.finish()
        with pytest.raises(Down, match="Pod pod-1 is gone"):
            await reader.done()
        scene.store.trouble = ""
        back = await scene.reader(after=reader.ids[-1]).done()
        assert (back.text, back.end.complete) == (text(15, 5), True)

    play(script)


def test_without_store_and_pod_a_reader_is_told_to_come_back() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*archived(20))
        await scene.archive.finish()
        scene.store.trouble = "the object store cannot be reached"
        scene.logs.gone = True
        scene.finish()
        reader = scene.reader()
        with pytest.raises(Down, match="cannot be reached"):
            await reader.done()
        scene.store.trouble = ""
        assert (await scene.reader().done()).text == text(20)

    play(script)


@pytest.mark.parametrize("stored", [0, 10, 18, 20])
@pytest.mark.parametrize("count", [0, 1, 5, 19, 20, 500])
def test_the_tail_may_begin_in_the_archive_or_behind_it(stored: int, count: int) -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(20))
        await scene.archive.add(*archived(stored))
        reader = scene.reader(tail=count)
        wanted = min(count, 20)
        await reader.until(lambda r: len(r.ids) == wanted and bool(r.states))
        if not count:
            await scene.logs.until(lambda: scene.logs.followers == 1)
        scene.logs.write(*lines(3, 20))
        scene.finish()
        assert (await reader.done()).text == text(wanted + 3, 20 - wanted)
        assert (reader.gaps, reader.end.complete) == ([], True)
        await scene.archive.add(*archived(23 - stored, stored))
        await scene.archive.finish()
        asked = len(scene.logs.requests)
        closed = await scene.reader(tail=count).done()
        assert closed.text == text(min(count, 23), 23 - min(count, 23))
        assert len(scene.logs.requests) == asked

    play(script)


@pytest.mark.parametrize("stored", [0, 10, 20])
def test_since_begins_with_the_first_line_of_that_time(stored: int) -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        scene.logs.write(*lines(20))
        await scene.archive.add(*archived(stored))
        for place in (0, 7, 15):
            since = lines(1, place)[0].timestamp.decode()
            reader = await scene.reader(since=since, follow=False).done()
            assert reader.text == text(20 - place, place)
            assert reader.end.lines is None
        late = scene.reader(since=lines(1, 22)[0].timestamp.decode())
        await scene.logs.until(lambda: scene.logs.followers == 1)
        scene.logs.write(*lines(5, 20))
        scene.finish()
        assert (await late.done()).text == text(3, 22)

    play(script)


def test_a_slow_reader_catches_up_by_the_archive_and_costs_no_memory() -> None:
    async def script(scene: Scene) -> None:
        scene.run()
        slow = scene.open()
        given = [await anext(slow)]
        fast = scene.reader()
        for n in range(0, 1000, 50):
            scene.logs.write(*lines(50, n))
            await scene.archive.add(*archived(50, n))
            await fast.until(lambda r, n=n: len(r.ids) == n + 50)  # type: ignore[misc]
            if n == 0:
                given.append(await anext(slow))
            scene.logs.rotate()
        scene.finish()
        await fast.done()
        given += [item async for item in slow]
        late = Reader(given)
        assert (late.text, late.ids, late.end) == (fast.text, fast.ids, fast.end)

    play(script, keep_bytes=20_000)
