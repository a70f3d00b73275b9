"""Line ids and places in a log: the same for everybody who reads it, from wherever."""

import re
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_api import lines
from cijob_api.lines import (
    LineId,
    Lines,
    Ordinals,
    Parser,
    Resume,
    columns,
    seconds_between,
)
from kit.kubelet import SECOND, Entry, served, stamp

T0 = "2026-03-01T12:00:00.000000000Z"
T1 = "2026-03-01T12:00:00.000000001Z"


def parse(*chunks: bytes) -> tuple[list[tuple[str, bytes]], str]:
    """Every line with its id, the last one without newline too, and words that are no line."""
    parser = Parser()
    parts = [*map(parser.feed, chunks), parser.finish()]
    found = [(str(i), t) for p in parts for i, t in zip(p.ids(1), p.texts, strict=True)]
    return found, parser.strange.decode()


def only(*chunks: bytes) -> list[tuple[str, bytes]]:
    """The same, of an answer that is lines and nothing else."""
    found, strange = parse(*chunks)
    assert strange == ""
    return found


# -- lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"hello\n",
        b"\n",
        b" \n",
        b"no newline",
        b"50 %\r100 %\r\n",
        b"\x00\xff\xfe not UTF-8 \x80\n",
        b"2026-03-01T12:00:00.000000000Z a line that looks like two\n",
        b"x" * (5 * 1024 * 1024) + b"\n",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_line_is_what_the_job_wrote_byte_by_byte(text: bytes) -> None:
    assert only(f"{T0} ".encode() + text) == [(f"1.{T0}.0", text)]


def test_an_empty_answer_has_no_lines() -> None:
    assert parse() == ([], "")
    assert parse(b"") == ([], "")


def test_equal_timestamps_are_counted() -> None:
    log = b"".join(f"{t} {n}\n".encode() for n, t in enumerate([T0, T1, T0, T0, T1]))
    assert [i for i, _ in only(log)] == [
        f"1.{T0}.0",
        f"1.{T1}.0",
        f"1.{T0}.1",
        f"1.{T0}.2",
        f"1.{T1}.1",
    ]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-01T12:00:00.000000001Z", "2026-03-01T12:00:00.000000001Z"),
        ("2026-03-01T14:00:00.000000001+02:00", "2026-03-01T12:00:00.000000001Z"),
        ("2026-02-28T19:15:00.5-05:30", "2026-03-01T00:45:00.500000000Z"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000000Z"),
    ],
)
def test_timestamps_are_ids_in_utc_with_nine_digits(written: str, utc: str) -> None:
    assert only(f"{written} x\n".encode()) == [(f"1.{utc}.0", b"x\n")]


def test_a_change_of_the_node_s_time_zone_changes_no_id() -> None:
    log = b"2026-03-01T12:00:00.000000001Z a\n2026-03-01T13:00:00.000000001+01:00 b\n"
    assert [i for i, _ in only(log)] == [f"1.{T1}.0", f"1.{T1}.1"]


def test_a_line_longer_than_any_memory_comes_in_pieces_cut_alike_for_everybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 100)
    text = bytes(range(32, 127)) * 5 + b"\n"
    log = f"{T0} ".encode() + text + f"{T1} short\n".encode()
    whole = only(log)
    assert b"".join(t for _, t in whole[:-1]) == text
    assert [len(t) for _, t in whole] == [100, 100, 100, 100, 76, 6]
    for size in (1, 30, 32, 99, 131, 132, 500):
        assert only(*(log[n : n + size] for n in range(0, len(log), size))) == whole


# -- what is no line ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        b"failed to create fsnotify watcher: too many open files",
        b"unable to retrieve container logs for containerd://1234\n",
        b"2026-13-45T99:00:00.000000000Z no such time\n",
    ],
)
def test_the_kubelet_s_own_words_are_never_the_user_s_output(words: bytes) -> None:
    line = f"{T0} mine\n".encode()
    assert parse(words) == ([], words.decode().rstrip("\n"))
    assert parse(line, words) == ([(f"1.{T0}.0", b"mine\n")], words.decode().rstrip("\n"))
    if words.endswith(b"\n"):
        assert parse(line + words + line)[0] == [(f"1.{T0}.0", b"mine\n")]


def test_the_end_of_a_line_that_sincetime_cut_is_passed_over() -> None:
    assert only(f"its end\n{T0} x\n".encode()) == [(f"1.{T0}.0", b"x\n")]


def test_an_endless_end_of_a_cut_line_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 2000)
    parser = Parser()
    for _ in range(100):
        assert not parser.feed(b"x" * 1500)
        assert parser._size <= 4000
    assert parser.feed(f"\n{T0} x\n".encode()).texts == (b"x\n",)


def test_an_answer_cut_between_timestamp_and_text_has_no_line_there() -> None:
    assert only(f"{T0} ".encode()) == []


# -- ids ---------------------------------------------------------------------------------------


