"""Who waits for a place, who holds one, and how many there are.

What `admission` is given and gives; values, and a count of them. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

AGING_SECONDS = 300.0
# In seconds: turns taken at one moment have an order, too.
TURN = 1e-6

Tenant = tuple[str, ...]
"""Of a pool: (pool, namespace), and (pool, namespace, submitter)."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that could start now, and what decides its place."""

    namespace: str
    name: str
    since: float
    """When it was queued, in seconds since 1970."""
    pools: tuple[str, ...]
    """The pools that it fits."""
    submitter: str = ""
    """Who submitted it; nobody, if it was made without the gateway."""
    priority: int = 0
    group: str = ""
    """A name within the namespace; empty for none."""
    group_limit: int = 1
    """How many of the group may run for this one to start."""
    supersedes: bool = False
    """It takes the place of older ones of its group."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A job that holds a place."""

    namespace: str
    name: str
    pool: str
    since: float = 0.0
    submitter: str = ""
    group: str = ""
    supersedes: bool = False


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a pool offers."""

    places: int
    per_namespace: int | None = None
    per_submitter: int | None = None


@dataclass(frozen=True)
class Floor:
    """Everything but the queue: the pools, who holds a place, whose turn it was when."""

    pools: Mapping[str, Capacity]
    holding: Iterable[Holding]
    now: float
    aging_seconds: float = AGING_SECONDS
    turns: Mapping[Tenant, float] = field(default_factory=dict)
    """When each tenant was admitted last, in seconds since 1970; nothing breaks if it is lost."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A job that may start, in this pool."""

    job: Waiting
    pool: str

    @property
    def tenants(self) -> tuple[Tenant, Tenant]:
        """Whose turn it was."""
        job = self.job
        return (self.pool, job.namespace), (self.pool, job.namespace, job.submitter)


class Bound(Enum):
    """Which limit a job runs into."""

    PLACES = "places"
    NAMESPACE = "namespace"
    SUBMITTER = "submitter"
    GROUP = "group"


def person(pool: str, job: Waiting | Holding) -> Tenant:
    """Whom a pool's limit per submitter counts, over all namespaces; for nobody, the namespace."""
    return (pool, "", job.submitter) if job.submitter else (pool, job.namespace)


def take_turns(turns: dict[Tenant, float], placed: Iterable[Placed], now: float) -> None:
    """Remember whose turn it was."""
    for number, one in enumerate(placed):
        turns.update(dict.fromkeys(one.tenants, now + number * TURN))


class Tally:
    """How many places are held, by whom."""

    def __init__(self) -> None:
        self._held: dict[Tenant, int] = {}  # not a Counter: most are asked for in vain
        self._people: dict[Tenant, int] = {}
        self._groups: dict[Tenant, int] = {}

    @classmethod
    def of(cls, holding: Iterable[Holding]) -> "Tally":
        """Count those who hold a place."""
        tally = cls()
        for job in holding:
            tally.add(job.pool, job)
        return tally

    def add(self, pool: str, job: Waiting | Holding) -> None:
        """One more place is held."""
        held, space = self._held, job.namespace
        for tenant in ((pool,), (pool, space), (pool, space, job.submitter)):
            held[tenant] = held.get(tenant, 0) + 1
        who = person(pool, job)
        self._people[who] = self._people.get(who, 0) + 1
        if job.group:
            self._groups[(space, job.group)] = self.in_group(space, job.group) + 1

    def held(self, *tenant: str) -> int:
        """How many places of a pool are held: by all, a namespace, or a submitter in it."""
        return self._held.get(tenant, 0)

    def in_group(self, namespace: str, group: str) -> int:
        """How many jobs of a group hold a place."""
        return self._groups.get((namespace, group), 0)

    def free(self, pool: str, capacity: Capacity) -> int:
        """How many places of a pool are free; below 0 if it was made smaller."""
        return capacity.places - self.held(pool)

    def limit(self, job: Waiting, pool: str, capacity: Capacity) -> Bound | None:
        """Which limit other than the pool's places the job runs into, if any."""
        if job.group and self.in_group(job.namespace, job.group) >= job.group_limit:
            return Bound.GROUP
        most = capacity.per_namespace
        if most is not None and self._held.get((pool, job.namespace), 0) >= most:
            return Bound.NAMESPACE
        most = capacity.per_submitter
        if most is not None and self._people.get(person(pool, job), 0) >= most:
            return Bound.SUBMITTER
        return None

    def bound(self, job: Waiting, pool: str, capacity: Capacity) -> Bound | None:
        """What keeps the job out of that pool now: a limit of its own first, for it lasts."""
        limited = self.limit(job, pool, capacity)
        return limited or (Bound.PLACES if self.free(pool, capacity) <= 0 else None)
