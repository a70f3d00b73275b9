"""When a follow has left a file out that was held open, and when it has come to it."""

from typing import cast

import pytest

from cijob_gateway.logs.newerfiles import NewerFile
from cijob_gateway.logs.readings import Reading, Steps
from kit.kubelet import SECOND, stamp

FIRST, SECOND_LINE = 100 * SECOND, 100 * SECOND + 1000


def file(*times: int, text: bytes = b"the rest\n") -> NewerFile:
    """A file whose first lines were written then."""
    nobody = cast("Reading", None), cast("Steps", None)
    return NewerFile(*nobody, tuple(stamp(time).decode() for time in times), text, is_next=True)


@pytest.mark.parametrize(
    ("line", "before", "left_out"),
    [
        pytest.param(FIRST, b"before\n", False, id="its first line"),
        pytest.param(SECOND_LINE, b"before\n", False, id="its second line"),
        pytest.param(SECOND_LINE, b"a line and the rest\n", False, id="behind one that was cut"),
        pytest.param(FIRST + 1, b"before\n", None, id="as old as its first line"),
        pytest.param(FIRST + SECOND, b"before\n", None, id="nearly as old"),
        pytest.param(FIRST + 2 * SECOND, b"before\n", True, id="younger"),
        pytest.param(FIRST + 2 * SECOND, b"a line and the rest\n", True, id="by chance alike"),
    ],
)
def test_a_file_is_left_out_if_a_younger_line_comes_before_its_first_two(
    line: int, before: bytes, *, left_out: bool | None
) -> None:
    assert file(FIRST, SECOND_LINE).is_left_out(stamp(line).decode(), before) is left_out


@pytest.mark.parametrize(
    ("before", "left_out"),
    [
        (b"a line and the rest\n", False),
        (b"the rest\n", True),  # the same line again is another line
        (b"a line\n", True),
    ],
)
def test_a_file_of_one_line_was_come_to_if_that_is_the_end_of_the_last(
    before: bytes, *, left_out: bool
) -> None:
    younger = stamp(FIRST + 60 * SECOND).decode()
    assert file(FIRST).is_left_out(younger, before) is left_out
    assert file(FIRST).has_rest_of(before) is not left_out