@given(st.integers(1, 1000), st.integers(0, 10**18), st.integers(0, 10**6))
def test_an_id_is_read_as_it_is_written(attempt: int, nanoseconds: int, k: int) -> None:
    line = LineId(attempt, stamp(nanoseconds).decode(), k)
    assert LineId.parse(str(line)) == line


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        f"1.{T0}",
        f"0.{T0}.0",
        f"1.{T0}.-1",
        f"1.{T0}.01",
        f"1.{T0}.0 ",
        f" 1.{T0}.0",
        f"1.{T0}.0\n",
        f"\u0661.{T0}.0",
        "1.2026-03-01T12:00:00Z.0",
        "1.2026-03-01T12:00:00.000000000+00:00.0",
        "1.2026-02-31T12:00:00.000000000Z.0",
        f"99999.{T0}.0",
    ],
)
def test_anything_else_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match=r"line id|day"):
        LineId.parse(text)


def test_ids_have_no_order_as_timestamps_go_back_and_forth() -> None:
    with pytest.raises(TypeError):
        sorted([LineId(1, T1, 0), LineId(1, T0, 0)])  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("timestamp", "since"),
    [
        ("2026-03-01T12:00:00.999999999Z", "2026-03-01T11:59:55Z"),
        ("2026-03-01T00:00:04.000000000Z", "2026-02-28T23:59:59Z"),
        ("0001-01-01T00:00:00.000000000Z", "0001-01-01T23:59:55Z"),
    ],
)
def test_a_line_is_looked_for_from_five_whole_seconds_before(timestamp: str, since: str) -> None:
    assert LineId(1, timestamp, 0).look_from() == since


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_time_between_two_lines(earlier: int, later: int) -> None:
    found = seconds_between(stamp(earlier).decode(), stamp(later).decode())
    assert found == pytest.approx((later - earlier) / SECOND, abs=1e-6)


