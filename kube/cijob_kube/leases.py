"""Leadership: one process acts, the others stand by. Used by the operator and the archiver.

A Lease object (coordination.k8s.io/v1) names the holder. Time is measured by this process's own
monotonic clock from what it saw, never by comparing clocks of two machines: a holder that could
not renew for `renew_seconds` stops writing well before anyone else may begin, and a candidate
waits a full `lease_seconds` in which it saw no renewal.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from cijob_kube.errors import AlreadyExists, ApiError, Conflict, Gone, LeaseLost

logger = logging.getLogger(__name__)


class LeaseStore(Protocol):
    """Where the Lease is kept: the API server, or a test's own."""

    async def get(self, path: str) -> dict[str, Any]: ...
    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]: ...
    async def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class LeaseTimes:
    """All in seconds: how long a lease lasts, when a holder gives up, how often it renews."""

    lease_seconds: float = 15
    renew_seconds: float = 10
    retry_seconds: float = 2


class Leadership:
    """This process's claim to lead. `check()` before every write."""

    def __init__(
        self,
        store: LeaseStore,
        name: str,
        namespace: str,
        *,
        identity: str,
        times: LeaseTimes,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._identity = identity
        self._times = times
        self._monotonic = monotonic
        self._renewed: float | None = None  # when our last successful renewal was *sent*
        # Another holder and its last renewal, and since when we have seen just that.
        self._seen: tuple[tuple[str, str], float] | None = None

    def check(self) -> None:
        """Raise LeaseLost unless this process may write now."""
        if not self.holds:
            raise LeaseLost("this process does not hold the lease")

    @property
    def holds(self) -> bool:
        """Whether this process leads, by its own clock."""
        return (
            self._renewed is not None
            and self._monotonic() - self._renewed < self._times.renew_seconds
        )

    async def acquire(self) -> None:
        """Return once this process leads."""
        told = None
        while not await self._try():
            holder = self._seen[0][0] if self._seen else None
            if holder and holder != told:
                told = holder
                logger.info("standing by: %s leads", holder, extra={"lease": self._name})
            await asyncio.sleep(self._times.retry_seconds)
        logger.info("leading", extra={"lease": self._name, "identity": self._identity})

    async def hold(self) -> None:
        """Renew until that fails for too long, or until someone else leads; then LeaseLost."""
        while True:
            await asyncio.sleep(self._times.retry_seconds)
            taken = not await self._try()
            if (taken and self._seen is not None) or not self.holds:
                self._renewed = None
                raise LeaseLost("the lease could not be renewed in time")

    async def release(self) -> None:
        """Give the lease back, so that a standby need not wait; failing is no harm."""
        if self._renewed is None:
            return
        self._renewed = None
        try:
            lease = await self._store.get(f"{self._collection}/{self._name}")
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"]["holderIdentity"] = ""
                await self._store.replace(f"{self._collection}/{self._name}", lease)
        except ApiError as error:
            logger.warning("the lease was not released: %s", error)

    async def _try(self) -> bool:
        """One attempt to take or renew; whether this process leads now."""
        sent = self._monotonic()
        try:
            if not await self._take_or_renew():
                return False
        except (Conflict, AlreadyExists):
            return False  # somebody else was faster; the next look shows who
        except ApiError as error:
            logger.warning("the lease could not be renewed: %s", error)
            return self.holds
        self._renewed = sent
        self._seen = None
        return True

    async def _take_or_renew(self) -> bool:
        path = f"{self._collection}/{self._name}"
        try:
            lease = await self._store.get(path)
        except Gone:
            body = {"metadata": {"name": self._name}, "spec": self._spec({})}
            await self._store.create(
                self._collection,
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **body},
            )
            return True
        if not self._may_take(lease["spec"]):
            return False
        lease["spec"] = self._spec(lease["spec"])
        await self._store.replace(path, lease)  # carries resourceVersion: one can win
        return True

    def _may_take(self, spec: dict[str, Any]) -> bool:
        holder = spec.get("holderIdentity")
        if holder == self._identity or not holder:
            self._seen = None
            return True
        record = (str(holder), str(spec.get("renewTime")))
        now = self._monotonic()
        if self._seen is None or self._seen[0] != record:
            self._seen = (record, now)
        # The holder's own duration counts, should it have been started with a longer one.
        lasts = max(float(spec.get("leaseDurationSeconds") or 0), self._times.lease_seconds)
        return now - self._seen[1] > lasts

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = before.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._times.lease_seconds),
            "acquireTime": before.get("acquireTime") if same else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if same else 1),
        }
