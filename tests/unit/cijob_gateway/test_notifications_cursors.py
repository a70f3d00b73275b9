"""What was accepted is known to the next archiver; what was not, too."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from cijob_gateway.archiver.uploads import Bucket
from cijob_gateway.notifications.cursors import Cursor, cursor_name
from cijob_kube.errors import LeaseLost
from kit.objects import MemoryStore

NAME = "team/job/u-1/notified.json"
KNOWN = ["queued", "started.1", "finished"]


def bucket(store: MemoryStore) -> Bucket:
    return Bucket(store, asyncio.Semaphore(2), lambda: None)


async def load(store: MemoryStore) -> Cursor:
    return await Cursor.load(bucket(store), "team", "u-1")


def test_it_lies_with_the_job_s_archive_so_that_it_is_swept_with_it() -> None:
    assert cursor_name("team", "u-1") == NAME


def test_a_job_that_nobody_was_told_of_has_none() -> None:
    store = MemoryStore()
    assert asyncio.run(load(store)).of("chat") == {}
    assert store.asked == [f"get {NAME}"]


def test_the_next_archiver_knows_what_was_settled() -> None:
    async def run() -> None:
        store = MemoryStore()
        cursor = await load(store)
        await cursor.settle("chat", {"queued": "accepted"}, known=KNOWN)
        await cursor.settle("commit", {"queued": "given up"}, known=KNOWN)
        await cursor.settle("chat", {"started.1": "accepted"}, known=KNOWN)
        again = await load(store)
        assert again.of("chat") == {"queued": "accepted", "started.1": "accepted"}
        assert again.of("commit") == {"queued": "given up"}
        assert again.of("other") == {}
        assert len([one for one in store.asked if one.startswith("put")]) == 3

    asyncio.run(run())


def test_it_does_not_grow_with_the_attempts() -> None:
    async def run() -> None:
        store = MemoryStore()
        cursor = await load(store)
        for number in range(1, 200):
            last_ten = [f"started.{n}" for n in range(number - 9, number + 1)]
            await cursor.settle("chat", {f"started.{number}": "accepted"}, known=last_ten)
        assert len(cursor.of("chat")) == 10
        assert len(store.objects[NAME].content) < 400

    asyncio.run(run())


class SlowStore(MemoryStore):
    """A store whose writes take a while."""

    async def put(
        self, name: str, content: bytes, *, kind: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        await asyncio.sleep(0)
        await super().put(name, content, kind=kind, metadata=metadata)


def test_sinks_that_come_at_a_time_share_a_write() -> None:
    async def run() -> None:
        store = SlowStore()
        cursor = await load(store)
        async with asyncio.TaskGroup() as tasks:
            for n in range(20):
                tasks.create_task(cursor.settle(f"s{n}", {"queued": "accepted"}, known=KNOWN))
        assert json.loads(store.objects[NAME].content).keys() == {f"s{n}" for n in range(20)}
        assert len([one for one in store.asked if one.startswith("put")]) == 2

    asyncio.run(run())


@pytest.mark.process
def test_a_store_that_is_away_is_waited_for() -> None:
    async def run() -> None:
        store = MemoryStore()
        store.failures = 1
        cursor = await load(store)
        store.failures = 1
        await cursor.settle("chat", {"queued": "accepted"}, known=KNOWN)
        assert (await load(store)).of("chat") == {"queued": "accepted"}

    asyncio.run(run())


def test_who_does_not_lead_writes_nothing() -> None:
    def check() -> None:
        raise LeaseLost("another leads")

    async def run() -> None:
        store = MemoryStore()
        cursor = Cursor(Bucket(store, asyncio.Semaphore(2), check), NAME, {})
        with pytest.raises(LeaseLost):
            await cursor.settle("chat", {"queued": "accepted"}, known=KNOWN)
        assert store.objects == {}

    asyncio.run(run())


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b'{"chat": 1}'])
def test_one_that_cannot_be_read_is_said(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        store = MemoryStore()
        await store.put(NAME, content, kind="application/json")
        assert (await load(store)).of("chat") == {}

    asyncio.run(run())
    assert "cannot be read" in caplog.text
