"""Who is tried again and when: as data, without a clock."""

import pytest

from cijob_gateway.notifications.backoff import Backoff, Lanes

HALF = 0.5  # of chance: three quarters of the whole


def lanes() -> Lanes:
    return Lanes(Backoff(first=4, longest=64), lambda: HALF)


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (9, 128, 256), (10, 150, 300), (5000, 150, 300)],
)
def test_the_wait_doubles_to_an_end_and_half_of_it_is_chance(
    failures: int, least: float, most: float
) -> None:
    assert Backoff().seconds(failures, 0.0) == least
    assert Backoff().seconds(failures, 1.0) == most


def test_nobody_waits_in_an_empty_queue() -> None:
    queue = lanes()
    assert queue.next() is None
    assert len(queue) == 0


def test_first_come_first_served() -> None:
    queue = lanes()
    queue.add("b", 10.0)
    queue.add("a", 11.0)
    assert queue.next() == ("b", 10.0)
    queue.drop("b")
    assert queue.next() == ("a", 11.0)


def test_a_job_with_more_to_tell_comes_behind_the_others() -> None:
    queue = lanes()
    queue.add("a", 10.0)
    queue.add("b", 11.0)
    queue.accepted("a", 12.0)
    assert queue.next() == ("b", 11.0)


def test_a_sink_that_is_down_is_not_asked_by_every_job_in_turn() -> None:
    queue = lanes()
    queue.add("a", 0.0)
    queue.add("b", 0.0)
    assert queue.failed("a", 0.0) == 3.0
    assert queue.next() == ("b", 3.0)  # the sink's pause holds for b as well
    assert queue.failed("b", 3.0) == 6.0  # the second failure of the sink in a row
    assert queue.next() == ("a", 9.0)


def test_a_job_whose_event_fails_lets_the_others_pass() -> None:
    queue = lanes()
    queue.add("bad", 0.0)
    queue.add("good", 0.0)
    queue.failed("bad", 0.0)
    queue.accepted("good", 3.0)  # so the sink is well
    queue.failed("bad", 3.0)
    queue.accepted("good", 6.0)
    assert queue.next() == ("good", 6.0)
    queue.drop("good")
    assert queue.next() == ("bad", 9.0)  # its own second wait: 3 + 6


def test_news_of_a_job_that_waits_do_not_make_it_wait_less() -> None:
    queue = lanes()
    queue.add("a", 0.0)
    queue.failed("a", 0.0)
    queue.add("a", 1.0)
    assert queue.next() == ("a", 3.0)


def test_a_sink_may_ask_to_be_left_alone() -> None:
    queue = lanes()
    queue.add("a", 0.0)
    assert queue.failed("a", 0.0, after=100.0) == 100.0
    assert queue.next() == ("a", 100.0)


def test_success_ends_the_counting() -> None:
    queue = lanes()
    queue.add("a", 0.0)
    for _ in range(5):
        queue.failed("a", 0.0)
    queue.accepted("a", 50.0)
    assert queue.failed("a", 50.0) == 3.0
