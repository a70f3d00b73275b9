"""A log on its way from the Pod into the bucket: whole, or said to be incomplete."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cijob_api.lines import Ordinals
from cijob_gateway.archiver import attempts
from cijob_gateway.archiver.attempts import Subject, Tools, archive
from cijob_gateway.archiver.spools import Spool
from cijob_gateway.archiver.uploads import Bucket, Log
from cijob_gateway.logs.archive import End, Notes, chunk_name, end_name, parse
from cijob_kube.errors import LeaseLost
from kit.kubelet import SECOND, Entry
from kit.logserver import LogServer, Plan, PodLogs
from kit.objects import MemoryStore

pytestmark = pytest.mark.process

LOG = Log("ci", "uid", 1)


def lines(count: int, start: int = 0) -> list[Entry]:
    """So many lines, a tenth of a second apart."""
    return [Entry(n * SECOND // 10, b"line %d\n" % n) for n in range(start, start + count)]


def text(count: int, start: int = 0) -> bytes:
    """What they say."""
    return b"".join(entry.text for entry in lines(count, start))


class Scene:
    """A Pod's log, a bucket, and an archiver between them."""

    def __init__(self, server: LogServer, pod: PodLogs, folder: Path) -> None:
        self.pod = pod
        self.store = MemoryStore()
        self.ended = asyncio.Event()
        self.leads = True
        self.started_at: str | None = None
        self._api = server.api
        self._folder = folder

    def exit(self) -> None:
        """The container ends."""
        self.pod.exit()
        self.ended.set()

    async def archive(self, *, fresh: bool = False, begun: bool = True) -> End:
        """Archive the log to its end."""
        bucket = Bucket(self.store, asyncio.Semaphore(2), self._check, flush_seconds=0.02)
        self.spool = Spool(self._folder / "spool", 2**20)
        tools = Tools(self._api, bucket, self.spool)
        subject = Subject(
            LOG, "pod", self.ended, begun=begun, fresh=fresh, started_at=self.started_at
        )
        return await archive(tools, subject)

    async def killed_after(self, written: int) -> None:
        """Archive until so much of what the job wrote is stored, then be killed."""
        work = asyncio.create_task(self.archive())
        while len(self.stored) < written:  # noqa: ASYNC110 (the bucket tells nobody)
            await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.wait({work})

    @property
    def stored(self) -> bytes:
        """What is in the bucket of what the job wrote."""
        ordinals, found = Ordinals(), b""
        for name, content in sorted(self.store.objects.items()):
            if name.rpartition("/")[2].isdecimal():
                found += b"".join(parse(content.content, ordinals).texts)
        return found

    def _check(self) -> None:
        if not self.leads:
            raise LeaseLost("another process leads")


