"""What is not stored yet, on disk: chunk by chunk, and never too much."""

import asyncio
from pathlib import Path

import pytest

from cijob_api.lines import LONGEST, Lines, Ordinals
from cijob_gateway.archiver.spools import LEAST_BYTES, LogSpool, Segment, Spool
from cijob_gateway.logs.archive import CHUNK_BYTES, PREFIX_BYTES, Notes, compose, parse
from cijob_gateway.logs.logitems import Batch

MIB = 2**20


def batch(*texts: bytes, second: int = 0) -> Batch:
    """Lines, each with a time of its own."""
    stamps = [b"2026-01-31T12:00:%02d.%09dZ" % (second, n) for n in range(len(texts))]
    return Batch(1, Lines(tuple(stamps), Ordinals().number(stamps), texts))


def stored(spool: LogSpool) -> list[Segment]:
    """Take everything out, as if it had been stored."""
    found = []
    while segment := spool.next:
        segment.content = segment.read(segment.size)  # type: ignore[attr-defined]
        found.append(segment)
        spool.stored(segment, segment.size)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_lines_come_out_as_they_went_in(folder: Path) -> None:
    spool = LogSpool(Spool(folder, MIB))
    first, second = batch(b"one\n", b"two\n"), batch(b"three\n", second=1)
    spool.add(first)
    spool.add(second)
    segment = spool.next
    assert segment
    assert segment.read(segment.size) == compose(first.content) + compose(second.content)
    expected = Notes(first.content.id_of(0, 1), second.last, lines=0, bytes=0)
    assert segment.notes == expected
    assert (spool.lines, spool.bytes) == (3, len(b"one\ntwo\nthree\n"))
    assert spool.offset == segment.size


def test_a_full_chunk_is_followed_by_the_next_which_begins_with_a_line(folder: Path) -> None:
    spool = LogSpool(Spool(folder, 64 * MIB))
    for second in range(50):
        spool.add(batch(*[b"x" * 999 + b"\n"] * 200, second=second))
    spool.finish()
    offset = lines = 0
    for segment in stored(spool):
        assert (segment.offset, segment.lines_before) == (offset, lines)
        assert segment.bytes_before == lines * 1000
        assert segment.size < CHUNK_BYTES + 300_000
        offset += segment.size
        lines += segment.size // (1000 + PREFIX_BYTES)
    assert (offset, lines) == (spool.offset, 10_000)


def test_a_line_without_a_newline_ends_its_chunk(folder: Path) -> None:
    spool = LogSpool(Spool(folder, 64 * MIB))
    spool.add(batch(b"y" * LONGEST))
    spool.add(batch(b"the rest of it\n", second=1))
    spool.finish()
    contents = [segment.content for segment in stored(spool)]  # type: ignore[attr-defined]
    ordinals = Ordinals()
    texts = [text for content in contents for text in parse(content, ordinals).texts]
    assert texts == [b"y" * LONGEST, b"the rest of it\n"]


def test_a_gap_begins_a_chunk_that_says_so(folder: Path) -> None:
    spool = LogSpool(Spool(folder, MIB))
    spool.add(batch(b"before\n"))
    spool.gap("lines are missing")
    spool.add(batch(b"behind\n", second=1))
    spool.add(batch(b"and on\n", second=2))
    spool.finish()
    assert [segment.gap for segment in stored(spool)] == ["", "lines are missing"]


def test_what_is_stored_takes_no_room(folder: Path) -> None:
    whole = Spool(folder, MIB)
    spool = LogSpool(whole)
    spool.add(batch(b"x\n"))
    assert whole.used == PREFIX_BYTES + 2
    spool.finish()
    stored(spool)
    assert (whole.used, list(folder.iterdir())) == (0, [])


def test_a_log_that_is_left_in_the_middle_takes_no_room(folder: Path) -> None:
    whole = Spool(folder, MIB)
    spool = LogSpool(whole)
    spool.add(batch(b"x\n"))
    spool.aclose()
    assert (whole.used, whole.logs, list(folder.iterdir())) == (0, 0, [])


def test_an_open_chunk_is_kept_until_it_is_full(folder: Path) -> None:
    spool = LogSpool(Spool(folder, MIB))
    spool.add(batch(b"one\n"))
    stored(spool)
    assert spool.next is None
    spool.add(batch(b"two\n", second=1))
    (segment,) = stored(spool)
    assert parse(segment.content, Ordinals()).texts == (b"one\n", b"two\n")  # type: ignore[attr-defined]


def test_an_archiver_goes_on_in_the_chunk_that_another_left_open(folder: Path) -> None:
    left = batch(b"one\n", b"two\n")
    content = compose(left.content)
    notes = Notes(left.content.id_of(0, 1), left.last, lines=10, bytes=100)
    spool = LogSpool(Spool(folder, MIB))
    spool.resume(content, notes, offset=5000)
    assert (spool.lines, spool.bytes, spool.offset) == (12, 108, 5000 + len(content))
    assert spool.next is None
    spool.add(batch(b"three\n", second=1))
    (segment,) = stored(spool)
    assert (segment.offset, segment.lines_before, segment.bytes_before) == (5000, 10, 100)
    assert segment.content.startswith(content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("last", [b"x" * CHUNK_BYTES + b"\n", b"no newline"])
def test_a_chunk_that_is_closed_is_not_gone_on_in(folder: Path, last: bytes) -> None:
    left = batch(last)
    content = compose(left.content)
    spool = LogSpool(Spool(folder, MIB))
    spool.resume(content, Notes(left.last, left.last, 0, 0), offset=0)
    spool.add(batch(b"next\n", second=1))
    (segment,) = stored(spool)
    assert (segment.offset, segment.lines_before) == (len(content), 1)


def test_one_log_cannot_take_the_room_of_all(folder: Path) -> None:
    whole = Spool(folder, 8 * MIB)
    greedy, modest = LogSpool(whole), LogSpool(whole)
    line = batch(b"x" * 99_999 + b"\n")
    while not greedy.is_full:
        greedy.add(line)
    assert whole.used < 4 * MIB
    while not modest.is_full:
        modest.add(line)
    assert whole.used < 8 * MIB


def test_a_full_spool_leaves_every_log_a_little(folder: Path) -> None:
    whole = Spool(folder, 1)
    spool = LogSpool(whole)
    line = batch(b"x" * 99_999 + b"\n")
    while not spool.is_full:
        spool.add(line)
    assert LEAST_BYTES <= whole.used < LEAST_BYTES + 200_000


def test_who_waits_for_room_goes_on_when_the_store_has_taken_some(folder: Path) -> None:
    async def run() -> None:
        spool = LogSpool(Spool(folder, 1))
        while not spool.is_full:
            spool.add(batch(b"x" * 99_999 + b"\n"))
        waiting = asyncio.create_task(spool.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        assert spool.urgent.is_set()
        stored(spool)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


def test_what_a_killed_process_left_is_removed(folder: Path) -> None:
    folder.mkdir()
    (folder / "0").write_bytes(b"left")
    Spool(folder, MIB)
    assert list(folder.iterdir()) == []
