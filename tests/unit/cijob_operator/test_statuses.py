"""How a status comes from the last one: times, attempts, the clock of the queue, lengths."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_api.objects import CIJob
from cijob_api.reasons import Phase, Reason
from cijob_api.statuses import Attempt, CIJobStatus, Condition, Retries, Spent
from cijob_operator import statuses
from cijob_operator.times import format_duration, format_time, parse_time
from cijob_operator.verdicts import Ending
from unit.cijob_operator.builders import (
    NOON,
    after,
    ago,
    attempt,
    backing_off,
    ended,
    is_running,
    job,
    pod,
    running,
    starting,
)

COMPLETED = Ending(Reason.COMPLETED, "exit code 0", 0, NOON)
LOST = Ending(Reason.POD_LOST, "the Pod is gone")


def with_status(status: CIJobStatus) -> CIJob:
    return job().model_copy(update={"status": status})


def condition(status: CIJobStatus, kind: str) -> Condition | None:
    return next((c for c in status.conditions or [] if c.type == kind), None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.9, "0s"),
        (72, "72s"),
        (119.9, "119s"),
        (120, "2m"),
        (312, "5m12s"),
        (7199, "119m59s"),
        (7200, "2h"),
        (7500, "2h5m"),
        (90061, "25h1m"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    "text", ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00.000000Z", "2026-01-01T13:00:00+01:00"]
)
def test_times_as_the_api_server_writes_them(text: str) -> None:
    assert parse_time(text) == NOON


def test_no_time_is_none() -> None:
    assert parse_time(None) is None
    assert parse_time("") is None


def test_times_are_written_in_whole_seconds() -> None:
    assert format_time(after(0.999)) == "2026-01-01T12:00:00Z"


# -- conditions -------------------------------------------------------------------------------


def test_the_course_of_a_job_in_its_conditions() -> None:
    queued = statuses.waiting(job(), Reason.WAITING_FOR_CAPACITY, "full", ago(30))
    ran = statuses.running(with_status(queued), running(20), ago(19))
    end = statuses.finished(with_status(ran), COMPLETED, NOON, pod=ended(0))
    assert [(c.type, c.status) for c in end.conditions or []] == [
        ("Admitted", "True"),
        ("Started", "True"),
        ("Finished", "True"),
        ("Succeeded", "True"),
    ]


def test_a_condition_s_time_stays_while_its_status_stays() -> None:
    first = statuses.waiting(job(), Reason.WAITING_FOR_CAPACITY, "full", ago(30))
    second = statuses.waiting(with_status(first), Reason.QUOTA_EXCEEDED, "quota", NOON)
    said = condition(second, "Admitted")
    assert said
    assert (said.reason, said.message) == ("QuotaExceeded", "quota")
    assert said.last_transition_time == format_time(ago(30))


def test_a_condition_s_time_changes_with_its_status() -> None:
    first = statuses.waiting(job(), Reason.WAITING_FOR_CAPACITY, "full", ago(30))
    second = statuses.running(with_status(first), running(5, created=ago(8)), NOON)
    said = condition(second, "Admitted")
    assert said
    # Written now, with the container running: since when it is so, the Pod knows.
    assert (said.status, said.last_transition_time) == ("True", format_time(ago(8)))
    said = condition(second, "Started")
    assert said
    assert (said.status, said.last_transition_time) == ("True", format_time(ago(5)))


def test_a_job_that_never_had_a_pod_was_never_started() -> None:
    end = statuses.finished(job(), Ending(Reason.CANCELLED, "cancelled"), NOON)
    assert condition(end, "Started") is None
    said = condition(end, "Succeeded")
    assert said
    assert (said.status, said.reason) == ("False", "Cancelled")


# -- attempts ---------------------------------------------------------------------------------


def test_an_attempt_knows_its_pod() -> None:
    open_ = statuses.open_attempt(job(), running(30, template="python/3"))
    assert open_ == Attempt(
        number=1,
        pod_name="tests-1",
        podUID="pod-uid-1",
        containerID="containerd://c",
        node_name="node-1",
        template="python/3",
        start_time=format_time(ago(30)),
        spent=Spent(starting_seconds=30),
    )


@pytest.mark.parametrize("what", [pod(), starting()])
def test_an_attempt_that_has_not_started_has_no_start(what: object) -> None:
    assert statuses.open_attempt(job(), pod()).start_time is None
    assert statuses.open_attempt(job(), pod()).container_id is None


def test_the_same_attempt_is_replaced_not_added() -> None:
    known = job(status={"attempts": [attempt(1), attempt(2)]})
    attempts = statuses.with_attempt(known, Attempt(number=1, reason="PodLost"))
    assert [(a.number, a.reason) for a in attempts] == [(1, "PodLost"), (2, None)]


def test_the_last_10_attempts_are_kept() -> None:
    known = job(status={"attempts": [attempt(n, "PodLost") for n in range(1, 11)]})
    attempts = statuses.with_attempt(known, Attempt(number=11))
    assert [a.number for a in attempts] == list(range(2, 12))


def test_a_closed_attempt_ends_by_the_container_s_clock() -> None:
    closed = statuses.close_attempt(job(), ended(0), COMPLETED, after(5))
    assert closed.completion_time == format_time(NOON)
    assert closed.spent == Spent(starting_seconds=30, running_seconds=30)


def test_one_whose_container_nobody_saw_ends_by_ours() -> None:
    closed = statuses.close_attempt(job(), running(gone=True), LOST, after(5))
    assert closed.completion_time == format_time(after(5))
    assert closed.exit_code is None


# -- the end ----------------------------------------------------------------------------------


def test_a_finished_job_knows_how_long_it_ran() -> None:
    end = statuses.finished(job(), COMPLETED, after(2), pod=ended(0))
    assert end.start_time == format_time(ago(30))
    assert end.completion_time == format_time(after(2))
    assert end.duration == "30s"
    assert (end.exit_code, end.pool) == (0, "default")


def test_a_job_that_was_repeated_ran_since_its_first_attempt() -> None:
    before = is_running(2, startTime=format_time(ago(300)))
    end = statuses.finished(job(status=before), COMPLETED, NOON, pod=ended(0, attempt=2))
    assert end.duration == "5m"


def test_a_job_that_never_ran_has_no_duration() -> None:
    end = statuses.finished(job(), LOST, NOON, pod=starting())
    assert (end.start_time, end.duration) == (None, None)


def test_nothing_of_others_is_touched() -> None:
    known = job(status={"results": {"logs": {"lines": 3}}})
    end = statuses.finished(known, COMPLETED, NOON, pod=ended(0))
    assert end.results == known.status.results


def test_a_status_says_which_generation_it_is_about() -> None:
    assert statuses.running(job(), running(), NOON).observed_generation == 1


# -- the clock of the queue -------------------------------------------------------------------


def test_the_queue_s_clock_runs_from_the_creation() -> None:
    assert statuses.waited_seconds(job(created=60), NOON) == 60


def test_a_suspended_job_s_clock_stands() -> None:
    known = job(created=900, status={"waited": {"seconds": 42}})
    assert statuses.waited_seconds(known, NOON) == 42


def test_suspended_twice_it_adds_up() -> None:
    first = with_status(statuses.waiting(job(created=60), Reason.SUSPENDED, "", ago(20)))
    assert statuses.waited_seconds(first, ago(10)) == 40
    again = with_status(statuses.waiting(first, Reason.QUOTA_EXCEEDED, "", ago(10)))
    assert statuses.waited_seconds(again, NOON) == 50
    second = with_status(statuses.waiting(again, Reason.SUSPENDED, "", NOON))
    assert statuses.waited_seconds(second, after(999)) == 50


def test_a_repeated_job_s_clock_begins_anew() -> None:
    closed = Attempt(number=1, reason="CommandFailed", message="exit code 1", exit_code=1)
    status = statuses.repeated(job(created=900), closed, Retries(own=1), due=after(10), now=NOON)
    assert statuses.waited_seconds(with_status(status), after(7)) == 7
    assert (status.phase, status.reason) == (Phase.QUEUED, Reason.BACKING_OFF)
    assert format_time(after(10)) in (status.message or "")
    assert "CommandFailed" in (status.message or "")


# -- lengths ----------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(min_value=10, max_value=200))
def test_shortened_is_short(text: str, length: int) -> None:
    short = statuses.shortened(text, length)
    assert len(short) <= length
    assert short == text or len(text) > length


def test_both_ends_are_kept() -> None:
    short = statuses.shortened("first " + "x" * 100 + " last", 20)
    assert short.startswith("first")
    assert short.endswith("last")


def test_a_long_word_of_the_registry_is_shortened() -> None:
    status = statuses.starting(job(), pod(), Reason.PULLING_IMAGE, "x" * 5000, now=NOON)
    assert len(status.message or "") <= statuses.MESSAGE_LENGTH
    status = statuses.finished(job(), Ending(Reason.POD_LOST, "x" * 5000), NOON, pod=pod())
    assert len((status.attempts or [])[0].message or "") <= statuses.ATTEMPT_MESSAGE_LENGTH


def test_the_longest_status_of_the_operator_is_one_that_can_be_stored() -> None:
    known = job(status=backing_off(own=1) | {"attempts": [attempt(n, "x") for n in range(1, 11)]})
    status = statuses.finished(known, Ending(Reason.POD_LOST, "é" * 5000), NOON, pod=pod())
    plain = status.model_dump(by_alias=True, mode="json", exclude_none=True)
    assert CIJobStatus.model_validate(plain) == status