def play(folder: Path, script: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a script."""

    async def run() -> None:
        pod = PodLogs()
        async with LogServer.serving(pod) as server, asyncio.timeout(20):
            await script(Scene(server, pod, folder))

    asyncio.run(run())


def whole(written: bytes) -> End:
    """What a log comes to that has everything."""
    digest = hashlib.sha256(written).hexdigest()
    return End(lines=written.count(b"\n"), bytes=len(written), sha256=digest, complete=True)


@pytest.mark.parametrize("count", [0, 1, 2000])
def test_a_log_is_stored_with_what_it_came_to(tmp_path: Path, count: int) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(count))
        scene.exit()
        assert await scene.archive() == whole(text(count))
        assert scene.stored == text(count)
        end = scene.store.objects[end_name("ci", "uid", 1)]
        assert End.model_validate_json(end.content) == whole(text(count))

    play(tmp_path, script)


def test_a_chunk_says_what_is_in_it(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(20))
        scene.exit()
        await scene.archive()
        stored = scene.store.objects[chunk_name("ci", "uid", 1, 0)]
        notes = Notes.parse(stored.metadata)
        ids = list(parse(stored.content, Ordinals()).ids(1))
        assert (notes.first, notes.last, notes.lines, notes.bytes) == (ids[0], ids[-1], 0, 0)

    play(tmp_path, script)


def test_what_was_archived_is_not_read_again(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(3))
        scene.exit()
        end = await scene.archive()
        asked = len(scene.pod.requests)
        assert await scene.archive() == end
        assert len(scene.pod.requests) == asked

    play(tmp_path, script)


def test_of_a_log_that_cannot_be_there_nothing_is_asked(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.gone = True
        scene.ended.set()
        assert await scene.archive(begun=False) == whole(b"")

    play(tmp_path, script)


def test_an_archiver_goes_on_behind_the_last_line_that_is_stored(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(500))
        await scene.killed_after(len(text(500)))
        scene.pod.write(*lines(500, start=500))
        scene.exit()
        assert await scene.archive() == whole(text(1000))
        assert scene.stored == text(1000)
        assert "sinceTime" in scene.pod.requests[-1]

    play(tmp_path, script)


def test_a_pod_that_is_gone_leaves_what_it_wrote_until_then(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(100))
        await scene.killed_after(len(text(100)))
        scene.pod.gone = True
        scene.ended.set()
        end = await scene.archive()
        assert (end.lines, end.bytes, end.complete) == (100, len(text(100)), False)
        assert end.sha256 == hashlib.sha256(text(100)).hexdigest()
        assert end.message == "Pod pod is gone, and the rest of its log with it"

    play(tmp_path, script)


def test_a_log_that_its_node_refuses_for_a_while_is_stored_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = replace(attempts.PATIENT, first=0.0005, most=0.002)
    monkeypatch.setattr(attempts, "PATIENT", hasty)

    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(10))
        refusal = Plan(status=400, message="unable to retrieve container logs for containerd://1")
        scene.pod.plans.extend([refusal] * 5 * hasty.tries)
        scene.exit()
        assert await scene.archive() == whole(text(10))

    play(tmp_path, script)


def test_a_gap_is_said_also_by_the_archiver_after_the_one_that_saw_it(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(100))
        await scene.killed_after(len(text(100)))
        scene.pod.rotate()
        scene.pod.write(*lines(100, start=900))
        await scene.killed_after(len(text(100)) + len(text(100, start=900)))
        scene.exit()
        end = await scene.archive()
        assert (end.lines, end.complete) == (200, False)
        assert end.message
        assert "is not in the log any more" in end.message
        gaps = [Notes.parse(c.metadata).gap for c in scene.store.objects.values() if c.metadata]
        assert ["is not in the log" in gap for gap in gaps] == [False, True]

    play(tmp_path, script)


def test_an_object_store_that_is_away_costs_no_line(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(50))
        scene.exit()
        scene.store.failures = 2
        assert await scene.archive(fresh=True) == whole(text(50))
        assert scene.stored == text(50)

    play(tmp_path, script)


def test_a_log_that_is_opened_late_says_that_its_beginning_may_be_missing(tmp_path: Path) -> None:
    year = 365 * 86400 * 10  # in tenths of a second: whoever reads this is late

    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(100, -10 * year))
        scene.exit()
        scene.started_at = "2015-01-01T12:00:00Z"
        end = await scene.archive()
        assert (end.lines, end.complete) == (100, False)
        assert (end.message or "").startswith(
            "the first lines may be missing: the container started at 2015"
        )
        (notes,) = [Notes.parse(c.metadata) for c in scene.store.objects.values() if c.metadata]
        assert notes.gap == end.message

    play(tmp_path, script)


def test_what_a_full_spool_has_cost_is_said(tmp_path: Path) -> None:
    long_ago = -(10**9)  # in tenths of a second: whoever reads this is late

    def long_lines(start: int, count: int = 1500) -> list[Entry]:  # more than the spool takes
        whens = range(long_ago + start, long_ago + start + count)
        return [Entry(when * SECOND // 10, b"%d %b\n" % (when, b"x" * 1000)) for when in whens]

    first, second, third = long_lines(0), long_lines(1500), long_lines(3000)

    async def script(scene: Scene) -> None:
        scene.store.trouble = "away"
        scene.pod.write(first[0])
        work = asyncio.create_task(scene.archive(fresh=True))
        while not scene.store.asked:  # noqa: ASYNC110 (the bucket tells nobody)
            await asyncio.sleep(0.01)
        scene.pod.write(*first[1:])
        for file in (second, third):  # at once: the follow is not at the end of the first by then
            scene.pod.rotate()
            scene.pod.write(*file)
        while scene.spool.fits(scene.spool.used):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        scene.store.trouble = ""
        scene.exit()
        end = await work
        assert scene.stored == b"".join(entry.text for entry in (*first, *third))
        assert (end.lines, end.complete) == (3000, False)
        assert "lines are missing here" in (end.message or "")
        assert "the object store took nothing and the spool was full" in (end.message or "")

    play(tmp_path, script)


def test_chunks_that_the_store_has_lost_are_told_at_the_end(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(50))
        work = asyncio.create_task(scene.archive())
        while not scene.stored:  # noqa: ASYNC110 (the bucket tells nobody)
            await asyncio.sleep(0.01)
        scene.store.objects.clear()
        scene.exit()
        end = await work
        assert not end.complete
        assert end.message
        assert "lines are missing" in end.message

    play(tmp_path, script)


def test_who_leads_no_more_stores_nothing(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.pod.write(*lines(5))
        scene.exit()
        scene.leads = False
        with pytest.raises(ExceptionGroup) as raised:
            await scene.archive()
        assert raised.group_contains(LeaseLost)
        assert not [asked for asked in scene.store.asked if asked.startswith("put")]

    play(tmp_path, script)
