"""Who may start, and where: the rules one by one, then what holds for any queue."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_api.admission import admit, order, standing, waiting
from cijob_api.objects import CIJob
from cijob_api.places import Bound, Capacity, Floor, Holding, Placed, Tally, Waiting, take_turns

NOW = 10_000.0
Turns = dict[tuple[str, ...], float]


def line(name: str, *, age: float = 0, **what: Any) -> Waiting:
    given_: dict[str, Any] = {"namespace": "team", "pools": ("p",), **what}
    return Waiting(name=name, since=NOW - age, **given_)


def holder(name: str, namespace: str = "team", **what: Any) -> Holding:
    return Holding(namespace, name, **{"pool": "p", **what})


def floor(places: int = 1, *holding: Holding, **limits: int) -> Floor:
    return Floor({"p": Capacity(places, **limits)}, holding, NOW)


def names(placed: list[Placed]) -> list[str]:
    return [one.job.name for one in placed]


@dataclass(frozen=True)
class Row:
    what: str
    queue: list[Waiting]
    floor: Floor
    admitted: list[str]


OTHER: dict[str, Any] = {"namespace": "other"}
TABLE = [
    Row("higher priority goes first",
        [line("low", priority=-1), line("high", priority=1), line("none")],
        floor(9), ["high", "none", "low"]),
    Row("among equals the one that waits longest", [line("new", age=1), line("old", age=2)],
        floor(1), ["old"]),
    Row("jobs of the same moment have an order, too", [line("b"), line("a")], floor(2), ["a", "b"]),
    Row("a short wait is no priority", [line("old", age=299), line("urgent", priority=1)],
        floor(1), ["urgent"]),
    Row("a long one is", [line("old", age=600), line("urgent", priority=1)], floor(1), ["old"]),
    Row("and lifts all of its class, in fairness",
        [line("old", age=600), line("old too", age=599), line("young", **OTHER),
         line("urgent", priority=1)],
        floor(2), ["old", "young"]),
    Row("no place is free", [line("a")], floor(1, holder("x")), []),
    Row("the pool was made smaller", [line("a")], floor(1, holder("x"), holder("y")), []),
    Row("the pool is closed", [line("a")], floor(0), []),
    Row("the namespace that holds less goes first",
        [line("mine", age=9), line("yours", age=1, **OTHER)],
        floor(2, holder("x")), ["yours"]),
    Row("then the submitter who holds less",
        [line("ann 2", age=9, submitter="ann"), line("bob 1", age=1, submitter="bob")],
        floor(2, holder("x", submitter="ann")), ["bob 1"]),
    Row("namespaces count before submitters",
        [line("ann", age=9, submitter="ann"), line("bob", submitter="bob", **OTHER)],
        floor(3, holder("x", submitter="zoe"), holder("y", submitter="zoe")), ["bob"]),
    Row("turns alternate",
        [line("a1", age=9, submitter="ann"), line("a2", age=8, submitter="ann"),
         line("b1", age=2, submitter="bob"), line("b2", age=1, submitter="bob")],
        floor(4), ["a1", "b1", "a2", "b2"]),
    Row("a namespace's limit", [line("a", age=9), line("b"), line("c", **OTHER)],
        floor(9, holder("x"), per_namespace=2), ["c", "a"]),
    Row("a submitter's limit",
        [line("a", submitter="ann"), line("b", submitter="ann"), line("c", submitter="bob")],
        floor(9, per_submitter=1), ["a", "c"]),
    Row("it is over all namespaces",
        [line("a", submitter="ann"), line("b", submitter="bob")],
        floor(9, holder("x", "other", submitter="ann"), per_submitter=1), ["b"]),
    Row("also while places are given away",
        [line("a", age=1, submitter="ann"), line("b", submitter="ann", **OTHER)],
        floor(9, per_submitter=1), ["a"]),
    Row("who has none counts as the namespace", [line("a"), line("b"), line("c", **OTHER)],
        floor(9, per_submitter=1), ["c", "a"]),
    Row("who is at a limit does not stand in the way",
        [line("a", age=9, priority=9), line("c", **OTHER)],
        floor(2, holder("x"), per_namespace=1), ["c"]),
    Row("nor lifts a class by waiting",
        [line("stuck", age=9000), line("young", **OTHER), line("urgent", priority=1, **OTHER)],
        floor(2, holder("x"), per_namespace=1), ["urgent"]),
    Row("one of a group at a time",
        [line("a", age=2, group="deploy"), line("b", age=1, group="deploy"), line("c")],
        floor(9), ["a", "c"]),
    Row("or as many as it says", [line(n, group="deploy", group_limit=2) for n in "abc"],
        floor(9), ["a", "b"]),
    Row("a group is its namespace's own", [line("a", group="deploy")],
        floor(9, holder("x", "other", group="deploy")), ["a"]),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
def test_who_may_start(row: Row) -> None:
    assert names(admit(row.queue, row.floor)) == row.admitted


def test_a_turn_that_was_had_counts_after_its_job_has_ended() -> None:
    queue = [line("a", age=9, submitter="ann"), line("b", age=1, submitter="bob")]
    turns: Turns = {("p", "team", "ann"): NOW}
    assert names(admit(queue, replace(floor(1), turns=turns))) == ["b"]


def test_who_comes_new_passes_nobody() -> None:
    # Ann had her turn before Bob came: hers is longest ago.
    queue = [line("a", age=9, submitter="ann"), line("b", age=1, submitter="bob")]
    turns: Turns = {("p", "team", "ann"): NOW - 5}
    assert names(admit(queue, replace(floor(1), turns=turns))) == ["a"]


# -- several pools -----------------------------------------------------------------------------


def pools(*holding: Holding, **places: int) -> Floor:
    return Floor({name: Capacity(count) for name, count in places.items()}, holding, NOW)


def test_a_job_that_fits_several_pools_goes_where_most_room_is() -> None:
    both = ("large", "small")
    queue = [line(name, pools=both, age=-ord(name)) for name in "abcd"]
    found = admit(queue, pools(large=3, small=2))
    assert [(one.job.name, one.pool) for one in found] == [
        ("a", "large"), ("b", "large"), ("c", "small"), ("d", "large"),
    ]  # fmt: skip


def test_fairness_is_within_a_pool() -> None:
    # The namespace holds much of another pool; here it holds nothing.
    queue = [line("mine", age=9, pools=("x",)), line("yours", pools=("x",), **OTHER)]
    held = [holder(str(n), pool="y") for n in range(5)]
    assert names(admit(queue, pools(*held, x=1, y=9))) == ["mine"]


def test_a_pool_that_is_gone_is_no_pool() -> None:
    assert admit([line("a", pools=("gone",))], floor(1)) == []


# -- the order for people ----------------------------------------------------------------------


def test_the_order_is_that_of_admission_beyond_all_places_and_limits() -> None:
    queue = [line("a", age=9), line("b", age=8), line("c", **OTHER), line("z", pools=("gone",))]
    full = floor(1, holder("x", "other"), per_namespace=1)
    assert names(order(queue, full)) == ["a", "c", "b"]


STANDING = [
    ("all 1 places of pool p are taken", line("a"), floor(1, holder("x"))),
    (
        "namespace team holds all 1 places of pool p that one may have",
        line("a"),
        floor(9, holder("x"), per_namespace=1),
    ),
    (
        "ann hold all 1 places of pool p that one may have",
        line("a", submitter="ann"),
        floor(9, holder("x", submitter="ann"), per_submitter=1),
    ),
    (
        "1 of at most 1 jobs of group deploy run",
        line("a", group="deploy"),
        floor(9, holder("x", group="deploy")),
    ),
]


@pytest.mark.parametrize(("words", "job", "where"), STANDING)
def test_what_a_job_waits_for_is_said(words: str, job: Waiting, where: Floor) -> None:
    found = standing(job, Tally.of(where.holding), where.pools)
    assert found is not None
    assert found[1] == words


def test_full_pools_are_said_before_limits_in_others() -> None:
    job = line("a", pools=("p", "q"))
    where = {"p": Capacity(1), "q": Capacity(9, per_namespace=0)}
    found = standing(job, Tally.of([holder("x")]), where)
    assert found == (Bound.PLACES, "all 1 places of pool p are taken")


def test_nothing_is_said_of_a_job_that_nothing_holds_back() -> None:
    assert standing(line("a"), Tally(), floor(1).pools) is None


def test_a_job_waits_with_what_it_says() -> None:
    job = CIJob.parse(
        {
            "metadata": {
                "name": "j",
                "namespace": "team",
                "creationTimestamp": "1970-01-01T00:01:00Z",
                "annotations": {"cijob.dev/submitter": "ann"},
            },
            "spec": {
                "image": "i",
                "priority": 3,
                "concurrency": {"group": "g", "limit": 2, "supersede": True},
            },
        }
    )
    assert waiting(job, job.spec, ("p",)) == Waiting(
        "team", "j", 60.0, ("p",), "ann", 3, group="g", group_limit=2, supersedes=True
    )


# -- what holds for any queue ------------------------------------------------------------------

POOLS = ("p", "q", "r")
JOBS = st.builds(
    Waiting,
    namespace=st.sampled_from(["one", "two"]),
    name=st.uuids().map(str),
    since=st.floats(0, NOW),
    pools=st.sampled_from([("p",), ("q",), ("p", "q"), ("q", "r"), POOLS]),
    submitter=st.sampled_from(["", "ann", "bob"]),
    priority=st.integers(-2, 2),
    group=st.sampled_from(["", "", "g"]),
    group_limit=st.integers(1, 2),
)
HOLDERS = st.builds(
    Holding,
    namespace=st.sampled_from(["one", "two"]),
    name=st.uuids().map(str),
    pool=st.sampled_from(POOLS),
    submitter=st.sampled_from(["", "ann", "bob"]),
    group=st.sampled_from(["", "", "g"]),
)
CAPACITIES = st.builds(
    Capacity,
    st.integers(0, 4),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(1, 3),
)
FLOORS = st.builds(
    Floor,
    pools=st.fixed_dictionaries(dict.fromkeys(POOLS, CAPACITIES)),
    holding=st.lists(HOLDERS, max_size=6),
    now=st.just(NOW),
    aging_seconds=st.sampled_from([1.0, 300.0]),
)
QUEUES = st.lists(JOBS, max_size=25)


@settings(deadline=None)
@given(QUEUES, FLOORS)
def test_no_limit_is_ever_passed(queue: list[Waiting], where: Floor) -> None:
    before = Tally.of(where.holding)
    tally = Tally.of(where.holding)
    for one in admit(queue, where):
        assert one.pool in one.job.pools
        assert tally.bound(one.job, one.pool, where.pools[one.pool]) is None
        tally.add(one.pool, one.job)
    for name, capacity in where.pools.items():
        assert tally.held(name) <= max(capacity.places, before.held(name))


@settings(deadline=None)
@given(QUEUES, FLOORS)
def test_nobody_waits_for_a_place_that_is_free(queue: list[Waiting], where: Floor) -> None:
    placed = admit(queue, where)
    tally = Tally.of(where.holding)
    for one in placed:
        tally.add(one.pool, one.job)
    left = {job.name for job in queue} - set(names(placed))
    for job in (job for job in queue if job.name in left):
        assert all(tally.bound(job, pool, where.pools[pool]) for pool in job.pools)


@settings(deadline=None)
@given(QUEUES, FLOORS, st.randoms())
def test_the_order_of_the_queue_s_list_does_not_matter(
    queue: list[Waiting], where: Floor, chance: Any
) -> None:
    shuffled = list(queue)
    chance.shuffle(shuffled)
    assert admit(queue, where) == admit(shuffled, where)


@settings(deadline=None)
@given(QUEUES, FLOORS)
def test_nobody_passes_his_like_of_higher_priority(queue: list[Waiting], where: Floor) -> None:
    alike = [replace(job, since=NOW) for job in queue]
    admitted = set(names(admit(alike, where)))
    for high in alike:
        for low in alike:
            same = replace(high, name=low.name, priority=low.priority) == low
            if same and high.priority > low.priority and low.name in admitted:
                assert high.name in admitted


@settings(deadline=None)
@given(QUEUES, FLOORS)
def test_the_whole_queue_has_an_order(queue: list[Waiting], where: Floor) -> None:
    placed = order(queue, where)
    assert Counter(names(placed)) == Counter(job.name for job in queue)


@pytest.mark.process
@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 7),
    st.lists(st.integers(0, 6), min_size=200, max_size=200),
    st.sampled_from([0.0, 50.0]),
)
def test_two_submitters_of_a_hundred_jobs_each_differ_by_at_most_one(
    places: int, ends: list[int], behind: float
) -> None:
    """Whoever submitted first, and whichever job ends next: both hold as many places, but for one.

    Until one of them has nothing left to wait for.
    """
    queue = {
        f"{who}-{n}": line(f"{who}-{n}", submitter=who, age=100 - n / 100 - behind * (who == "bob"))
        for who in ("ann", "bob")
        for n in range(100)
    }
    holding: list[Holding] = []
    turns: Turns = {}
    for moment, end in enumerate(ends):
        now = NOW + moment
        placed = admit(queue.values(), replace(floor(places, *holding), now=now, turns=turns))
        take_turns(turns, placed, now)
        for one in placed:
            del queue[one.job.name]
            holding.append(holder(one.job.name, submitter=one.job.submitter))
        held = Counter(job.submitter for job in holding)
        if {job.submitter for job in queue.values()} == {"ann", "bob"}:
            assert abs(held["ann"] - held["bob"]) <= 1
        if holding:
            holding.pop(end % len(holding))


def test_one_place_is_given_in_turns() -> None:
    queue = {
        f"{who}-{n:02}": line(f"{who}-{n:02}", submitter=who, age=age - n / 100)
        for who, age in (("ann", 100), ("bob", 50))
        for n in range(20)
    }
    turns: Turns = {}
    seen = []
    for moment in range(40):
        placed = admit(queue.values(), replace(floor(1), now=NOW + moment, turns=turns))
        take_turns(turns, placed, NOW + moment)
        seen += [queue.pop(one.job.name).submitter for one in placed]
    assert seen == ["ann", "bob"] * 20


# -- nobody starves ----------------------------------------------------------------------------


def bound(*, priorities: int, aging: float, before: int, submitters: int, spaces: int) -> float:
    """The formula of the module, for one place and jobs of one second."""
    return (priorities + 1) * aging + before * (1 + submitters) * (1 + spaces)


@pytest.mark.process
@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["one", "two", "three"]), st.sampled_from("abc"),
                  st.integers(-2, 2)),
        min_size=1, max_size=3,
    ),
    st.integers(-2, 2),
)  # fmt: skip
def test_everybody_is_admitted_within_the_bound_whoever_comes(
    stream: list[tuple[str, str, int]], priority: int
) -> None:
    """Every second so many new jobs come, for ever; one place, each job takes a second."""
    aging = 3.0
    patient = Waiting("one", "patient", 0.0, ("p",), "a", priority)
    queue = {"patient": patient}
    turns: Turns = {}
    within = (4 + 1) * aging
    before = len(stream) * (int(within) + 1)
    last = bound(priorities=4, aging=aging, before=before, submitters=3, spaces=3)
    for moment in range(int(last) + 1):
        for number, (namespace, who, rank) in enumerate(stream):
            job = Waiting(namespace, f"{moment}-{number}", float(moment), ("p",), who, rank)
            queue[job.name] = job
        if moment > within and len(queue) > 3 * before:
            queue = dict(list(queue.items())[: 3 * before])  # later ones cannot matter
        where = Floor({"p": Capacity(1)}, [], float(moment), aging, turns)
        placed = admit(queue.values(), where)
        take_turns(turns, placed, float(moment))
        for one in placed:
            del queue[one.job.name]
        if "patient" not in queue:
            return
    raise AssertionError(f"not admitted after {last} s")
