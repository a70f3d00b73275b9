"""From the spool into the bucket: one attempt's chunks, in order, again until they are there.

Used by attempts.py. A chunk that is full goes at once; an open one about every second, less often
as it grows, since it is sent as a whole each time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from cijob_gateway.archiver import metrics
from cijob_gateway.archiver.spools import LogSpool, Segment
from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import chunk_name
from cijob_gateway.store import Store

T = TypeVar("T")
logger = logging.getLogger(__name__)
# An open chunk is sent after so many seconds, and one more for each MiB that was sent before.
FLUSH_SECONDS = 1.0
MIB = 2**20
AGAIN_SECONDS = (0.2, 0.5, 1, 2, 5)
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Bucket:
    """The store, as all attempts share it."""

    store: Store
    slots: asyncio.Semaphore
    """So many chunks are in memory at a time."""
    check: Callable[[], None]
    """Raises LeaseLost unless this process may write."""
    flush_seconds: float = FLUSH_SECONDS

    async def put(self, name: str, content: bytes, kind: str) -> None:
        """Store a small object, however long it takes. Raises LeaseLost."""

        async def put() -> None:
            self.check()
            await self.store.put(name, content, kind=kind)

        await patiently(put)


@dataclass(frozen=True)
class Log:
    """Whose log."""

    namespace: str
    uid: str
    attempt: int


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """What a call to the store gives, repeated while the store is away."""
    failures = 0
    while True:
        try:
            return await work()
        except (Down, FileNotFoundError) as error:  # the bucket may be gone, and made again
            await pause(failures, error)
            failures += 1


async def pause(failures: int, error: Exception) -> None:
    """Wait before a call to the store is repeated, longer each time."""
    if failures == 0:
        logger.warning("the object store does not answer: %s", error)
    await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])


async def upload(log: Log, spool: LogSpool, bucket: Bucket) -> None:
    """Store everything that comes into the spool until it is finished. Raises LeaseLost."""
    failures = 0
    while not (spool.finished and spool.next is None):
        segment = spool.next
        if segment is None:
            spool.news.clear()
            await spool.news.wait()
            continue
        if not segment.closed:
            spool.urgent.clear()
            with suppress(TimeoutError):
                seconds = bucket.flush_seconds + segment.stored / MIB
                await asyncio.wait_for(spool.urgent.wait(), seconds)
        try:
            size = await _store(log, segment, bucket)
        except (Down, FileNotFoundError) as error:
            metrics.store_failures.inc()
            await pause(failures, error)
            failures += 1
        else:
            failures = 0
            spool.stored(segment, size)


async def _store(log: Log, segment: Segment, bucket: Bucket) -> int:
    """Store a chunk as far as it has come; how far that was."""
    async with bucket.slots:
        bucket.check()
        size, notes = segment.size, segment.notes
        content = await asyncio.to_thread(segment.read, size)
        name = chunk_name(log.namespace, log.uid, log.attempt, segment.offset)
        await bucket.store.put(name, content, kind=TEXT, metadata=notes.metadata())
    metrics.stored_bytes.inc(size)
    return size
