"""What a store does, asked of the real one before a real S3 server and of the one in memory alike.

Unit tests lean on the one in memory: where the two differ, those tests would show nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cijob_gateway.errors import Down
from cijob_gateway.logs.archivelogs import ArchivedLog, Where
from cijob_gateway.logs.logitems import Batch
from cijob_gateway.settings import S3Settings
from cijob_gateway.store import CHUNK_BYTES, Store
from kit.gateway import Minio
from kit.kubelet import stamp
from kit.objects import Archive, MemoryStore

pytestmark = pytest.mark.seam
Play = Callable[[Callable[[Store], Coroutine[Any, Any, None]]], None]


def settings(minio: Minio, bucket: str) -> S3Settings:
    return S3Settings(
        f"127.0.0.1:{minio.port}", secure=False, bucket=bucket, region="us-east-1",
        access_key="test", secret_key=minio.password,
    )  # fmt: skip


@pytest.fixture(params=["s3", "memory"])
def play(request: pytest.FixtureRequest, minio: Minio, tmp_path: Path) -> Play:
    """Run a script with a store that has nothing in it."""

    async def prepared() -> Store:
        store = Store(settings(minio, f"b{abs(hash(tmp_path))}"))
        async with asyncio.timeout(30):
            while True:
                try:
                    await store.prepare()
                except Down:
                    continue  # it is starting: the client itself waits between its tries
                store.trouble = ""
                return store

    async def run(script: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
        await script(MemoryStore() if request.param == "memory" else await prepared())

    return lambda script: asyncio.run(run(script))


async def bytes_of(store: Store, name: str, **part: int) -> bytes:
    return b"".join([chunk async for chunk in store.read(name, **part)])


def test_an_object_is_stored_with_its_notes_and_replaced_whole(play: Play) -> None:
    async def script(store: Store) -> None:
        await store.put("a/b", b"first", kind="text/plain", metadata={"lines": "7", "gap": "a b"})
        await store.put("a/b", b"second", kind="text/plain", metadata={"lines": "8"})
        content = await store.get("a/b")
        assert (content.content, content.metadata) == (b"second", {"lines": "8"})
        found = await store.find("a/b")
        assert found
        assert (found.name, found.size, found.metadata) == ("a/b", 6, {"lines": "8"})

    play(script)


def test_an_empty_object_can_be_stored(play: Play) -> None:
    async def script(store: Store) -> None:
        await store.put("index/x", b"", kind="text/plain")
        assert [one.name async for one in store.under("index/")] == ["index/x"]
        assert (await store.get("index/x")).content == b""

    play(script)


def test_any_part_of_an_object_can_be_read(play: Play) -> None:
    content = bytes(range(256)) * (CHUNK_BYTES // 100)

    async def script(store: Store) -> None:
        await store.put("large", content, kind="text/plain")
        assert await bytes_of(store, "large") == content
        assert await bytes_of(store, "large", start=1000) == content[1000:]
        size = len(content)
        for start, length in ((0, 1), (5, CHUNK_BYTES + 9), (size - 1, 1), (size - 5, 100)):
            got = await bytes_of(store, "large", start=start, length=length)
            assert got == content[start : start + length]

    play(script)


def test_what_is_not_there_is_a_missing_file(play: Play) -> None:
    async def script(store: Store) -> None:
        assert await store.find("nothing") is None
        with pytest.raises(FileNotFoundError):
            await store.get("nothing")
        with pytest.raises(FileNotFoundError):
            await bytes_of(store, "nothing")
        await store.remove("nothing")

    play(script)


def test_lists_are_in_the_order_of_names_and_can_begin_behind_one(play: Play) -> None:
    names = [f"n/index/{number:05}-x" for number in range(450)]

    async def script(store: Store) -> None:
        for name in (*reversed(names), "n/other", "m/index/0", "n/index-"):
            await store.put(name, b"x", kind="text/plain")
        assert [one.name async for one in store.under("n/index/")] == names
        behind = [one.name async for one in store.under("n/index/", after="n/index/00007--")]
        assert behind == names[7:]
        await store.remove(names[0])
        assert [one.name async for one in store.under("n/index/00000")] == []

    play(script)


def test_an_archive_is_read_back_from_any_line(play: Play) -> None:
    rows = [(stamp(n * 10**6), b"line %d\n" % n) for n in range(3000)]

    async def script(store: Store) -> None:
        archive = Archive(store, chunk_bytes=20_000)
        ids = []
        for start in range(0, 3000, 500):
            ids += await archive.add(*rows[start : start + 500])
        await archive.finish()
        for place in (None, 0, 1234, 2998):
            log = ArchivedLog(store, Where("ns", "1", 1))
            after = None if place is None else ids[place]
            batches = [item async for item in log.after(after) if isinstance(item, Batch)]
            got = [line for batch in batches for line in batch.content.ids(1)]
            assert got == ids[0 if place is None else place + 1 :]

    play(script)


def test_a_server_that_is_away_is_said(minio: Minio, tmp_path: Path) -> None:
    async def script() -> None:
        store = Store(settings(Minio(tmp_path, minio.program, port=1), "bucket"))
        for call in (store.find("a"), store.get("a"), bytes_of(store, "a")):
            with pytest.raises(Down):
                await call

    asyncio.run(script())
