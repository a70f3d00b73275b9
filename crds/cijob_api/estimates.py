"""How long a job will wait, guessed from how long others took. Pure; never written anywhere.

Used by the gateway for people. A guess says what it rests on: a pool with a history gives a place
back each `typical ÷ places` seconds; without one, a job is taken for 300 s and the places that are
free now for all that there will be.
"""

from collections.abc import Iterable, Iterator
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


def waits(line: Iterable[History], *, places: int, free: int) -> Iterator[float]:
    """How long each job of a line waits behind those before it in a pool.

    `places` are all of the pool's, `free` those that nobody holds. A job that is next while a place
    is free waits for nothing.
    """
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
