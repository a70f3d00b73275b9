"""How far a log was read, and when a place in it is believed to be gone."""

from types import SimpleNamespace
from typing import cast

import pytest

from cijob_api.lines import NOTHING, Lines, Resume
from cijob_gateway.logs.bookmarks import ABSENT_TRIES, ABSENT_TRIES_EMPTY, Bookmark
from cijob_gateway.logs.readings import Reading
from kit.kubelet import SECOND, stamp


def line(second: int, text: bytes = b"x\n") -> Lines:
    """A line of that second."""
    return Lines.of_rows([(stamp(second * SECOND), 0, text)])


def read_to(second: int) -> Bookmark:
    """A bookmark behind a line of that second."""
    mark = Bookmark(1)
    assert [batch.lines for batch in mark.take(line(second))] == [(b"x\n",)]
    return mark


@pytest.mark.parametrize(("younger", "tries"), [(True, ABSENT_TRIES), (False, ABSENT_TRIES_EMPTY)])
def test_a_place_is_believed_to_be_gone_when_several_answers_lack_it(
    *, younger: bool, tries: int
) -> None:
    mark, seen = read_to(10), Resume(None)
    seen.newest = stamp((11 if younger else 9) * SECOND).decode()
    assert [mark.believes(seen) for _ in range(tries)] == [False] * (tries - 1) + [True]


@pytest.mark.parametrize(
    ("file_ended", "second", "lost"),
    [
        (True, 11, False),  # no file is so short that one was between
        (True, 13, True),
        (True, 9, True),  # another log
        (False, 11, True),
    ],
)
def test_lines_are_lost_where_the_next_file_does_not_follow_at_once(
    *, file_ended: bool, second: int, lost: bool
) -> None:
    mark = read_to(10)
    mark.file_ended = file_ended
    assert mark.is_lost(stamp(second * SECOND).decode()) is lost
    assert mark.place.after is None
    assert str(mark.last) == f"1.{stamp(10 * SECOND).decode()}.0"


def test_a_line_that_ends_in_another_file_is_looked_for_by_its_end_there() -> None:
    mark = read_to(10)
    mark.stands_at(stamp(11 * SECOND).decode(), b"the rest\n")
    assert (str(mark.place.after), mark.place.text) == (
        f"1.{stamp(11 * SECOND).decode()}.0",
        b"the rest\n",
    )
    assert str(mark.last) == f"1.{stamp(10 * SECOND).decode()}.0"


def ended(rest: Lines = NOTHING) -> Reading:
    """An answer that ends so."""
    return cast("Reading", SimpleNamespace(rest=rest))


@pytest.mark.parametrize("grown", [False, True])
def test_what_a_file_ends_with_begins_a_line_of_the_next_unless_it_was_read_whole(
    *, grown: bool
) -> None:
    mark = read_to(10)
    mark.ends(ended(line(11, b"half a ")), file=True)
    if grown:
        assert [batch.lines for batch in mark.take(line(11, b"half a line\n"))]
    mark.turns()
    (batch,) = mark.take(line(14, b"next\n"))
    assert batch.lines == ((b"next\n" if grown else b"half a next\n"),)
