"""A follow has left out a file only if its reader was late and the log goes on later."""

from datetime import UTC, datetime, timedelta

import pytest

from cijob_api.lines import LineId, Lines
from cijob_gateway.logs.leaps import Pulse, leaps, may_lack_beginning

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after_noon(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    """The same as a timestamp."""
    return f"{after_noon(seconds):%Y-%m-%dT%H:%M:%S.%f}000Z"


def lines(*seconds: float) -> Lines:
    """Lines of these times."""
    stamps = tuple(stamp(second).encode() for second in seconds)
    return Lines(stamps, (0,) * len(stamps), (b"x\n",) * len(stamps))


@pytest.mark.parametrize(
    ("what", "last", "read_at", "times", "now", "where"),
    [
        ("nothing came", 0, 99, (), 99, []),
        ("no line before the first", None, 99, (20, 21), 99, []),
        ("late, and no leap", 0, 99, (1, 2, 2.9), 99, []),
        ("late, and every second a line for long", 0, 99, tuple(range(1, 30)), 99, []),
        ("late, and times that go back by a little", 0, 99, (0.002, 0.001, 0.003), 99, []),
        ("late, and behind the last line comes a leap", 0, 9, (12, 12.1), 99, [0]),
        ("late, and in the middle come leaps", 0, 99, (1, 2, 14, 15, 31), 99, [2, 4]),
        ("late, and at the end comes a leap", 0, 99, (1, 2, 14), 99, [2]),
        ("a job that was silent, read at once", 0, 0.1, (60, 61), 61, []),
        ("a job that was silent, read at once before that", 0, 0.1, (60, 61, 90), 99, [2]),
        ("late by less than the time between two rotations", 57.5, 60, (61, 62), 62, []),
    ],
)
def test_where_a_follow_may_have_left_out_lines(
    *,
    what: str,
    last: float | None,
    read_at: float,
    times: tuple[float, ...],
    now: float,
    where: list[int],
) -> None:
    before = "" if last is None else stamp(last)
    found = leaps(before, after_noon(read_at), lines(*times), after_noon(now))
    assert found == where, what


def pulse(seconds: float) -> Pulse:
    """The pulse of a follow that begins behind a line of that time."""
    return Pulse(LineId(1, stamp(seconds), 0))


def test_a_line_counts_as_read_when_it_came_not_when_the_next_one_does() -> None:
    found = Pulse(None)
    assert found.leaps(lines(1, 2), after_noon(2.1), found=True) == []
    assert found.leaps(lines(), after_noon(50), found=True) == []
    assert found.leaps(lines(60), after_noon(60.1), found=True) == []


def test_of_lines_that_were_read_late_the_next_one_is_not_sure() -> None:
    found = Pulse(None)
    assert found.leaps(lines(1, 2), after_noon(30), found=True) == []
    assert found.leaps(lines(31, 32), after_noon(32), found=True) == [0]


def test_the_line_that_a_follow_begins_behind_is_read_when_the_follow_comes_by_it() -> None:
    early, late = pulse(1), pulse(1)
    for found, came in ((early, 1.5), (late, 20)):
        assert found.leaps(lines(), after_noon(came - 0.1), found=False) == []
        assert found.leaps(lines(), after_noon(came), found=True) == []
    assert early.leaps(lines(25), after_noon(25), found=True) == []
    assert late.leaps(lines(25), after_noon(25), found=True) == [0]


@pytest.mark.parametrize(
    ("what", "opened", "first", "lacks"),
    [
        ("read from the start", 1, 0.5, False),
        ("read from the start, and silent at first", 1, 60, False),
        ("read late, and it begins at the start", 60, 0.5, False),
        ("read late, and it begins late", 60, 30, True),
        ("our clock is behind", -60, 30, False),
    ],
)
def test_a_log_that_is_opened_late_and_begins_late_may_lack_its_beginning(
    *, what: str, opened: float, first: float, lacks: bool
) -> None:
    started = f"{NOON:%Y-%m-%dT%H:%M:%S}Z"
    assert may_lack_beginning(started, after_noon(opened), stamp(first)) is lacks, what
