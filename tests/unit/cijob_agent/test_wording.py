"""Names, paths and sizes as people read them."""

import pytest

from cijob_agent.wording import LONGEST_NAME, LONGEST_PATH, quoted, shown, size


def test_a_name_is_escaped_and_short() -> None:
    assert quoted("a\nb") == r"'a\nb'"
    assert len(quoted("n" * 500)) == LONGEST_NAME + 1


def test_a_path_is_text_without_the_middle_of_a_long_one() -> None:
    assert shown("a/é\udcff") == "a/é\N{REPLACEMENT CHARACTER}"
    assert shown("p" * LONGEST_PATH) == "p" * LONGEST_PATH
    long = shown("a" * 600 + "b" * 600)
    assert long == "a" * 249 + "…" + "b" * 250


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB")],
)
def test_bytes_have_the_unit_that_fits(count: int, words: str) -> None:
    assert size(count) == words
