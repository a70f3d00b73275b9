"""The last lines of a log: how many, and how long."""

import pytest

from cijob_api.details import DETAILS_CHARACTERS, Details


def details(*lines: str) -> Details:
    made = Details()
    for line in lines:
        made.add(line)
    return made


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (1, 1), (100, 100), (101, 100), (5000, 100)])
def test_the_last_100_lines_are_kept(given: int, kept: int) -> None:
    made = details(*(f"line {n}\n" for n in range(given)))
    assert made.lines == [f"line {n}" for n in range(given - kept, given)]
    assert made.full == (kept == 100)


def test_of_long_lines_there_are_fewer() -> None:
    half = "x" * (DETAILS_CHARACTERS // 2)
    made = details("first\n", half, half)
    assert (made.lines, made.full) == ([half, half], True)
    assert details("first\n", half).full is False


def test_a_last_line_that_is_too_long_alone_is_cut_in_front() -> None:
    [line] = details("first\n", "x" * DETAILS_CHARACTERS * 30 + "end\n").lines
    assert len(line) == DETAILS_CHARACTERS
    assert (line[:2], line[-4:]) == ("…x", "xend")
