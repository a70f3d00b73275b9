"""Where an event stands, and what its reader had by then."""

from itertools import pairwise

import pytest

from cijob_gateway.eventplaces import EventPlace

LINE = "2026-01-01T00:00:00.00000000{}Z.0"
ORDER = [
    "queued",
    "gap.0.1",
    "started.1",
    "gap.1.1",
    "gap.1.2",
    f"1.{LINE.format(1)}",
    "retrying.1",
    "started.2",
    f"2.{LINE.format(2)}",
    "finished",
]


def test_places_have_an_order() -> None:
    places = [EventPlace.parse(text) for text in ORDER]
    for earlier, later in pairwise(places):
        assert earlier.rank < later.rank
        assert not earlier.covers(later)
    assert all(place.covers(place) for place in places)


def test_a_gap_goes_on_behind_its_line() -> None:
    line, gap, next_gap = (f"{before}1.{LINE.format(1)}{n}" for before, n in
                           [("", ""), ("gap.", ".1"), ("gap.", ".2")])  # fmt: skip
    here = EventPlace.parse(gap)
    assert here.line == EventPlace.parse(line).line
    assert here.covers(EventPlace.parse(gap))
    assert not here.covers(EventPlace.parse(next_gap))
    assert not here.covers(EventPlace.parse(f"1.{LINE.format(2)}"))


@pytest.mark.parametrize(
    "text", ["", "more", "gap.1", "gap..1", "gap.1.x", "started.", "started.one", "1.2026.0"]
)
def test_anything_else_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"no line id|invalid literal"):
        EventPlace.parse(text)