@pytest.mark.process
@pytest.mark.parametrize("back", [0, 150], ids=["rising", "back-and-forth"])
def test_counting_equal_timestamps_needs_bounded_memory(back: int) -> None:
    ordinals = Ordinals()
    for start in range(0, 10 * lines.REMEMBERED, 100):
        ordinals.number([stamp(n) for n in range(start, start + 100)])
        ordinals.number([stamp(10**9 + start - back)] if back else [])
    assert len(ordinals._seen) <= 2 * lines.REMEMBERED
    assert sum(map(len, ordinals._risen)) <= lines.REMEMBERED + 100
    last = 10 * lines.REMEMBERED
    assert ordinals.number([stamp(last - n) for n in (1, lines.REMEMBERED // 2)]) == (1, 1)


@given(st.lists(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=6), max_size=8))
def test_a_line_s_number_is_how_many_lines_of_its_time_came_before(
    parts: list[list[tuple[int, bool]]],
) -> None:
    ordinals, before, now = Ordinals(), Counter[bytes](), 10
    for part in parts:
        moments = [now := max(now + (abs(step) if rises else step), 0) for step, rises in part]
        timestamps = [stamp(moment) for moment in moments]
        expected = []
        for timestamp in timestamps:
            expected.append(before[timestamp])
            before[timestamp] += 1
        assert ordinals.number(timestamps) == tuple(expected)


plain = st.tuples(
    st.integers(0, 10**18).map(stamp), st.binary(max_size=60).map(lambda t: t.replace(b"\n", b""))
)


@given(st.lists(plain), st.binary(max_size=60), st.data())
def test_plain_lines_are_taken_apart_at_once_and_nothing_else_is(
    rows: list[tuple[bytes, bytes]], words: bytes, data: st.DataObject
) -> None:
    block = b"".join(b"%b %b\n" % row for row in rows)
    expected = tuple(time for time, _ in rows), tuple(text + b"\n" for _, text in rows)
    assert columns(block) == expected
    place = data.draw(st.integers(0, len(block)))
    found = columns(block[:place] + words + block[place:])
    if found is not None:  # the words were in a text, or lines themselves
        assert b"".join(b"%b %b" % row for row in zip(*found, strict=True)) == (
            block[:place] + words + block[place:]
        )
        for timestamp in found[0]:
            LineId.parse(f"1.{timestamp.decode()}.0")


# -- reading again -----------------------------------------------------------------------------

texts = st.one_of(
    st.sampled_from([b"\n", b"a\n", b"\r\n", b"\xff\x00\n", b"same\n"]),
    st.binary(max_size=20).map(lambda text: text.replace(b"\n", b"") + b"\n"),
    st.sampled_from([b"a piece of a long line", b"another piece"]),  # the line goes on
)
# Forward in small and large steps, equal, back by microseconds between two streams.
steps = st.sampled_from([0, 0, 1, 1000, -1, -1000, 10**6, SECOND, 7 * SECOND])
zones = st.sampled_from([0, 0, 0, 120, -330])


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """A log as a runtime keeps it."""
    entries = []
    now = draw(st.integers(10**6, 5 * SECOND))
    for step, text, zone in draw(st.lists(st.tuples(steps, texts, zones), max_size=30)):
        now += step
        entries.append(Entry(now, text, zone))
    return entries


@st.composite
def cut_logs(draw: st.DrawFn) -> tuple[list[Entry], list[bytes]]:
    """A log and what is served of it, in chunks cut anywhere."""
    entries = draw(logs())
    return entries, chunks(served(entries), draw(st.lists(st.integers(1, 60), max_size=30)))


def chunks(body: bytes, sizes: Iterable[int]) -> list[bytes]:
    """A body in chunks of those sizes, and the rest."""
    found = []
    for size in sizes:
        found.append(body[:size])
        body = body[size:]
    return [*found, body]


@given(cut_logs())
def test_wherever_an_answer_is_cut_into_chunks_the_lines_are_the_same(
    log: tuple[list[Entry], list[bytes]],
) -> None:
    entries, parts = log
    assert only(*parts) == only(served(entries))
    assert b"".join(text for _, text in only(*parts)) == b"".join(e.text for e in entries)


@given(logs())
def test_every_line_has_an_id_of_its_own(entries: list[Entry]) -> None:
    ids = [i for i, _ in only(served(entries))]
    assert len(set(ids)) == len(ids)


@given(cut_logs(), st.data())
def test_cut_at_any_byte_and_resumed_at_any_line_each_line_comes_once(
    log: tuple[list[Entry], list[bytes]], data: st.DataObject
) -> None:
    entries, _ = log
    body = served(entries)
    first = Parser()
    before = first.feed(body[: data.draw(st.integers(0, len(body)))])  # its unfinished line is lost
    kept = before.part(0, data.draw(st.integers(0, len(before))))
    last = kept.id_of(-1, 1) if kept else None
    again = served(entries, last.look_from() if last else None)
    resume, parser = Resume(last, kept.texts[-1] if kept else None), Parser()
    parts = [
        *(resume.feed(parser.feed(c)) for c in chunks(again, [7, 11, 40])),
        resume.feed(parser.finish()),
    ]
    assert resume.found
    assert rows(kept, *parts) == only(body)


def rows(*parts: Lines) -> list[tuple[str, bytes]]:
    """Ids and texts of lines, one after the other."""
    return [(str(i), t) for p in parts for i, t in zip(p.ids(1), p.texts, strict=True)]


@given(logs(), st.integers(-3600, 3600).filter(bool), logs(), st.data())
def test_a_clock_that_is_set_before_the_place_moves_nothing(
    early: list[Entry], jump: int, late: list[Entry], data: st.DataObject
) -> None:
    shift = max((e.nanoseconds for e in early), default=0) + jump * SECOND + 17
    late = [Entry(e.nanoseconds + shift, e.text) for e in late]
    # Whole lines: sinceTime can cut a line whose pieces are from before and after the jump.
    entries = [Entry(e.nanoseconds, e.text.rstrip(b"\n") + b"\n") for e in early + late]
    whole = only(served(entries))
    if not late or not whole:
        return
    # Nothing behind the place is older than what is asked for again.
    place = data.draw(st.integers(0, len(whole) - 1))
    last = LineId.parse(whole[place][0])
    if not all(moment >= last.look_from() for moment in _times(whole[place:])):
        return
    resume, parser = Resume(last), Parser()
    again = served(entries, last.look_from())
    parts = [resume.feed(parser.feed(again)), resume.feed(parser.finish())]
    assert resume.found
    assert [text for _, text in rows(*parts)] == [text for _, text in whole[place + 1 :]]


def _times(found: list[tuple[str, bytes]]) -> list[str]:
    return [re.split(r"\.", i, maxsplit=1)[1] for i, _ in found]


def test_a_line_that_is_not_there_any_more_is_not_found() -> None:
    log = served([Entry(n * SECOND, b"x\n") for n in range(10)])
    resume = Resume(LineId(1, stamp(3 * SECOND + 5).decode(), 0))
    assert not resume.feed(Parser().feed(log))
    assert not resume.found
    assert resume.first == stamp(0).decode()
    assert resume.newest == stamp(9 * SECOND).decode()


def test_another_line_with_the_same_id_is_not_the_place() -> None:
    log = served([Entry(0, b"theirs\n"), Entry(1, b"x\n")])
    resume = Resume(LineId(1, T0, 0), b"mine\n")
    assert not resume.feed(Parser().feed(log))
    assert not resume.found


def test_in_an_answer_that_begins_anywhere_a_place_counts_only_behind_many_lines() -> None:
    log = served([Entry(n * SECOND, b"x\n") for n in range(10)])
    place = LineId(1, stamp(6 * SECOND).decode(), 0)
    for size in (len(log), 100, 7):
        near, far, parser = Resume(place, behind=7), Resume(place, behind=6), Parser()
        parts = [parser.feed(part) for part in chunks(log, [size] * (len(log) // size))]
        assert rows(*map(far.feed, parts)) == only(log)[7:]
        assert not rows(*map(near.feed, parts))
        assert (near.found, far.found) == (False, True)


def test_who_begins_at_the_start_is_there() -> None:
    resume = Resume(None)
    assert resume.found
    assert resume.feed(Parser().feed(f"{T0} x\n".encode())).texts == (b"x\n",)
