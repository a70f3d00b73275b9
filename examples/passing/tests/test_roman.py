"""What the numerals promise."""

import pytest

from roman import from_roman, to_roman

KNOWN = [(1, "I"), (4, "IV"), (9, "IX"), (14, "XIV"), (1999, "MCMXCIX"), (3999, "MMMCMXCIX")]


@pytest.mark.parametrize(("number", "numeral"), KNOWN)
def test_known_numerals(number: int, numeral: str) -> None:
    assert to_roman(number) == numeral
    assert from_roman(numeral) == number


def test_every_number_comes_back() -> None:
    assert all(from_roman(to_roman(number)) == number for number in range(1, 4000))


@pytest.mark.parametrize("number", [-1, 0, 4000])
def test_numbers_without_a_numeral_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="the range is 1 to 3999"):
        to_roman(number)


@pytest.mark.parametrize("numeral", ["", "IIII", "VX", "IXI", "roman"])
def test_what_is_no_numeral_is_refused(numeral: str) -> None:
    with pytest.raises(ValueError, match="is not a Roman numeral"):
        from_roman(numeral)
