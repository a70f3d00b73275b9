"""Who may start: one pure function over the whole queue.

The operator runs it to admit, the gateway to tell a position. Here: one pool, jobs of higher
priority first, among equals the one that waits longest.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Waiting:
    """A job that could start now. Ordered as the queue is."""

    precedence: int  # minus its priority
    created: str  # RFC 3339
    namespace: str
    name: str


def waiting(namespace: str, name: str, *, priority: int, created: str) -> Waiting:
    """A waiting job by what decides its place."""
    return Waiting(-priority, created, namespace, name)


def admit(queue: Iterable[Waiting], *, taken: int, places: int) -> list[Waiting]:
    """Those who may start now, in order: as many as there are free places, none if over-full."""
    return sorted(queue)[: max(places - taken, 0)]
