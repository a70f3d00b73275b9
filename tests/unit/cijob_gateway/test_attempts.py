"""Attempts that a status names no more are known by their numbers."""

import pytest

from cijob_gateway.logs.attempts import attempts_of, first_named, last_number
from unit.cijob_gateway.notifying import attempt, job


def names(*numbers: int) -> dict[str, object]:
    """A status that names these attempts."""
    return {"phase": "Running", "attempts": [attempt(number) for number in numbers]}


@pytest.mark.parametrize(
    ("numbers", "first", "last"), [((), 1, 0), ((1,), 1, 1), ((1, 2), 1, 2), ((4, 5, 6), 4, 6)]
)
def test_a_status_says_how_many_attempts_there_were(
    numbers: tuple[int, ...], first: int, last: int
) -> None:
    found = job(status=names(*numbers))
    assert (first_named(found), last_number(found)) == (first, last)
    assert [known.number for known in attempts_of(found)] == list(range(1, last + 1))


def test_what_a_status_names_is_as_it_says_and_of_the_others_the_pod_is_known() -> None:
    found = job(status=names(3, 4))
    unnamed = attempts_of(found)[:2]
    assert [(one.pod_name, one.start_time) for one in unnamed] == [
        ("mine-1", None),
        ("mine-2", None),
    ]
    assert attempts_of(found)[2:] == found.status.attempts


def test_those_behind_one_are_all_but_the_first() -> None:
    found = job(status=names(3, 4))
    assert [known.number for known in attempts_of(found, 1)] == [2, 3, 4]
    assert [known.number for known in attempts_of(found, 3)] == [4]
