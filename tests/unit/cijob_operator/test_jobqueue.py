"""What the operator remembers of places: who waits, who may start, who takes whose."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cijob_api.fitting import Pools
from cijob_api.places import Holding, Waiting
from cijob_api.specs import CIPoolSpec
from cijob_operator.jobqueue import JobQueue, Key

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
A, B, C = ("team", "a"), ("team", "b"), ("team", "c")


class Queue(JobQueue):
    """A queue over pools that change, which keeps the keys it was told to look at."""

    def __init__(self, places: int = 1) -> None:
        self.looked_at: list[Key] = []
        self.now_there: Pools = {}
        self.offer(places)
        super().__init__(self.looked_at.append, lambda: self.now_there, aging_seconds=300)

    def offer(self, places: int, name: str = "p") -> None:
        self.now_there = {name: CIPoolSpec(max_concurrent=places)}


def waits(key: Key, **what: Any) -> Waiting:
    return Waiting(*key, since=ord(key[1]), **{"pools": ("p",), **what})


def holds(key: Key, **what: Any) -> Holding:
    return Holding(*key, "p", since=ord(key[1]), **what)


def test_a_job_that_is_admitted_has_a_place_before_it_has_a_pod() -> None:
    queue = Queue()
    assert queue.want(A, waits(A))
    queue.admit(NOW)
    assert queue.place(A) == "p"
    assert queue.is_admitted(A)
    assert queue.looked_at == [A]


def test_what_is_admitted_counts_until_its_pod_does() -> None:
    queue = Queue()
    queue.want(A, waits(A))
    queue.admit(NOW)
    queue.want(B, waits(B))
    queue.admit(NOW)
    assert queue.place(B) == ""
    queue.hold(A, holds(A))
    queue.admit(NOW)
    assert (queue.place(A), queue.place(B)) == ("p", "")
    assert not queue.is_admitted(A)


def test_a_job_that_was_admitted_meanwhile_does_not_ask_again() -> None:
    queue = Queue(places=2)
    queue.want(A, waits(A))
    queue.admit(NOW)
    assert not queue.want(A, waits(A))  # decided before it was admitted
    assert queue.place(A) == "p"
    assert queue.counts("p") == (1, 0)


def test_a_place_in_a_pool_that_no_longer_fits_is_given_back() -> None:
    queue = Queue()
    queue.want(A, waits(A))
    queue.admit(NOW)
    assert queue.want(A, waits(A, pools=("q",)))
    assert queue.place(A) == ""
    assert queue.counts("p") == (0, 0)


def test_letting_go_says_whether_a_place_came_free() -> None:
    queue = Queue()
    queue.want(A, waits(A))
    assert not queue.let_go(A)
    queue.hold(B, holds(B))
    assert queue.let_go(B)


def test_who_is_passed_over_is_looked_at_once_and_told_why() -> None:
    queue = Queue()
    queue.hold(A, holds(A))
    queue.want(B, waits(B))
    assert queue.passed_over(B) == ""
    queue.admit(NOW)
    queue.admit(NOW)
    assert queue.looked_at == [B]
    assert queue.passed_over(B) == "all 1 places of pool p are taken; 1 jobs wait"
    assert not queue.want(B, waits(B))


def test_a_smaller_pool_takes_no_place_away() -> None:
    queue = Queue(places=2)
    queue.hold(A, holds(A))
    queue.hold(B, holds(B))
    queue.offer(0)
    queue.want(C, waits(C))
    queue.admit(NOW)
    assert (queue.place(A), queue.place(B), queue.place(C)) == ("p", "p", "")
    queue.offer(3)
    queue.admit(NOW)
    assert queue.place(C) == "p"


def test_a_pool_counts_who_holds_and_who_could() -> None:
    queue = Queue()
    queue.hold(A, holds(A))
    queue.want(B, waits(B))
    queue.want(C, waits(C, pools=("q",)))
    assert queue.counts("p") == (1, 1)


def test_one_that_fits_elsewhere_now_is_looked_at_with_the_queue_again() -> None:
    queue = Queue(places=0)
    queue.want(A, waits(A))
    queue.admit(NOW)
    queue.now_there = {**queue.now_there, "q": CIPoolSpec(max_concurrent=1)}
    assert queue.want(A, waits(A, pools=("q",)))
    queue.admit(NOW)
    assert queue.place(A) == "q"


@pytest.mark.parametrize("what", [{"priority": 1}, {"group": "g"}, {"submitter": "ann"}])
def test_so_is_one_whose_turn_or_limit_may_be_another(what: dict[str, Any]) -> None:
    queue = Queue(places=0)
    queue.want(A, waits(A))
    queue.admit(NOW)
    assert queue.want(A, waits(A, **what))
    assert not queue.want(A, waits(A, **what))


# -- groups ------------------------------------------------------------------------------------

GROUP: dict[str, Any] = {"group": "deploy"}
TAKES: dict[str, Any] = {**GROUP, "supersedes": True}


def test_a_newer_job_of_the_group_takes_the_place_of_all_older_ones() -> None:
    queue = Queue()
    queue.hold(A, holds(A, **GROUP))
    queue.want(B, waits(B, **GROUP))
    queue.want(C, waits(C, **TAKES))
    assert set(queue.looked_at) == {A, B}
    assert (queue.superseded_by(A), queue.superseded_by(B)) == ("c", "c")
    assert queue.superseded_by(C) == ""


def test_an_older_one_that_comes_later_is_superseded_too() -> None:
    queue = Queue()
    queue.want(B, waits(B, **TAKES))
    queue.want(A, waits(A, **TAKES))
    assert queue.looked_at == [A, A] or set(queue.looked_at) >= {A}
    assert queue.superseded_by(A) == "b"
    assert queue.superseded_by(B) == ""


@pytest.mark.parametrize(
    "other",
    [
        waits(C, **GROUP),  # does not ask for it
        waits(C, group="other", supersedes=True),
        Waiting("elsewhere", "c", 99, ("p",), group="deploy", supersedes=True),
        waits(C, supersedes=True),  # without a group
    ],
)
def test_nobody_else_is(other: Waiting) -> None:
    queue = Queue()
    queue.hold(A, holds(A, **GROUP))
    queue.want((other.namespace, other.name), other)
    assert queue.superseded_by(A) == ""


def test_one_that_is_cancelled_supersedes_nobody_any_more() -> None:
    queue = Queue()
    queue.want(A, waits(A, **GROUP))
    queue.want(B, waits(B, **TAKES))
    queue.let_go(B)
    assert queue.superseded_by(A) == ""


def test_who_is_admitted_or_runs_is_still_of_its_group() -> None:
    queue = Queue(places=2)
    queue.want(A, waits(A, **GROUP, group_limit=2))
    queue.want(B, waits(B, **TAKES, group_limit=2))
    queue.admit(NOW)
    assert queue.superseded_by(A) == "b"
    queue.hold(B, holds(B, **TAKES))
    assert queue.superseded_by(A) == "b"


@pytest.mark.parametrize("told", [None, waits(A, **GROUP, pools=())])
def test_who_can_neither_start_nor_runs_is_still_of_its_group(told: Waiting | None) -> None:
    queue = Queue()
    queue.hold(A, holds(A, **GROUP))
    assert queue.stay(A, told)  # it backs off
    assert queue.counts("p") == (0, 0)
    queue.want(B, waits(B, **TAKES))
    assert queue.looked_at == [A]
    assert queue.superseded_by(A) == "b"


def test_who_has_ended_is_not() -> None:
    queue = Queue()
    queue.hold(A, holds(A, **GROUP))
    queue.let_go(A)
    queue.want(B, waits(B, **TAKES))
    assert queue.looked_at == []


def test_a_job_whose_template_changed_its_group_leaves_the_old_one() -> None:
    queue = Queue()
    queue.want(A, waits(A, **GROUP))
    queue.want(B, waits(B, **TAKES))
    queue.want(B, waits(B, group="other", supersedes=True))
    assert queue.superseded_by(A) == ""
