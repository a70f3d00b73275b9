import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_cli.escapes import without_escapes


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\r\n", "plain\ttext\r\n"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[38:2::1:2:3mtrue colour\x1b[m", "\x1b[38:2::1:2:3mtrue colour\x1b[m"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;Y2xpcA==\x1b\\text", "text"),
        ("\x1b[2Jcleared\x1b[1;1H", "cleared"),
        ("\x1bP+q544e\x1b\\text", "text"),
        ("\x1bctext", "text"),
        ("\x9b2Jtext", "2Jtext"),
        ("a\x00b\x05c\x0ed", "abcd"),
        ("\x1b]0;never ends", "0;never ends"),
        ("the end \x1b", "the end "),
        ("\udcff bytes", "\udcff bytes"),
    ],
)
def test_of_escapes_only_colours_stay(text: str, shown: str) -> None:
    assert without_escapes(text) == shown


@given(st.text(st.sampled_from("\x1b[]0;mJ\x07\\P^_ a\x9b\x9c"), max_size=30))
def test_whatever_comes_no_escape_but_a_colour_is_left(text: str) -> None:
    shown = without_escapes(text)
    for piece in shown.split("\x1b")[1:]:
        assert piece.startswith("[")
        assert piece[1:].lstrip("0123456789;:").startswith("m")
    assert "\x9b" not in shown
