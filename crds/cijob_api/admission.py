"""Who may start, and in which pool: one pure function over the whole queue and all pools.

The operator runs `admit` to let jobs in, the gateway `order` to tell a position. Neither clock nor
I/O: who waits, who holds a place and the time are given. The rules, in this order:

1. A job fits the pools that it was given; limits of pool, namespace, submitter and group are never
   passed.
2. Priority, and age: a priority class rises by one for each `aging_seconds` that the oldest job
   that could start has waited. A class, not a job: among equals, fairness is not a matter of age.
3. Fair share: the namespace that holds fewest places of the pool, then the submitter; among equals
   the one whose turn is longest ago.
4. Age.

A job that fits several pools goes to the one with most room.

**Nobody starves.** Let every job end within R seconds, the pool have P places, priorities differ by
at most D, and M namespaces wait with at most S submitters each. A job that no limit holds back is
admitted within (D + 1)·A + n·(1 + S)·(1 + ⌈M ÷ P⌉)·R seconds, where A is `aging_seconds` and n the
number of jobs queued before it or within (D + 1)·A seconds after it: later ones cannot lift their
class above its own, and whoever is the oldest of the highest class waits until its own jobs have
ended and those whose turn is longer ago have had theirs.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from cijob_api import names
from cijob_api.objects import CIJob
from cijob_api.places import TURN, Bound, Capacity, Floor, Placed, Tally, Waiting
from cijob_api.specs import Recipe
from cijob_api.turns import Front, Line, form_lines


def admit(queue: Iterable[Waiting], floor: Floor) -> list[Placed]:
    """Those who may start now, in order, with their pools."""
    tally = Tally.of(floor.holding)
    pools = [name for name, capacity in floor.pools.items() if tally.free(name, capacity) > 0]
    return _place(queue, floor, tally, pools) if pools else []


def order(queue: Iterable[Waiting], floor: Floor) -> list[Placed]:
    """The whole queue as it would be admitted if places came free one by one.

    Limits of tenants and groups do not count here: `Tally.bound` tells of them. Jobs that fit no
    pool are left out.
    """
    return _place(queue, floor, Tally.of(floor.holding), floor.pools, beyond=True)


def waiting(job: CIJob, said: Recipe, pools: tuple[str, ...]) -> Waiting:
    """A job that could start now, by what its merged recipe says and the pools that it fits."""
    metadata, concurrency = job.metadata, said.concurrency
    return Waiting(
        metadata.namespace,
        metadata.name,
        seconds(metadata.creation_timestamp),
        pools,
        submitter=metadata.annotations.get(names.ANNOTATION_SUBMITTER, ""),
        priority=said.priority or 0,
        group=concurrency.group if concurrency else "",
        group_limit=(concurrency and concurrency.limit) or 1,
        supersedes=bool(concurrency and concurrency.supersede),
    )


def seconds(moment: str | None) -> float:
    """A time of the API server's in seconds since 1970; 0 for none."""
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0


def standing(job: Waiting, tally: Tally, pools: Mapping[str, Capacity]) -> tuple[Bound, str] | None:
    """What keeps a waiting job out of all its pools now, and that in words; None for nothing."""
    bounds = {name: tally.bound(job, name, pools[name]) for name in job.pools if name in pools}
    if not bounds or None in bounds.values():
        return None
    full = sorted(name for name, bound in bounds.items() if bound is Bound.PLACES)
    if full:
        places = sum(pools[name].places for name in full)
        which = f"pool {full[0]}" if len(full) == 1 else f"pools {', '.join(full)}"
        return Bound.PLACES, f"all {places} places of {which} are taken"
    pool, bound = next(iter(sorted(bounds.items())))
    if bound is Bound.GROUP:
        running = tally.in_group(job.namespace, job.group)
        return bound, f"{running} of at most {job.group_limit} jobs of group {job.group} run"
    capacity = pools[pool]
    if bound is Bound.NAMESPACE:
        held, who = capacity.per_namespace, f"namespace {job.namespace} holds"
    else:
        held, who = capacity.per_submitter, f"{job.submitter or 'jobs without a submitter'} hold"
    return Bound(bound), f"{who} all {held} places of pool {pool} that one may have"


def _place(
    queue: Iterable[Waiting],
    floor: Floor,
    tally: Tally,
    pools: Iterable[str],
    *,
    beyond: bool = False,
) -> list[Placed]:
    """Give places away one by one, always in the pool with most room."""
    before: dict[str, list[Line]] = {name: [] for name in pools}
    for formed in form_lines(queue):
        for name in formed.head.pools if formed.head else ():
            if name in before:
                before[name].append(formed)
    fronts = {
        name: Front(name, floor, tally, limited=not beyond).form(lines)
        for name, lines in before.items()
        if lines
    }
    placed: list[Placed] = []
    while fronts:
        room = {name: tally.free(name, floor.pools[name]) for name in fronts}
        name = min(room, key=lambda pool: (-room[pool], pool))
        line = fronts[name].next() if beyond or room[name] > 0 else None
        if line is None or line.head is None:
            del fronts[name]
            continue
        one = Placed(line.head, name)
        tally.add(name, line.head)
        fronts[name].taken(one, floor.now + len(placed) * TURN)
        placed.append(one)
        line.step()
    return placed
