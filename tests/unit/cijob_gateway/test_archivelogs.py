"""The archive of a log, read from any place in it."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from cijob_api.lines import LineId
from cijob_gateway.errors import Down
from cijob_gateway.logs import archivelogs, portions
from cijob_gateway.logs.archive import Corrupt
from cijob_gateway.logs.archivelogs import ArchivedLog, Where
from cijob_gateway.logs.logitems import Batch, Gap
from kit.kubelet import stamp
from kit.objects import Archive, MemoryStore

Row = tuple[bytes, bytes]
LINE = 10**8


def rows(count: int, start: int = 0) -> list[Row]:
    """Lines a tenth of a second apart."""
    return [(stamp(n * LINE), b"line %d\n" % n) for n in range(start, start + count)]


def at(nanoseconds: int, text: bytes) -> Row:
    return stamp(nanoseconds), text


def text_of(lines: list[Row]) -> bytes:
    return b"".join(text for _, text in lines)


class Reading:
    """What was read, and how."""

    def __init__(self, items: list[Batch | Gap]) -> None:
        batches = [item for item in items if isinstance(item, Batch)]
        self.text = b"".join(line for batch in batches for line in batch.lines)
        self.ids = [i for batch in batches for i in batch.content.ids(batch.attempt)]
        self.gaps = [item.message for item in items if isinstance(item, Gap)]
        self.items = items


async def read(items: AsyncGenerator[Batch | Gap]) -> Reading:
    return Reading([item async for item in items])


class Scene:
    """An archive and somebody who reads it."""

    def __init__(self, chunk_bytes: int = 200) -> None:
        self.store = MemoryStore()
        self.archive = Archive(self.store, chunk_bytes=chunk_bytes)
        self.log = self.reader()

    def reader(self) -> ArchivedLog:
        return ArchivedLog(self.store, Where("ns", "1", 1))

    @property
    def chunks(self) -> int:
        return sum(name.rpartition("/")[2].isdigit() for name in self.store.objects)


def play(script: Callable[[Scene], Awaitable[None]], **how: int) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await script(Scene(**how))
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of a few lines, so that a few lines show what many would."""
    monkeypatch.setattr(portions, "PORTION_BYTES", 100)
    monkeypatch.setattr(archivelogs, "BEFORE_BYTES", 300)


# -- from a line on ----------------------------------------------------------------------------


def test_an_archive_is_read_from_the_start_with_the_ids_that_the_log_has() -> None:
    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*rows(100))
        await scene.archive.finish()
        reading = await read(scene.log.after(None))
        assert scene.chunks > 10
        assert (reading.text, reading.ids) == (text_of(rows(100)), ids)
        assert scene.log.found
        assert scene.log.end

    play(script)


def test_nothing_archived_is_nothing() -> None:
    async def script(scene: Scene) -> None:
        assert (await read(scene.log.after(None))).items == []
        assert scene.log.end is None
        line = LineId.parse("1.2026-03-01T12:00:00.000000000Z.0")
        assert (await read(scene.log.after(line))).items == []
        assert not scene.log.found
        assert await scene.log.count() == 0
        assert await scene.log.last() is None

    play(script)


@pytest.mark.parametrize("chunk_bytes", [1, 40, 200, 100_000])
def test_any_line_can_be_read_on_from(chunk_bytes: int) -> None:
    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*rows(30))
        for place, line in enumerate(ids):
            reading = await read(scene.reader().after(line))
            assert reading.ids == ids[place + 1 :]

    play(script, chunk_bytes=chunk_bytes)


@pytest.mark.parametrize("chunk_bytes", [1, 40, 200])
def test_equal_timestamps_keep_their_numbers_across_chunks(chunk_bytes: int) -> None:
    times = [1, 2, 2, 2, 5, 4, 5, 4, 5, 6, 6, 6, 6, 9, 8, 9, 8]
    given = [at(time, b"%d\n" % n) for n, time in enumerate(times)]

    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*given)
        await scene.archive.finish()
        assert len(set(ids)) == len(given)
        for place, line in enumerate(ids):
            reading = await read(scene.reader().after(line))
            assert reading.ids == ids[place + 1 :]
            assert reading.text == text_of(given[place + 1 :])

    play(script, chunk_bytes=chunk_bytes)


def test_pieces_of_one_endless_line_are_found_though_no_newline_parts_them() -> None:
    given = [at(1, b"x" * 150) for _ in range(5)] + [at(1, b"end\n"), at(2, b"more\n")]

    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*given)
        assert [line.k for line in ids] == [0, 1, 2, 3, 4, 5, 0]
        for place, line in enumerate(ids):
            reading = await read(scene.reader().after(line))
            assert reading.ids == ids[place + 1 :]
            assert reading.text == text_of(given[place + 1 :])

    play(script)


def test_a_line_from_before_the_clock_was_set_back_is_found() -> None:
    given = [*[at((n + 1000) * LINE, b"%d\n" % n) for n in range(60)], *rows(60)]

    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*given)
        await scene.archive.finish()
        for place in range(0, 120, 7):
            assert (await read(scene.reader().after(ids[place]))).ids == ids[place + 1 :]

    play(script)


def test_a_line_that_is_not_archived_yet_costs_no_reading() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*rows(100))
        ahead = LineId(1, rows(1, 100)[0][0].decode(), 0)
        assert (await read(scene.log.after(ahead))).items == []
        assert not scene.log.found
        assert not any(asked.startswith("read") for asked in scene.store.asked)

    play(script)


