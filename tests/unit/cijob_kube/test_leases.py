"""Two processes never lead at a time, by anybody's clock."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from cijob_kube.errors import AlreadyExists, Conflict, Gone, LeaseLost, Unavailable
from cijob_kube.leases import Leadership, LeaseTimes


class Store:
    """A Lease with the API server's own rules on conflicts, and a plug to pull."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    async def get(self, path: str) -> dict[str, Any]:
        self._answer()
        if self.lease is None:
            raise Gone(404, "NotFound", "no lease")
        return deepcopy(self.lease)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._answer()
        if self.lease is not None:
            raise AlreadyExists(409, "AlreadyExists", "there is one")
        return self._store(body)

    async def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._answer()
        assert self.lease is not None
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed")
        return self._store(body)

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(0, "", "away")

    def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.lease = deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return self.lease


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


TIMES = LeaseTimes(lease_seconds=15, renew_seconds=10, retry_seconds=2)


def candidate(store: Store, name: str, clock: Clock) -> Leadership:
    return Leadership(store, "lease", "ns", identity=name, times=TIMES, monotonic=clock)


def attempt(who: Leadership) -> bool:
    return asyncio.run(who._try())


def test_the_first_one_leads_and_the_second_waits_for_a_whole_lease() -> None:
    store, one, two = Store(), Clock(), Clock()
    first, second = candidate(store, "first", one), candidate(store, "second", two)
    assert attempt(first)
    assert not attempt(second)
    two.now += 15
    assert not attempt(second)
    two.now += 0.1
    assert attempt(second)


def test_a_renewal_starts_the_seconds_wait_anew() -> None:
    store, one, two = Store(), Clock(), Clock()
    first, second = candidate(store, "first", one), candidate(store, "second", two)
    assert attempt(first)
    assert not attempt(second)
    one.now += 9
    assert attempt(first)
    two.now += 15.1
    assert not attempt(second)


def test_a_holder_that_slept_stops_writing_before_another_may_begin() -> None:
    store, clock = Store(), Clock()
    first = candidate(store, "first", clock)
    assert attempt(first)
    clock.now += 9.9
    first.check()
    clock.now += 0.1
    with pytest.raises(LeaseLost):
        first.check()


def test_a_holder_that_finds_another_holder_leads_no_more() -> None:
    store, one, two = Store(), Clock(), Clock()
    first, second = candidate(store, "first", one), candidate(store, "second", two)
    assert attempt(first)
    assert not attempt(second)
    two.now += 16
    assert attempt(second)
    assert not attempt(first)  # by its own clock it has still 10 s, but it saw the other


def test_a_short_absence_of_the_api_server_is_survived() -> None:
    store, clock = Store(), Clock()
    first = candidate(store, "first", clock)
    assert attempt(first)
    store.away = True
    clock.now += 5
    assert attempt(first)
    clock.now += 5
    assert not attempt(first)


def test_the_time_counts_from_when_the_renewal_was_sent() -> None:
    clock = Clock()

    class Slow(Store):
        async def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = await super().replace(path, body)
            clock.now += 8
            return answer

    first = candidate(Slow(), "first", clock)
    assert attempt(first)
    assert attempt(first)
    clock.now += 2
    assert not first.holds


def test_of_two_that_create_at_once_one_leads() -> None:
    class Race(Store):
        async def get(self, path: str) -> dict[str, Any]:
            raise Gone(404, "NotFound", "no lease")

    store, clock = Race(), Clock()
    both = [candidate(store, name, clock) for name in ("first", "second")]
    assert [attempt(who) for who in both] == [True, False]


def test_a_released_lease_is_taken_at_once() -> None:
    store, clock = Store(), Clock()
    first, second = (candidate(store, name, clock) for name in ("first", "second"))
    assert attempt(first)
    asyncio.run(first.release())
    assert not first.holds
    assert attempt(second)


def test_transitions_are_counted_and_the_time_of_taking_is_kept() -> None:
    store, clock = Store(), Clock()
    first, second = (candidate(store, name, clock) for name in ("first", "second"))
    attempt(first)
    attempt(first)
    assert store.lease is not None
    assert store.lease["spec"]["leaseTransitions"] == 1
    asyncio.run(first.release())
    attempt(second)
    assert store.lease["spec"]["leaseTransitions"] == 2
