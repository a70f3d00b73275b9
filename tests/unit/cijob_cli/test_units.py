import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_cli.errors import BadSetting
from cijob_cli.units import format_bytes, format_duration, parse_duration, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("1d", 86400)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "1.5h", "-3", "10 m", "5w", "0", "0s"])
def test_what_is_no_duration_is_said(text: str) -> None:
    with pytest.raises(BadSetting, match=r"90, 90s, 15m or 2h|at least 1s"):
        parse_duration(text)


@given(st.integers(1, 10**7))
def test_every_number_of_seconds_is_a_duration(seconds: int) -> None:
    assert parse_duration(f"{seconds}s") == parse_duration(str(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.84, "0.8s"),
        (5, "5s"),
        (12.4, "12s"),
        (60, "1m"),
        (185, "3m5s"),
        (7800, "2h10m"),
        (356400, "4d3h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1258291, "1.2 MiB"),
        (200 << 20, "200.0 MiB"),
        (3 << 40, "3072.0 GiB"),
    ],
)
def test_sizes_are_powers_of_1024(size: int, text: str) -> None:
    assert format_bytes(size) == text


def test_a_malformed_time_is_none() -> None:
    assert parse_time("yesterday") is None
    assert parse_time(None) is None
