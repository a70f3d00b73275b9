"""What a request for a log may say: ranges and times."""

from datetime import UTC, datetime

import pytest

from cijob_gateway.errors import BadRequest
from cijob_gateway.routes.logs import _bounds, _time

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-7", (93, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=100-", (100, 100)),  # nothing is there: 416
        ("bytes=5-3", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
    ],
)
def test_a_range_is_read_as_rfc_9110_says(asked: str | None, wanted: object) -> None:
    assert _bounds(asked, 100) == wanted


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("90", "2026-03-01T11:58:30.000000000Z"),
        ("90s", "2026-03-01T11:58:30.000000000Z"),
        ("999999999d", "1026-10-30T12:00:00.000000000Z"),
        ("1h30m", "2026-03-01T10:30:00.000000000Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000000Z"),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456789Z"),
        ("2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500000000Z"),
    ],
)
def test_since_is_a_time_or_an_age(text: str, time: str) -> None:
    assert _time(text, NOW) == time


@pytest.mark.parametrize("text", ["yesterday", "10w", "-5m", "2026-01-31", "2026-13-01T00:00:00Z"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="write 10m, 2h or"):
        _time(text, NOW)
