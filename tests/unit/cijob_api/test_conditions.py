"""Conditions: the time says when the status changed last, not when somebody wrote."""

from cijob_api.conditions import with_condition
from cijob_api.statuses import Condition

MORNING, NOON = "2026-01-01T08:00:00Z", "2026-01-01T12:00:00Z"


def started(status: str, time: str, message: str = "") -> Condition:
    return Condition(
        type="Started", status=status, reason="Running", message=message, last_transition_time=time
    )


FINISHED = Condition(type="Finished", status="True", reason="Completed", last_transition_time=NOON)


def test_the_first_condition_is_added() -> None:
    assert with_condition(None, FINISHED) == [FINISHED]


def test_a_new_type_comes_last() -> None:
    old = started("True", MORNING)
    assert with_condition([old], FINISHED) == [old, FINISHED]


def test_a_changed_status_takes_the_new_time_and_the_old_place() -> None:
    old = started("False", MORNING)
    new = started("True", NOON)
    assert with_condition([old, FINISHED], new) == [new, FINISHED]


def test_a_new_message_alone_keeps_the_time() -> None:
    old = started("True", MORNING, "pulled in 3 s")
    (kept,) = with_condition([old], started("True", NOON, "runs on node-a"))
    assert (kept.message, kept.last_transition_time) == ("runs on node-a", MORNING)


def test_what_was_given_is_not_changed() -> None:
    given = [started("False", MORNING)]
    with_condition(given, started("True", NOON))
    assert given == [started("False", MORNING)]
