"""Where each queued job stands, what is in front of it, and for how long. Pure.

Used by queues.py, which knows the jobs and pools. The order is `cijob_api.admission`'s, so that a
position here is the one that the operator admits by; nothing of it is written anywhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cijob_api.admission import order, standing
from cijob_api.estimates import History, waits
from cijob_api.places import Floor, Tally, Waiting

NEXT = "its turn is next"
Key = tuple[str, str]
"""Namespace and name."""
Habit = tuple[str, str]
"""Template and pool: jobs that are alike in both take about as long."""


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
    """1 for the next one of its pool."""
    seconds: int | None = None
    """How long it is likely to wait."""


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
    tally = Tally.of(floor.holding)
    before: dict[str, list[tuple[Queued, str]]] = defaultdict(list)
    for placed in order((job.waiting for job in jobs.values() if job.waiting), floor):
        found = standing(placed.job, tally, floor.pools)
        words = found[1] if found else NEXT
        before[placed.pool].append((jobs[placed.job.namespace, placed.job.name], words))
    lines, in_line = [], []
    for name, one in sorted(floor.pools.items()):
        free = max(tally.free(name, one), 0)
        ahead = [habits.get((job.template, name), History()) for job, _ in before[name]]
        # One more at the end, of whom nothing is known: whoever asks before submitting.
        *seconds, more = waits([*ahead, History()], places=one.places, free=free)
        lines.append(PoolLine(name, one.places, tally.held(name), len(ahead), round(more)))
        in_line += [
            Wait(job.namespace, job.name, words, name, position, round(wait))
            for position, ((job, words), wait) in enumerate(
                zip(before[name], seconds, strict=True), start=1
            )
        ]
    in_line.sort(key=lambda wait: (wait.seconds or 0, wait.position or 0))
    placed_jobs = {(wait.namespace, wait.name) for wait in in_line}
    others = [
        Wait(job.namespace, job.name, job.held_by or "no pool takes it")
        for key, job in sorted(jobs.items())
        if key not in placed_jobs
    ]
    return Look(tuple(lines), (*in_line, *others))


def habits_of(ended: Iterable[tuple[str, str, str, float]]) -> dict[Habit, History]:
    """How long jobs of each template took in each pool: its last ones.

    `ended` has a template, a pool, a time of the end as Kubernetes writes it, and seconds.
    """
    found: dict[Habit, History] = {}
    for template, pool, _, seconds in sorted(ended, key=lambda job: job[2]):
        habit = (template, pool)
        found[habit] = found.get(habit, History()).add(seconds)
    return found
