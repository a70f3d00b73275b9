"""When to try what failed again: a queue of jobs for one sink, as data. Pure; times are passed in.

Two clocks: a job whose event fails waits longer each time, and so does the whole sink, until
something is accepted: a sink that is down is not asked by every job in turn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """Doubling from `first` to `longest` seconds, half of it by chance, so that none coincide."""

    first: float = 1.0
    longest: float = 300.0

    def seconds(self, failures: int, chance: float) -> float:
        """How long to wait after so many failures in a row; `chance` is from 0 up to 1."""
        whole = min(self.first * 2.0 ** min(failures - 1, 30), self.longest)
        return whole * (0.5 + chance / 2)


@dataclass
class _Lane:
    ready: float
    failures: int = 0


@dataclass
class Lanes:
    """The jobs that have something for a sink, each with the time when it may be tried."""

    backoff: Backoff
    chance: Callable[[], float]
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _failures: int = 0  # of the sink, in a row
    _opens: float = 0.0

    def __len__(self) -> int:
        return len(self._lanes)

    def add(self, uid: str, now: float) -> None:
        """A job may have something. One that waits goes on waiting."""
        self._lanes.setdefault(uid, _Lane(now))

    def drop(self, uid: str) -> None:
        """A job has nothing more."""
        self._lanes.pop(uid, None)

    def next(self) -> tuple[str, float] | None:
        """Whose turn it is, and not before when; None if nobody waits."""
        if not self._lanes:
            return None
        uid, lane = min(self._lanes.items(), key=lambda item: item[1].ready)
        return uid, max(lane.ready, self._opens)

    def accepted(self, uid: str, now: float) -> None:
        """The sink took something; the next event of that job comes behind the others'."""
        self._failures, self._opens = 0, 0.0
        if uid in self._lanes:
            self._lanes[uid] = _Lane(now)

    def failed(self, uid: str, now: float, *, after: float = 0.0) -> float:
        """It did not; try again after `after` seconds at the earliest. In how many that is."""
        self._failures += 1
        lane = self._lanes.get(uid) or _Lane(now)  # it may have been dropped meanwhile
        lane.failures += 1
        chance = self.chance()
        pause = max(self.backoff.seconds(self._failures, chance), after)
        self._opens = now + pause
        lane.ready = now + max(self.backoff.seconds(lane.failures, chance), after)
        return max(lane.ready, self._opens) - now
