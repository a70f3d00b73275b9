"""Who waits, who may start, who holds a place, who takes whose: what admission needs to know.

Used by reconcile.py. All of it can be rebuilt from the cluster: places from Pods, waiting jobs by
looking at them again. Decides nothing itself: `cijob_api.admission` does.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from cijob_api.admission import admit, seconds, standing
from cijob_api.fitting import Pools, capacities
from cijob_api.objects import CIJob
from cijob_api.places import Floor, Holding, Placed, Tally, Tenant, Waiting, take_turns
from cijob_operator.groups import Groups
from cijob_operator.podviews import PodView
from cijob_operator.statuses import pool_of

Key = tuple[str, str]
ADMISSION: Key = ("", "")  # the key under which the whole queue is looked at
POOLS: Key = ("", "pools")  # and the one under which the pools' statuses are written


class JobQueue:
    """The queue of one operator; `look` is called with each job that there is news for."""

    def __init__(
        self, look: Callable[[Key], None], pools: Callable[[], Pools], *, aging_seconds: float
    ) -> None:
        self.pools = pools
        self._look = look
        self._aging_seconds = aging_seconds
        self._waiting: dict[Key, Waiting] = {}
        self._passed_over: set[Key] = set()
        self._admitted: dict[Key, Placed] = {}  # may start; their Pods are not created yet
        self._holding: dict[Key, Holding] = {}  # their containers run
        self._groups = Groups(look)
        self._turns: dict[Tenant, float] = {}
        self._tally: Tally | None = None

    def want(self, key: Key, job: Waiting) -> bool:
        """A job could start now; whether the queue has to be looked at for it."""
        placed = self._admitted.get(key)
        if placed and placed.pool in job.pools:
            return False  # admitted since it was looked at
        freed = self._free(key)
        # It may fit elsewhere by now, or run into other limits.
        changed = self._waiting.get(key) != job
        self._waiting[key] = job
        self._groups.join(key, job)
        return freed or changed or key not in self._passed_over

    def hold(self, key: Key, holding: Holding) -> None:
        """A job's containers run, or are about to."""
        self._stop_waiting(key)
        self._admitted.pop(key, None)
        if self._holding.get(key) != holding:
            self._holding[key] = holding
            self._tally = None
            self._groups.join(key, holding)

    def is_admitted(self, key: Key) -> bool:
        """Whether a job may start, and has no Pod yet."""
        return key in self._admitted

    def stay(self, key: Key, job: Waiting | None) -> bool:
        """A job can neither start nor runs, and is not over; whether it held a place.

        It stays in its group, as `job` if that is given.
        """
        if job:
            self._groups.join(key, job)
        self._stop_waiting(key)
        return self._free(key)

    def let_go(self, key: Key) -> bool:
        """A job is over, or gone; whether it held a place."""
        self._groups.leave(key)
        self._stop_waiting(key)
        return self._free(key)

    def place(self, key: Key) -> str:
        """The pool in which a job has a place; empty for none."""
        if key in self._admitted:
            return self._admitted[key].pool
        return self._holding[key].pool if key in self._holding else ""

    def admit(self, now: datetime) -> None:
        """Let in those whose turn it is, and look at whoever is passed over for the first time."""
        moment = now.timestamp()
        floor = Floor(
            capacities(self.pools()), list(self._held()), moment, self._aging_seconds, self._turns
        )
        placed = admit(self._waiting.values(), floor)
        take_turns(self._turns, placed, moment)
        for one in placed:
            key = (one.job.namespace, one.job.name)
            self._stop_waiting(key)
            self._admitted[key] = one
            self._tally = None
            self._look(key)
        for key in self._waiting.keys() - self._passed_over:
            self._passed_over.add(key)
            self._look(key)

    def passed_over(self, key: Key) -> str:
        """Why a job has to wait, in words, once the queue was looked at with it; else empty."""
        if key not in self._passed_over or key not in self._waiting:
            return ""
        if self._tally is None:
            self._tally = Tally.of(self._held())
        found = standing(self._waiting[key], self._tally, capacities(self.pools()))
        words = found[1] if found else "its turn has not come"
        return f"{words}; {len(self._waiting)} jobs wait"

    def superseded_by(self, key: Key) -> str:
        """The newest job that takes this one's place in its group; empty for none."""
        return self._groups.superseded_by(key)

    def counts(self, pool: str) -> tuple[int, int]:
        """How many hold a place of a pool, and how many wait that could have one."""
        waiting = sum(pool in job.pools for job in self._waiting.values())
        return sum(job.pool == pool for job in self._held()), waiting

    def _held(self) -> Iterator[Holding]:
        yield from self._holding.values()
        for key, one in self._admitted.items():
            if key not in self._holding:
                job = one.job
                yield Holding(
                    job.namespace, job.name, one.pool, submitter=job.submitter, group=job.group
                )

    def _stop_waiting(self, key: Key) -> None:
        self._waiting.pop(key, None)
        self._passed_over.discard(key)

    def _free(self, key: Key) -> bool:
        held = key in self._admitted or key in self._holding
        self._admitted.pop(key, None)
        self._holding.pop(key, None)
        if held:
            self._tally = None
        return held


def holding_of(job: CIJob, pod: PodView) -> Holding:
    """The place that a Pod of a job takes."""
    return Holding(
        job.metadata.namespace,
        job.metadata.name,
        pool_of(job, pod),
        since=seconds(job.metadata.creation_timestamp),
        submitter=pod.submitter,
        group=pod.group,
        supersedes=pod.supersedes,
    )
