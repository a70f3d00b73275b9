"""Who may start: by priority, then by age, and never more than there are places."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_api.admission import Waiting, admit, waiting


def line(name: str, *, priority: int = 0, minute: int = 0) -> Waiting:
    created = f"2026-01-01T12:{minute:02}:00Z"
    return waiting("team", name, priority=priority, created=created)


def names(admitted: list[Waiting]) -> list[str]:
    return [job.name for job in admitted]


def test_higher_priority_goes_first() -> None:
    queue = [line("low", priority=-1), line("high", priority=1), line("none")]
    assert names(admit(queue, taken=0, places=9)) == ["high", "none", "low"]


def test_among_equals_the_one_that_waits_longest_goes_first() -> None:
    queue = [line("new", minute=2), line("old", minute=1)]
    assert names(admit(queue, taken=0, places=1)) == ["old"]


def test_priority_counts_more_than_age() -> None:
    queue = [line("old", minute=1), line("urgent", priority=1, minute=59)]
    assert names(admit(queue, taken=0, places=1)) == ["urgent"]


def test_jobs_of_the_same_second_have_an_order_too() -> None:
    assert names(admit([line("b"), line("a")], taken=0, places=2)) == ["a", "b"]


@pytest.mark.parametrize(
    ("taken", "places", "admitted"),
    [(0, 0, 0), (0, 1, 1), (1, 2, 1), (2, 2, 0), (9, 2, 0), (0, 9, 3)],
)
def test_never_more_than_there_are_places(taken: int, places: int, admitted: int) -> None:
    queue = [line("a"), line("b"), line("c")]
    assert len(admit(queue, taken=taken, places=places)) == admitted


LINES = st.builds(
    line, st.text("abc", min_size=1), priority=st.integers(-9, 9), minute=st.integers(0, 59)
)


@settings(deadline=None)
@given(st.lists(LINES), st.integers(0, 9), st.integers(0, 9))
def test_nobody_is_passed_by_somebody_behind(queue: list[Waiting], taken: int, places: int) -> None:
    admitted = admit(queue, taken=taken, places=places)
    assert len(admitted) <= max(places - taken, 0)
    left = sorted(queue)[len(admitted) :]
    assert not admitted or not left or max(admitted) <= min(left)


@settings(deadline=None)
@given(st.lists(LINES), st.randoms())
def test_the_order_of_the_question_does_not_matter(queue: list[Waiting], random: object) -> None:
    assert admit(reversed(queue), taken=0, places=3) == admit(queue, taken=0, places=3)
