"""What each sink has of a job, in the bucket: what was accepted is never sent again.

One small object a job, `<namespace>/job/<uid>/notified.json`, beside its log and swept with it. It
is written when a sink has accepted something, before that sink is told anything else: a process
that is killed in between repeats one event, by the same id, and no more.
"""

import asyncio
import json
import logging
from collections.abc import Collection

from cijob_gateway.archiver.uploads import Bucket, patiently
from cijob_gateway.logs.archive import job_prefix

logger = logging.getLogger(__name__)
JSON = "application/json"
ACCEPTED = "accepted"
GIVEN_UP = "given up"

Settled = dict[str, dict[str, str]]


def cursor_name(namespace: str, uid: str) -> str:
    """Where it lies in the bucket."""
    return f"{job_prefix(namespace, uid)}notified.json"


class Cursor:
    """What is settled of one job, by sink and place."""

    def __init__(self, bucket: Bucket, name: str, settled: Settled) -> None:
        self._bucket = bucket
        self._name = name
        self._settled = settled
        self._lock = asyncio.Lock()
        self._changes = 0
        self._stored = 0

    @classmethod
    async def load(cls, bucket: Bucket, namespace: str, uid: str) -> "Cursor":
        """Read what an archiver before this one has left; waits while the store is away."""
        name = cursor_name(namespace, uid)

        async def read() -> bytes:
            try:
                return (await bucket.store.get(name)).content
            except FileNotFoundError:
                return b"{}"

        return cls(bucket, name, _parse(name, await patiently(read)))

    def of(self, sink: str) -> dict[str, str]:
        """What is settled with a sink, by place."""
        return self._settled.setdefault(sink, {})

    async def settle(self, sink: str, words: dict[str, str], *, known: Collection[str]) -> None:
        """Note what became of these places, and store it; places not `known` are forgotten.

        Several sinks that come at a time share a write. Raises LeaseLost.
        """
        of_sink = {place: said for place, said in self.of(sink).items() if place in known}
        self._settled[sink] = of_sink | words
        self._changes += 1
        wanted = self._changes
        async with self._lock:
            if self._stored >= wanted:
                return
            state = self._changes
            content = json.dumps(self._settled, separators=(",", ":")).encode()
            await self._bucket.put(self._name, content, JSON)
            self._stored = state


def _parse(name: str, content: bytes) -> Settled:
    try:
        found = json.loads(content)
        return {
            str(sink): {str(place): str(said) for place, said in places.items()}
            for sink, places in found.items()
        }
    except (ValueError, AttributeError):
        logger.exception("what was notified of a job cannot be read", extra={"object": name})
        return {}
