"""Places in the queue, as people read them."""

import pytest

from cijob_cli.queue import Place, read_place, short


def place(position: int | None, seconds: int | None = 300, pool: str = "default") -> Place:
    return Place(position, pool, seconds, "all 2 places of pool default are taken")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (place(1), "next in pool default, about 5m"),
        (place(1, 0), "next in pool default, now"),
        (place(2), "1 job ahead in pool default, about 5m"),
        (place(5, 5400), "4 jobs ahead in pool default, about 1h30m"),
        (place(None, None), "all 2 places of pool default are taken"),
    ],
)
def test_in_words(where: Place, words: str) -> None:
    assert where.words() == words


def test_who_is_held_by_a_limit_is_told_of_that_not_of_free_places() -> None:
    held = Place(1, "default", 300, "1 of at most 1 jobs of group deploy run", "group")
    assert held.words() == "1 of at most 1 jobs of group deploy run; next, about 5m"
    assert held.is_news(place(1))
    assert not held.is_news(held)


def test_in_a_column() -> None:
    assert short(place(1)) == "next, ~5m"
    assert short(place(3)) == "2 ahead, ~5m"
    assert short(place(None, None)) == ""


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        (None, place(9), True),
        (place(9), place(8), False),
        (place(9), place(5), False),
        (place(9), place(4), True),  # half the way
        (place(2), place(1), True),
        (place(9), place(9, 10), False),
        (place(9), place(9, pool="arm"), True),
        (place(9), place(None, None), True),
        (place(None, None), place(None, None), False),
    ],
)
def test_a_line_is_worth_it_when_half_the_way_is_done(
    before: Place | None, now: Place, *, news: bool
) -> None:
    assert now.is_news(before) is news


def test_a_gateway_that_says_less_is_understood() -> None:
    assert read_place({}) == Place(None, "", None, "")
