"""How long a job will wait, guessed from how long others took. Pure; never written anywhere.

Used by the gateway for people. A guess says what it rests on: a pool with a history gives a place
back each `typical ÷ places` seconds; without one, a job is taken for 300 s and the places that are
free now for all that there will be.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

NO_HISTORY_SECONDS = 300
# A dozen tells the usual from the odd one; what was a week ago says little.
REMEMBERED = 20


@dataclass(frozen=True)
class History:
    """How long the last jobs of a template took in a pool, in seconds; the newest last."""

    seconds: tuple[float, ...] = ()

    def add(self, seconds: float) -> "History":
        """One more."""
        return History((*self.seconds, seconds)[-REMEMBERED:])

    @property
    def typical(self) -> float | None:
        """What is to be expected of the next; None if nothing is known."""
        return median(self.seconds) if self.seconds else None


def wait_seconds(ahead: Sequence[History], own: History, *, places: int, free: int) -> float:
    """How long a job waits behind those ahead of it in a pool.

    `places` are all of the pool's, `free` those that nobody holds. A job that is next while a place
    is free waits for nothing.
    """
    if free > len(ahead):
        return 0.0
    if not any(history.seconds for history in (*ahead, own)):
        return (len(ahead) + 1) * NO_HISTORY_SECONDS / max(free, 1)
    expected = (history.typical or NO_HISTORY_SECONDS for history in (*ahead, own))
    return sum(expected) / max(places, 1)


def waits(line: Iterable[History], *, places: int, free: int) -> Iterator[float]:
    """What `wait_seconds` says of each job of a line behind those before it, in one pass."""
    expected, known = 0.0, False
    for number, own in enumerate(line):
        expected += own.typical or NO_HISTORY_SECONDS
        known = known or bool(own.seconds)
        if free > number:
            yield 0.0
        elif known:
            yield expected / max(places, 1)
        else:
            yield expected / max(free, 1)
