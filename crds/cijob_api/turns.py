"""Whose turn it is before a pool: the order of a queue while places are given away.

Used by `admission`, which states the rules. Pure; nothing is kept from one call to the next.
"""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heapreplace
from operator import attrgetter
from typing import Generic, Self, TypeVar

from cijob_api.places import Floor, Placed, Tally, Tenant, Waiting, take_turns

_by_age = attrgetter("since", "namespace", "name")
_alike = attrgetter("pools", "namespace", "submitter", "priority", "group", "group_limit")


class Line:
    """Jobs that differ in age only, so that the first of them speaks for all."""

    __slots__ = ("_at", "_jobs", "head")

    def __init__(self, first: Waiting) -> None:
        self._jobs = [first]
        self._at = 0
        self.head: Waiting | None = first
        """The oldest that has no place; None if all have."""

    def append(self, job: Waiting) -> None:
        """Behind all others: it is younger."""
        self._jobs.append(job)

    def step(self) -> None:
        """The head has got a place."""
        self._at += 1
        self.head = self._jobs[self._at] if self._at < len(self._jobs) else None


def form_lines(queue: Iterable[Waiting]) -> list[Line]:
    """All that wait, by what they have in common; in each the oldest first."""
    found: dict[tuple[object, ...], Line] = {}
    for job in sorted(queue, key=_by_age):
        alike = _alike(job)
        if alike in found:
            found[alike].append(job)
        else:
            found[alike] = Line(job)
    return list(found.values())


T = TypeVar("T")
_Key = tuple[float | str, ...]


class _Ranking(Generic[T]):
    """Things in an order in which each can only fall back while places are given away.

    Holders become more, turns and heads younger. So a key that is out of date is too small, and is
    found when it comes to the front; a key of None is the end of a thing.
    """

    def __init__(self, things: Iterable[T], key: Callable[[T], _Key | None]) -> None:
        self._key = key
        keyed = ((key(thing), number, thing) for number, thing in enumerate(things))
        self._heap = [(found, number, thing) for found, number, thing in keyed if found is not None]
        heapify(self._heap)

    def front(self) -> T | None:
        """The first one now; None if there is none left."""
        heap = self._heap
        while heap:
            key, number, thing = heap[0]
            now = self._key(thing)
            if now == key:
                return thing
            if now is None:
                heappop(heap)
            else:
                heapreplace(heap, (now, number, thing))
        return None


class _Space:
    """A namespace's lines of one priority, before one pool."""

    def __init__(self, name: str, lines: list[Line], front: "Front") -> None:
        self.name = name
        self._front = front
        self.lines = _Ranking(lines, self._rank)
        self._ages = _Ranking(lines, front.age)

    def oldest(self) -> float | None:
        """Since when the oldest of those that could start has waited."""
        line = self._ages.front()
        return line.head.since if line and line.head else None

    def _rank(self, line: Line) -> _Key | None:
        if self._front.age(line) is None or line.head is None:
            return None
        head = line.head
        taken = self._front.share((self._front.pool, head.namespace, head.submitter), head.since)
        return (*taken, head.since, head.name)


class _Class:
    """The lines of one priority, before one pool."""

    def __init__(self, priority: int, lines: list[Line], front: "Front") -> None:
        self._priority = priority
        self._front = front
        by_namespace: dict[str, list[Line]] = {}
        for line in lines:
            if line.head:
                by_namespace.setdefault(line.head.namespace, []).append(line)
        spaces = [_Space(name, found, front) for name, found in by_namespace.items()]
        self._spaces = _Ranking(spaces, self._rank)
        self._ages = _Ranking(spaces, lambda space: _single(space.oldest()))

    def next(self) -> Line | None:
        """The line whose turn it is."""
        space = self._spaces.front()
        return space.lines.front() if space else None

    def key(self) -> _Key | None:
        """The class's level, then the rank of its first job."""
        space, eldest = self._spaces.front(), self._ages.front()
        oldest = eldest.oldest() if eldest else None
        line = space.lines.front() if space else None
        if space is None or oldest is None or line is None or line.head is None:
            return None
        floor, head = self._front.floor, line.head
        level = self._priority + max(floor.now - oldest, 0.0) // floor.aging_seconds
        return (-level, *(self._rank(space) or ()), head.since, head.name)

    def _rank(self, space: _Space) -> _Key | None:
        oldest = space.oldest()
        if oldest is None:
            return None
        return (*self._front.share((self._front.pool, space.name), oldest), space.name)


class Front:
    """All that wait before one pool."""

    def __init__(self, pool: str, floor: Floor, tally: Tally, *, limited: bool) -> None:
        self.pool = pool
        self.floor = floor
        self._limits = floor.pools[pool] if limited else None
        self._tally = tally
        self._turns: dict[Tenant, float] = {}
        self._classes: _Ranking[_Class]

    def form(self, lines: list[Line]) -> Self:
        """Put lines in order."""
        by_priority: dict[int, list[Line]] = {}
        for line in lines:
            if line.head:
                by_priority.setdefault(line.head.priority, []).append(line)
        classes = [_Class(priority, found, self) for priority, found in by_priority.items()]
        self._classes = _Ranking(classes, _Class.key)
        return self

    def next(self) -> Line | None:
        """The line whose head goes next; None if nobody here can."""
        best = self._classes.front()
        return best.next() if best else None

    def age(self, line: Line) -> _Key | None:
        """Since when a line's head has waited; None if it cannot start, or there is none."""
        head = line.head
        if head is None:
            return None
        limited = self._limits and self._tally.limit(head, self.pool, self._limits)
        return None if limited else (head.since,)

    def share(self, tenant: Tenant, since: float) -> tuple[int, float]:
        """What a tenant holds, and when it had its turn.

        Who comes new has had its turn when it came: a stream of new ones passes nobody.
        """
        turn = self._turns.get(tenant) or self.floor.turns.get(tenant, 0.0)
        return self._tally.held(*tenant), max(turn, since)

    def taken(self, placed: Placed, now: float) -> None:
        """A place was given away here."""
        take_turns(self._turns, [placed], now)


def _single(number: float | None) -> _Key | None:
    return None if number is None else (number,)
