"""How long a job will wait, as a guess that can be explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_api.estimates import NO_HISTORY_SECONDS, REMEMBERED, History, waits

NOTHING = History()


def history(*seconds: float) -> History:
    return History(tuple(seconds))


def wait_seconds(ahead: list[History], own: History, *, places: int, free: int) -> float:
    *_, last = waits([*ahead, own], places=places, free=free)
    return last


@pytest.mark.parametrize(
    ("expected", "ahead", "places", "free"),
    [
        (0, 0, 10, 1),  # a place is free, and it is next
        (0, 2, 10, 3),
        (300, 0, 10, 0),
        (600, 1, 10, 0),
        (400, 3, 10, 3),
        (300, 0, 0, 0),  # a closed pool: nobody knows; the same words as for a full one
    ],
)
def test_without_a_history_a_job_takes_300_seconds(
    expected: float, ahead: int, places: int, free: int
) -> None:
    assert wait_seconds([NOTHING] * ahead, NOTHING, places=places, free=free) == expected


def test_with_a_history_all_places_give_back_what_is_typical() -> None:
    assert wait_seconds([history(60)], history(120), places=2, free=0) == 90


def test_who_has_no_history_among_others_who_have_one_takes_300_seconds() -> None:
    assert wait_seconds([history(60), NOTHING], history(60), places=1, free=0) == 420


def test_typical_is_the_middle_one() -> None:
    assert history(10, 20, 900).typical == 20
    assert NOTHING.typical is None


def test_only_the_last_ones_are_remembered() -> None:
    known = NOTHING
    for seconds in range(100):
        known = known.add(float(seconds))
    assert len(known.seconds) == REMEMBERED
    assert known.seconds[-1] == 99


def plainly(ahead: list[History], own: History, *, places: int, free: int) -> float:
    """The rule for one job by itself."""
    if free > len(ahead):
        return 0.0
    if not any(history.seconds for history in (*ahead, own)):
        return (len(ahead) + 1) * NO_HISTORY_SECONDS / max(free, 1)
    expected = (history.typical or NO_HISTORY_SECONDS for history in (*ahead, own))
    return sum(expected) / max(places, 1)


@given(
    st.lists(st.lists(st.floats(0, 1e5), max_size=3), min_size=1, max_size=8),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_a_line_in_one_pass_says_the_same(line: list[list[float]], places: int, free: int) -> None:
    histories = [history(*seconds) for seconds in line]
    one_by_one = [
        plainly(histories[:n], own, places=places, free=free) for n, own in enumerate(histories)
    ]
    assert list(waits(histories, places=places, free=free)) == pytest.approx(one_by_one)
