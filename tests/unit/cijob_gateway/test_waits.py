"""Where each queued job stands, by what the admission would do."""

from collections.abc import Mapping

import pytest

from cijob_api.estimates import History
from cijob_api.fitting import Pools, capacities
from cijob_api.places import Floor, Holding, Waiting
from cijob_api.specs import CIPoolSpec
from cijob_gateway.waits import Habit, Look, Queued, habits_of, look

NOW = 1_000.0
ONE: Pools = {"default": CIPoolSpec(max_concurrent=2)}
TWO: Pools = {"amd": CIPoolSpec(max_concurrent=1), "arm": CIPoolSpec(max_concurrent=4)}


def queued(name: str, since: float = 0, *, template: str = "", **more: object) -> Queued:
    pools = more.pop("pools", ("default",))
    waiting = Waiting("team", name, since, pools, **more)  # type: ignore[arg-type]
    return Queued("team", name, template, waiting)


def held(number: int, pool: str = "default") -> list[Holding]:
    return [Holding("team", f"running-{n}", pool) for n in range(number)]


def looked(
    *jobs: Queued,
    running: list[Holding] | None = None,
    pools: Pools = ONE,
    habits: Mapping[Habit, History] | None = None,
) -> Look:
    return look(jobs, Floor(capacities(pools), running or [], NOW), habits or {})


def test_the_order_is_the_admissions() -> None:
    jobs = (queued("old"), queued("young", 5), queued("urgent", 9, priority=3))
    found = looked(*jobs, running=held(2))
    assert [(wait.name, wait.position) for wait in found.waits] == [
        ("urgent", 1),
        ("old", 2),
        ("young", 3),
    ]


def test_a_full_pool_gives_300_seconds_for_each_and_one_more() -> None:
    found = looked(queued("one"), queued("two", 1), running=held(2))
    assert [wait.seconds for wait in found.waits] == [300, 600]
    assert found.waits[0].words == "all 2 places of pool default are taken"
    [line] = found.pools
    assert (line.running, line.places, line.queued, line.seconds) == (2, 2, 2, 900)


def test_while_places_are_free_the_next_wait_for_nothing() -> None:
    found = looked(queued("one"), queued("two", 1), queued("three", 2))
    assert [wait.seconds for wait in found.waits] == [0, 0, 450]


def test_each_pool_has_a_line_of_its_own() -> None:
    jobs = [queued(f"{name}-{n}", n, pools=(name,)) for name in ("amd", "arm") for n in (1, 2)]
    found = looked(*jobs, running=held(1, "amd") + held(4, "arm"), pools=TWO)
    assert {(wait.name, wait.pool, wait.position) for wait in found.waits} == {
        ("amd-1", "amd", 1),
        ("amd-2", "amd", 2),
        ("arm-1", "arm", 1),
        ("arm-2", "arm", 2),
    }
    assert [line.name for line in found.pools] == ["amd", "arm"]


def test_jobs_that_cannot_start_come_last_and_have_no_place() -> None:
    suspended = Queued("team", "held", "", held_by="suspend is true")
    found = looked(suspended, queued("one"), running=held(2))
    assert [wait.name for wait in found.waits] == ["one", "held"]
    last = found.waits[-1]
    assert (last.position, last.seconds, last.words) == (None, None, "suspend is true")


def test_who_is_at_a_limit_waits_for_those_who_hold_it_whatever_is_free() -> None:
    group = {"group": "deploy"}
    running = [Holding("team", "first", "default", group="deploy")]
    jobs = (queued("second", 1, **group), queued("third", 2, **group), queued("other", 3))
    found = looked(*jobs, running=running, pools={"default": CIPoolSpec(max_concurrent=10)})
    assert [(wait.name, wait.position, wait.seconds, wait.limit) for wait in found.waits] == [
        ("other", 1, 0, None),
        ("second", 1, 300, "group"),
        ("third", 2, 600, "group"),
    ]
    assert found.waits[1].words == "1 of at most 1 jobs of group deploy run"
    [line] = found.pools
    assert (line.queued, line.seconds) == (3, 0)


@pytest.mark.parametrize(
    ("limits", "kind"), [({"perNamespace": 2}, "namespace"), ({"perSubmitter": 2}, "submitter")]
)
def test_a_tenant_s_limit_is_a_small_pool(limits: Mapping[str, int], kind: str) -> None:
    pool = CIPoolSpec.model_validate({"maxConcurrent": 10, "limits": limits})
    habits = {("test", "default"): History((60.0,))}
    jobs = [queued(f"j-{n}", n, template="test") for n in (1, 2)]
    found = looked(*jobs, running=held(2), pools={"default": pool}, habits=habits)
    assert [(wait.position, wait.seconds, wait.limit) for wait in found.waits] == [
        (1, 30, kind),
        (2, 60, kind),
    ]


def test_who_is_at_a_limit_waits_for_a_place_of_the_pool_as_well() -> None:
    group = {"group": "deploy"}
    running = [Holding("team", "first", "default", group="deploy"), *held(1)]
    habits = {("deploy", "default"): History((10.0,))}
    jobs = (queued("ahead"), queued("held", 1, template="deploy", **group))
    found = looked(*jobs, running=running, habits=habits)
    assert [(wait.name, wait.seconds) for wait in found.waits] == [("ahead", 300), ("held", 600)]


def test_what_took_so_long_before_is_expected_again() -> None:
    habits = {("test", "default"): History((10.0, 20.0, 30.0))}
    jobs = (queued("one", template="test"), queued("two", 1, template="test"))
    found = looked(*jobs, running=held(2), habits=habits)
    assert [wait.seconds for wait in found.waits] == [10, 20]


def test_habits_are_the_last_jobs_of_a_template_in_a_pool() -> None:
    ended = [("test", "default", f"2026-01-01T00:00:{n:02}Z", float(n)) for n in range(30)]
    habits = habits_of([*reversed(ended), ("run", "arm", "2026-01-01T00:00:00Z", 5.0)])
    assert habits["test", "default"].seconds == tuple(float(n) for n in range(10, 30))
    assert habits["run", "arm"].seconds == (5.0,)
