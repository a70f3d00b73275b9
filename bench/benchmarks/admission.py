"""`admission`: the whole queue decided once, beside the least that any order of it costs.

No cluster: the function is pure. 10,000 jobs of 200 submitters in 20 namespaces and 5 priorities
wait for 3 pools with 30 free places each, as after a burst of ends.
"""

from collections.abc import Callable
from random import Random
from time import perf_counter

from benchmarks.figures import Figure, Result
from cijob_api.admission import admit, order
from cijob_api.places import Capacity, Floor, Holding, Waiting

JOBS = 10_000
FREE = 30
ROUNDS = 15
TARGET_MS = 50
POOLS = ("amd64", "arm64", "large")
FITS = (("amd64",), ("arm64",), ("amd64", "large"), POOLS)
NOW = 1_800_000_000.0


def run() -> Result:
    """Decide, order and sort the same queue, in turns."""
    chance = Random(8)  # noqa: S311 (the same queue each time)
    queue = [waiting(chance, number) for number in range(JOBS)]
    holding = [held(chance, number) for number in range(300)]
    pools = {
        name: Capacity(FREE + sum(job.pool == name for job in holding), per_submitter=20)
        for name in POOLS
    }
    floor = Floor(pools, holding, NOW)
    assert len(admit(queue, floor)) == FREE * len(POOLS)  # noqa: S101
    took = [
        (
            measured(lambda: admit(queue, floor)),
            measured(lambda: order(queue, floor)),
            measured(lambda: sorted(queue, key=lambda job: (-job.priority, job.since, job.name))),
        )
        for _ in range(ROUNDS)
    ]
    decided, ordered, sorted_ = (min(column) for column in zip(*took, strict=True))
    figures = (
        Figure("decided", decided, "ms", TARGET_MS),
        Figure("ordered for people, all of it", ordered, "ms"),
        Figure("sorted by priority and age only", sorted_, "ms"),
    )
    return Result("admission", f"{JOBS} queued, {FREE * len(POOLS)} admitted; best of", figures)


def waiting(chance: Random, number: int) -> Waiting:
    """One of the queue."""
    submitter = chance.randrange(200)
    return Waiting(
        f"team-{submitter % 20}",
        f"job-{number}",
        NOW - chance.uniform(0, 3600),
        chance.choice(FITS),
        submitter=f"person-{submitter}",
        priority=chance.choice((-10, 0, 0, 0, 5, 10, 100)),
    )


def held(chance: Random, number: int) -> Holding:
    """One that runs."""
    submitter = chance.randrange(200)
    return Holding(
        f"team-{submitter % 20}",
        f"running-{number}",
        chance.choice(POOLS),
        submitter=f"person-{submitter}",
    )


def measured(work: Callable[[], object]) -> float:
    """How long it takes, in milliseconds."""
    began = perf_counter()
    work()
    return 1000 * (perf_counter() - began)
