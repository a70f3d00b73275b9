"""What a request for a log may say: times."""

from datetime import UTC, datetime

import pytest

from cijob_gateway.errors import BadRequest
from cijob_gateway.routes.logs import _time

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


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
