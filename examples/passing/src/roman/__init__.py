"""Roman numerals from 1 to 3999."""

NUMERALS = (
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
)


def to_roman(number: int) -> str:
    """The numeral of a number: 1999 is MCMXCIX."""
    if not 1 <= number <= 3999:
        raise ValueError(f"{number} has no Roman numeral; the range is 1 to 3999")
    numeral = ""
    for value, letters in NUMERALS:
        count, number = divmod(number, value)
        numeral += letters * count
    return numeral


def from_roman(numeral: str) -> int:
    """The number of a numeral: MCMXCIX is 1999."""
    number, rest = 0, numeral
    for value, letters in NUMERALS:
        while rest.startswith(letters):
            number += value
            rest = rest[len(letters) :]
    if not numeral or rest or to_roman(number) != numeral:
        raise ValueError(f"{numeral!r} is not a Roman numeral")
    return number
