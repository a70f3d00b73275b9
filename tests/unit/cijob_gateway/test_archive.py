"""Names in the bucket, and lines as they stand in a chunk: what is written is what is read."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_api.lines import LineId, Lines, Ordinals
from cijob_gateway.logs.archive import (
    Chunk,
    Corrupt,
    Entry,
    Notes,
    chunk_name,
    chunk_of,
    compose,
    list_attempts,
    parse,
)
from cijob_gateway.store import Stored
from kit.objects import Archive, MemoryStore

UID = "8d6a1a3e-6a0e-4b7e-9d0e-0a6f0c5a2b11"
STAMPS = [f"2026-01-31T12:00:0{second}.123456789Z".encode() for second in range(3)]
TEXTS = st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"") + b"\n")


def lines_of(rows: list[tuple[bytes, bytes]]) -> Lines:
    stamps = tuple(stamp for stamp, _ in rows)
    return Lines(stamps, Ordinals().number(stamps), tuple(text for _, text in rows))


@given(st.lists(st.tuples(st.sampled_from(STAMPS), TEXTS)), st.data())
def test_chunks_give_the_lines_and_ids_that_were_written(
    rows: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    lines = lines_of(rows)
    cut = data.draw(st.integers(0, len(rows)))
    ordinals = Ordinals()
    read = [parse(compose(part), ordinals) for part in (lines.part(0, cut), lines.part(cut))]
    assert [row for part in read for row in part.rows()] == list(lines.rows())


def test_the_last_line_of_a_chunk_may_have_no_newline() -> None:
    lines = lines_of([(STAMPS[0], b"whole\n"), (STAMPS[1], b"the job's last words")])
    assert list(parse(compose(lines), Ordinals()).rows()) == list(lines.rows())


@pytest.mark.parametrize("content", [b"no timestamp\n", b"\n", compose(lines_of([])) + b"x"])
def test_what_is_no_line_is_corrupt(content: bytes) -> None:
    with pytest.raises(Corrupt):
        parse(content, Ordinals())


def test_words_between_lines_are_corrupt() -> None:
    line = compose(lines_of([(STAMPS[0], b"text\n")]))
    with pytest.raises(Corrupt):
        parse(line + b"short\n" + line, Ordinals())


def test_the_names_of_chunks_sort_as_their_offsets() -> None:
    names = [chunk_name("ci", UID, 1, offset) for offset in (0, 9, 10, 4_194_311, 10**12)]
    assert names == sorted(names)


def test_a_chunk_is_read_back_from_its_name() -> None:
    name = chunk_name("ci", UID, 12, 4_194_311)
    stored = Stored(name, 500, datetime.now(UTC))
    assert chunk_of(stored) == Chunk(name, attempt=12, offset=4_194_311, size=500)


@pytest.mark.parametrize(
    "name", [f"ci/job/{UID}/log/1/end.json", f"ci/job/{UID}/final.json", "ci/source/00.zip"]
)
def test_other_objects_are_no_chunks(name: str) -> None:
    assert chunk_of(Stored(name, 1, datetime.now(UTC))) is None


def test_notes_survive_the_metadata_of_an_object() -> None:
    first = LineId(2, STAMPS[0].decode(), 0)
    notes = Notes(first, LineId(2, STAMPS[1].decode(), 7), lines=1000, bytes=123_456, gap="a gap")
    assert Notes.parse(notes.metadata()) == notes
    assert "gap" not in Notes(first, first, 0, 0).metadata()


def test_words_of_a_gap_fit_into_a_header() -> None:
    first = LineId(1, STAMPS[0].decode(), 0)
    gap = Notes(first, first, 0, 0, gap="Pod “x”\nis gone " + "y" * 5000).metadata()["gap"]
    assert gap.isascii()
    assert gap.isprintable()
    assert len(gap) <= 1000


def test_metadata_of_something_else_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        Notes.parse({"first": "1", "last": "2"})


def test_the_index_lists_the_newest_job_first() -> None:
    old = Entry.of("ci", "a-job", UID, datetime(2026, 1, 31, tzinfo=UTC))
    new = Entry.of("ci", "b-job", UID, datetime(2026, 2, 1, tzinfo=UTC))
    assert sorted([old.object_name, new.object_name]) == [new.object_name, old.object_name]
    assert Entry.parse(old.object_name) == old


@pytest.mark.parametrize("name", ["ci/index/", "ci/index/12-x-y", f"ci/job/{UID}/final.json"])
def test_other_objects_are_no_entries(name: str) -> None:
    assert Entry.parse(name) is None


def test_attempts_of_which_something_is_stored_are_listed() -> None:
    async def run() -> None:
        store = MemoryStore()
        for number in (1, 2, 12):
            await Archive(store, uid=UID, attempt=number).finish()
        await Archive(store, uid=UID, attempt=3).add((STAMPS[0], b"x\n"))
        await Archive(store, uid="another", attempt=4).finish()
        assert await list_attempts(store, "ns", UID) == {1, 2, 3, 12}

    asyncio.run(run())
