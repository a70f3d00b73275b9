"""The keyed queue between what happens in the cluster and what is done about it.

Events, timers and the resync add keys; workers take them. One key is never worked on by two
workers at a time, and added while it is being worked on it comes again afterwards: no event is
lost, and many become one. Failures come back after a growing delay. No I/O here; the clock is the
event loop's.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 60.0


class WorkQueue(Generic[K]):
    """Keys waiting to be worked on, now or later; use from one event loop only."""

    def __init__(self) -> None:
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()  # in _ready
        self._working: set[K] = set()
        self._again: set[K] = set()  # added while being worked on
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._idle: deque[asyncio.Future[None]] = deque()  # workers without a key
        self._alarm: asyncio.Handle | None = None  # for the first of _timers
        self._alarm_due: float | None = None

    def add(self, key: K) -> None:
        """Have the key worked on as soon as a worker is free."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._wake_one()

    def add_later(self, key: K, seconds: float) -> None:
        """Have the key worked on after `seconds`; of several such times the earliest counts."""
        due = self._now() + max(seconds, 0)
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        heapq.heappush(self._timers, (due, next(self._order), key))
        self._set_alarm()

    def retry(self, key: K) -> float:
        """Have the key worked on again after a failure; return the delay, which doubles."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 20), LAST_RETRY_SECONDS)
        self.add_later(key, seconds)
        return seconds

    async def get(self) -> K:
        """The next key, once there is one; the caller must say `done` of it."""
        while not self._ready:
            await self._sleep()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._working.add(key)
        return key

    async def _sleep(self) -> None:
        """Wait for a key: each key wakes one worker, not all of them."""
        sleeper = asyncio.get_running_loop().create_future()
        self._idle.append(sleeper)
        try:
            await sleeper
        except asyncio.CancelledError:
            if sleeper in self._idle:
                self._idle.remove(sleeper)
            elif self._ready:
                self._wake_one()  # it was meant for a worker that ends
            raise

    def _wake_one(self) -> None:
        while self._idle:
            sleeper = self._idle.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                return

    def done(self, key: K) -> None:
        """The worker has finished with the key, well or badly."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def forget_failures(self, key: K) -> None:
        """The key went well: its next failure starts with the shortest delay again."""
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """The key's object is gone: drop its timer and its failures."""
        self._failures.pop(key, None)
        self._due.pop(key, None)

    def __len__(self) -> int:
        """How many keys wait for a worker now."""
        return len(self._ready)

    def _set_alarm(self) -> None:
        """Have `_promote_due` called when the first timer is due."""
        while self._timers and self._due.get(self._timers[0][2]) != self._timers[0][0]:
            heapq.heappop(self._timers)  # replaced by an earlier one, or forgotten
        due = self._timers[0][0] if self._timers else None
        if self._alarm and self._alarm_due == due:
            return
        if self._alarm:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_at(due, self._promote_due) if due is not None else None
        self._alarm_due = due  # an alarm itself cannot say, in uvloop, if it is due at once

    def _promote_due(self) -> None:
        """Move what is due to the ready ones."""
        self._alarm = None
        while self._timers and self._timers[0][0] <= self._now():
            due, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._set_alarm()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
