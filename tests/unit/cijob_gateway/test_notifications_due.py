"""What a sink is to get next follows from the job and from what it has."""

from datetime import timedelta
from typing import Any

import pytest

from cijob_api.cloudevents import history
from cijob_gateway.notifications.due import Due, is_old, next_due, place_of
from cijob_gateway.notifications.sinks import Sink
from unit.cijob_gateway.notifying import (
    ARCHIVED,
    FAILED,
    GIT,
    NOON,
    RUNS,
    SUCCEEDED,
    at,
    attempt,
    github,
    job,
    webhook,
)

OLDEST = NOON - timedelta(hours=1)
FIRST_OVER = {
    "phase": "Queued",
    "reason": "BackingOff",
    "attempts": [attempt(1, 7)],
}
SECOND_RUNS = {"phase": "Running", "reason": "Running", "attempts": [attempt(1, 7), attempt(2)]}


def told(
    status: dict[str, Any], sink: Sink | None = None, *, gone: bool = False, **spec: Any
) -> tuple[list[str], Due]:
    """Everything that a sink gets of a job, one by one, and what is due behind it."""
    subject, settled = job(status=status, **spec), dict[str, str]()
    places: list[str] = []
    while True:
        due = next_due(subject, sink or webhook(), settled, oldest=OLDEST, gone=gone)
        if due.send is None:
            return places, due
        places.append(place_of(due.send, subject))
        settled[places[-1]] = "accepted"


TOLD = [
    ({}, ["queued"], False),
    (RUNS, ["queued", "started.1"], False),
    (FIRST_OVER, ["queued", "started.1", "retrying.1"], False),
    (SECOND_RUNS, ["queued", "started.1", "retrying.1", "started.2"], False),
    (SUCCEEDED, ["queued", "started.1", "finished"], True),
    ({**FAILED, **ARCHIVED}, ["queued", "started.1", "finished"], True),
    ({"phase": "Error", "reason": "CommandMissing", "completionTime": at(9)},
     ["queued", "finished"], True),
    ({"phase": "Cancelled", "reason": "Cancelled", "completionTime": at(9)},
     ["queued", "finished"], True),
]  # fmt: skip


@pytest.mark.parametrize(("status", "places", "done"), TOLD)
def test_all_of_a_life_is_told_once_and_in_order(
    status: dict[str, Any], places: list[str], *, done: bool
) -> None:
    assert told(status) == (places, Due(done=done))


def test_a_failure_waits_for_the_last_lines_of_its_log() -> None:
    places, due = told(FAILED)
    assert (places, due.done) == (["queued", "started.1"], False)
    places, due = told(FAILED, gone=True)  # nobody will archive it any more
    assert (places, due.done) == (["queued", "started.1", "finished"], True)


def test_a_sink_gets_what_it_wants() -> None:
    assert told(SUCCEEDED, webhook("succeeded")) == (["finished"], Due(done=True))
    assert told(SUCCEEDED, webhook("failed")) == ([], Due(done=True))
    assert told(FAILED, webhook("started")) == (["started.1"], Due(done=True))


def test_what_is_too_old_is_given_up_and_the_rest_is_told() -> None:
    subject = job(status=SUCCEEDED)
    oldest = NOON - timedelta(seconds=45)  # between start and end
    due = next_due(subject, webhook(), {}, oldest=oldest)
    assert [event.kind for event in due.late] == ["queued", "started"]
    assert due.send is not None
    assert due.send.kind == "succeeded"
    settled = dict.fromkeys(["queued", "started.1"], "given up")
    assert next_due(subject, webhook(), settled, oldest=oldest).late == ()


@pytest.mark.parametrize(
    ("status", "place"),
    [({}, "queued"), (RUNS, "started.1"), (FIRST_OVER, "retrying.1"), (FAILED, "finished")],
)
def test_a_commit_status_is_where_the_job_is_now(status: dict[str, Any], place: str) -> None:
    over = place == "finished"
    assert told(status, github(), source=GIT) == ([place], Due(done=over))


def test_without_a_commit_there_is_nothing_to_say_yet_or_ever() -> None:
    url = {"git": {"url": GIT["git"]["url"]}}
    assert told(RUNS, github(), source=url) == ([], Due())
    assert told(SUCCEEDED, github(), source=url) == ([], Due(done=True))
    known = {**RUNS, "results": {"source": {"commit": "f" * 40}}}
    assert told(known, github(), source=url) == (["started.1"], Due())
    late = {**SUCCEEDED, "results": {"source": {"commit": "f" * 40}}}  # written after the end
    assert told(late, github(), source=url) == (["finished"], Due(done=True))


def test_a_job_that_is_deleted_while_it_runs_has_no_end() -> None:
    assert told(RUNS, gone=True) == (["queued", "started.1"], Due(done=True))


@pytest.mark.parametrize(
    ("status", "old"),
    [
        ({}, False),
        (RUNS, False),
        ({**SUCCEEDED, "completionTime": at(3599)}, False),
        ({**SUCCEEDED, "completionTime": at(3601)}, True),
    ],
)
def test_what_ended_long_ago_is_nobody_s_news(status: dict[str, Any], *, old: bool) -> None:
    assert is_old(job(status=status), NOON, timedelta(hours=1)) == old


def test_places_are_the_ends_of_the_events_ids() -> None:
    subject = job(status=SUCCEEDED)
    events = history(subject)
    assert [event.id for event in events] == ["u-1.queued", "u-1.started.1", "u-1.finished"]
    assert [place_of(event, subject) for event in events] == ["queued", "started.1", "finished"]
