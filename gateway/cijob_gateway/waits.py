"""Where each queued job stands, what is in front of it, and for how long. Pure.

Used by queues.py, which knows the jobs and pools. The order is `cijob_api.admission`'s, so that a
position here is the one that the operator admits by; nothing of it is written anywhere.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cijob_api.admission import order, standing
from cijob_api.estimates import History, waits
from cijob_api.places import Bound, Capacity, Floor, Placed, Tally, Waiting, person

NEXT = "its turn is next"
Key = tuple[str, str]
"""Namespace and name."""
Habit = tuple[str, str]
"""Template and pool: jobs that are alike in both take about as long."""

Limit = tuple[str, ...]
"""Of which kind, and whose."""


@dataclass(frozen=True)
class Queued:
    """A queued job: its place in the order, or why it has none."""

    namespace: str
    name: str
    template: str
    waiting: Waiting | None = None
    held_by: str = ""
    """What has to change before it can start, in words."""


@dataclass(frozen=True)
class Wait:
    """Where a queued job stands."""

    namespace: str
    name: str
    words: str
    """What it waits for."""
    pool: str | None = None
    """The pool that it is likely to run in; None for one that is in no line."""
    position: int | None = None
    """1 for the next one of its pool, or of those that the same limit holds back."""
    seconds: int | None = None
    """How long it is likely to wait."""
    limit: str | None = None
    """Whose limit holds it back, if one does: `group`, `namespace` or `submitter`."""


@dataclass(frozen=True)
class PoolLine:
    """A pool and the line before it."""

    name: str
    places: int
    running: int
    queued: int
    seconds: int
    """How long one more job would wait."""


@dataclass(frozen=True)
class Look:
    """The whole queue at one moment."""

    pools: tuple[PoolLine, ...] = ()
    waits: tuple[Wait, ...] = ()
    """In the order in which they are likely to start, then those that cannot."""


def look(queued: Iterable[Queued], floor: Floor, habits: Mapping[Habit, History]) -> Look:
    """Where everybody stands; `floor` has the pools, who holds a place, and the time."""
    jobs = {(job.namespace, job.name): job for job in queued}
    lines = _Lines(floor, habits)
    for placed in order((job.waiting for job in jobs.values() if job.waiting), floor):
        lines.add(jobs[placed.job.namespace, placed.job.name], placed)
    in_line = sorted(lines.waits(), key=lambda wait: (wait.seconds or 0, wait.position or 0))
    placed_jobs = {(wait.namespace, wait.name) for wait in in_line}
    others = [
        Wait(job.namespace, job.name, job.held_by or "no pool takes it")
        for key, job in sorted(jobs.items())
        if key not in placed_jobs
    ]
    return Look(tuple(lines.pools()), (*in_line, *others))


@dataclass(frozen=True)
class _Stand:
    """A job in a line."""

    job: Queued
    pool: str
    words: str
    in_front: int
    """How many are in front of it in the pool's line, whether it stands in that or in a limit's."""


class _Lines:
    """The lines before the pools, and those before limits that are reached.

    Who is at a limit stands in nobody's way, and waits for those who hold what it allows: a limit
    is a small pool without a free place.
    """

    def __init__(self, floor: Floor, habits: Mapping[Habit, History]) -> None:
        self._floor = floor
        self._habits = habits
        self._tally = Tally.of(floor.holding)
        self._pools: dict[str, list[_Stand]] = {name: [] for name in sorted(floor.pools)}
        self._limits: dict[tuple[Limit, int], list[_Stand]] = defaultdict(list)

    def add(self, job: Queued, placed: Placed) -> None:
        """One more, behind all that were added before."""
        capacity = self._floor.pools[placed.pool]
        found = standing(placed.job, self._tally, self._floor.pools)
        line = self._pools[placed.pool]
        stand = _Stand(job, placed.pool, found[1] if found else NEXT, len(line))
        limited = found is not None and found[0] is not Bound.PLACES
        bound = self._tally.limit(placed.job, placed.pool, capacity) if limited else None
        if bound:
            line = self._limits[_limit(bound, placed, capacity)]
        line.append(stand)

    def pools(self) -> Iterator[PoolLine]:
        """The pools, by name."""
        limited = Counter(stand.pool for line in self._limits.values() for stand in line)
        for name, line in self._pools.items():
            places, held = self._floor.pools[name].places, self._tally.held(name)
            *_, more = self._seconds(name)
            yield PoolLine(name, places, held, len(line) + limited[name], round(more))

    def waits(self) -> Iterator[Wait]:
        """Everybody's place."""
        before = {name: self._seconds(name) for name in self._pools}
        for name, line in self._pools.items():
            for position, (stand, seconds) in enumerate(zip(line, before[name], strict=False), 1):
                yield _wait(stand, position, seconds)
        for ((kind, *_), places), line in self._limits.items():
            own = waits(map(self._habit, line), places=places, free=0)
            for position, (stand, seconds) in enumerate(zip(line, own, strict=True), 1):
                # Once the limit leaves it a place, the pool must have one, too.
                longer = max(seconds, before[stand.pool][stand.in_front])
                yield _wait(stand, position, longer, limit=kind)

    def _seconds(self, pool: str) -> list[float]:
        """How long each job of a pool's line waits, and one more of whom nothing is known."""
        places = self._floor.pools[pool].places
        free = max(places - self._tally.held(pool), 0)
        line = [*map(self._habit, self._pools[pool]), History()]
        return list(waits(line, places=places, free=free))

    def _habit(self, stand: _Stand) -> History:
        return self._habits.get((stand.job.template, stand.pool), History())


def _limit(bound: Bound, placed: Placed, capacity: Capacity) -> tuple[Limit, int]:
    """Whose limit a job is at, and how many it lets run."""
    job, pool = placed.job, placed.pool
    if bound is Bound.GROUP:
        return (bound.value, job.namespace, job.group), job.group_limit
    if bound is Bound.NAMESPACE:
        return (bound.value, pool, job.namespace), capacity.per_namespace or 1
    return (bound.value, *person(pool, job)), capacity.per_submitter or 1


def _wait(stand: _Stand, position: int, seconds: float, *, limit: str | None = None) -> Wait:
    job = stand.job
    return Wait(
        job.namespace, job.name, stand.words, stand.pool, position, round(seconds), limit=limit
    )


def habits_of(ended: Iterable[tuple[str, str, str, float]]) -> dict[Habit, History]:
    """How long jobs of each template took in each pool: its last ones.

    `ended` has a template, a pool, a time of the end as Kubernetes writes it, and seconds.
    """
    found: dict[Habit, History] = {}
    for template, pool, _, seconds in sorted(ended, key=lambda job: job[2]):
        habit = (template, pool)
        found[habit] = found.get(habit, History()).add(seconds)
    return found