def test_a_line_that_never_was_is_not_found_and_nothing_is_given() -> None:
    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*rows(100))
        never = LineId(1, ids[50].timestamp, 7)
        assert (await read(scene.log.after(never))).items == []
        assert not scene.log.found

    play(script)


def test_what_grows_is_read_on_where_it_ended() -> None:
    async def script(scene: Scene) -> None:
        seen: list[LineId] = []
        for n in range(0, 50, 5):
            await scene.archive.add(*rows(5, n))
            seen += (await read(scene.log.after(seen[-1] if seen else None))).ids
            assert len(seen) == n + 5
        assert len(set(seen)) == 50
        await scene.archive.finish()
        assert (await read(scene.log.after(seen[-1]))).ids == []
        assert scene.log.found

    play(script)


def test_only_a_few_chunks_are_asked_for_to_find_a_place() -> None:
    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*rows(1000))
        await scene.archive.finish()
        scene.store.asked.clear()
        await read(scene.log.after(ids[-3]))
        assert scene.chunks > 150
        assert sum(asked.startswith("find") for asked in scene.store.asked) < 15
        assert sum(asked.startswith("read") for asked in scene.store.asked) < 10

    play(script)


def test_a_gap_is_told_where_it_is() -> None:
    async def script(scene: Scene) -> None:
        before = await scene.archive.add(*rows(10))
        await scene.archive.lose("the node kept the newest file only")
        await scene.archive.add(*rows(10, 20))
        await scene.archive.finish(complete=False, message="lines are missing")
        reading = await read(scene.log.after(None))
        assert reading.gaps == ["the node kept the newest file only"]
        place = next(n for n, item in enumerate(reading.items) if isinstance(item, Gap))
        assert Reading(reading.items[:place]).ids == before
        assert (await read(scene.log.after(before[-1]))).gaps == reading.gaps
        assert (await read(scene.log.after(reading.ids[12]))).gaps == []

    play(script)


# -- from elsewhere ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 7, 50, 98, 99, 100])
def test_lines_are_read_from_a_number_on(number: int) -> None:
    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*rows(100))
        await scene.log.look()
        assert (await scene.log.count(), await scene.log.last()) == (100, ids[-1])
        assert (await read(scene.log.from_line(number))).ids == ids[number:]

    play(script)


def test_lines_since_a_time_are_read_from_its_chunk_on() -> None:
    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*rows(100))
        for place in (0, 3, 55, 99):
            reading = await read(scene.log.from_time(ids[place].timestamp))
            assert set(ids[place:]) <= set(reading.ids)
            assert reading.ids == ids[-len(reading.ids) :]
            assert len(reading.ids) < 100 - place + 20

    play(script)


def test_any_range_of_the_jobs_own_bytes_can_be_read() -> None:
    given = [*rows(30), at(10**10, b"y" * 500 + b"\n"), at(2 * 10**10, b"no newline")]
    whole = text_of(given)

    async def script(scene: Scene) -> None:
        await scene.archive.add(*given)
        end = await scene.archive.finish()
        assert (end.bytes, end.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        await scene.log.look()
        for start in range(0, len(whole), 37):
            for stop in (start, start + 1, start + 90, len(whole)):
                got = b"".join([part async for part in scene.log.text(start, stop)])
                assert got == whole[start:stop]

    play(script)


def test_a_text_that_looks_like_a_timestamp_stays() -> None:
    given = [(time, time + b" " + text) for time, text in rows(5)]

    async def script(scene: Scene) -> None:
        await scene.archive.add(*given)
        await scene.log.look()
        assert b"".join([part async for part in scene.log.text(0, 10**6)]) == text_of(given)
        assert (await read(scene.log.after(None))).text == text_of(given)

    play(script)


# -- when it cannot be read --------------------------------------------------------------------


def test_a_store_that_is_away_is_said() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*rows(10))
        scene.store.trouble = "the object store cannot be reached"
        with pytest.raises(Down, match="cannot be reached"):
            await read(scene.log.after(None))

    play(script)


def test_a_store_that_goes_away_in_the_middle_is_said_behind_what_was_read() -> None:
    async def script(scene: Scene) -> None:
        ids = await scene.archive.add(*rows(100))
        scene.store.reads_left = 5
        given: list[Batch | Gap] = []

        async def take() -> None:
            async for item in scene.log.after(None):
                given.append(item)  # noqa: PERF401 (what came before the error counts)

        with pytest.raises(Down):
            await take()
        scene.store.trouble, scene.store.reads_left = "", None
        half = Reading(given).ids
        assert 0 < len(half) < 100
        assert half + (await read(scene.log.after(half[-1]))).ids == ids

    play(script)


def test_a_chunk_that_is_not_lines_is_said() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*rows(3))
        [name] = scene.store.objects
        await scene.store.put(name, b"anything\n" * 5, kind="x", metadata={})
        with pytest.raises(Corrupt):
            await read(scene.log.after(None))

    play(script)


def test_whoever_stops_in_the_middle_leaves_nothing_behind() -> None:
    async def script(scene: Scene) -> None:
        await scene.archive.add(*rows(100))
        items = scene.log.after(None)
        await anext(items)
        await items.aclose()

    play(script)
