"""What a request for a log may say: times, and attempts that there were."""

from datetime import UTC, datetime

import pytest

from cijob_gateway.errors import BadRequest, NotFound
from cijob_gateway.routes.logs import Wanted, _require_attempt, _time
from unit.cijob_gateway.notifying import attempt, job

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


@pytest.mark.parametrize("text", ["1" * 60 + "x", "1" * 9 * 50, "1d" * 9 + "1" * 40 + "w"])
def test_an_age_is_taken_apart_in_one_way_only(text: str) -> None:
    """In all ways, these would hold up the gateway for longer than anybody lives."""
    with pytest.raises(BadRequest, match="write 10m, 2h or"):
        _time(text, NOW)


@pytest.mark.parametrize("text", ["yesterday", "10w", "-5m", "2026-01-31", "2026-13-01T00:00:00Z"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="write 10m, 2h or"):
        _time(text, NOW)


def asks(number: int | None, *named: int, phase: str = "Failed", follow: bool = False) -> None:
    """Ask for an attempt of a job whose status names these."""
    status = {"phase": phase, "attempts": [attempt(one, 1) for one in named]}
    _require_attempt(job(status=status), Wanted(attempt=number, follow=follow))


def test_any_attempt_that_there_was_can_be_asked_for() -> None:
    asks(None)
    for number in range(1, 13):
        asks(number, 10, 11, 12)


@pytest.mark.parametrize(
    ("number", "named", "words"),
    [
        (99, (1, 2), "job mine has no attempt 99: it has had 2; leave the attempt out"),
        (1, (), "job mine has no attempt 1: it has had none; leave the attempt out"),
    ],
)
def test_an_attempt_that_there_never_was_is_not_found(
    number: int, named: tuple[int, ...], words: str
) -> None:
    with pytest.raises(NotFound) as raised:
        asks(number, *named)
    assert raised.value.detail.startswith(words)


def test_the_next_attempt_of_a_job_that_runs_can_be_waited_for() -> None:
    asks(1, phase="Queued", follow=True)
    asks(3, 1, 2, phase="Running", follow=True)
    for number, follow in ((4, True), (3, False)):
        with pytest.raises(NotFound):
            asks(number, 1, 2, phase="Running", follow=follow)
