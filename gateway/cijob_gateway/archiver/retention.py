"""What is old goes: the archives of jobs whose CIJobs are gone, a while after the last byte.

Run by the leader. A CIJob that is there keeps its archive, whatever its age.
"""

import logging
from datetime import datetime, timedelta

from cijob_gateway.archiver import metrics
from cijob_gateway.logs.archive import Entry
from cijob_gateway.store import Store
from cijob_gateway.twins import Twin

logger = logging.getLogger(__name__)
SWEEP_SECONDS = 3600.0


def job_of(name: str) -> str | None:
    """The uid of the job that an object belongs to; None if it is no part of an archive."""
    parts = name.split("/")
    if len(parts) > 3 and parts[1] == "job":
        return parts[2]
    twin = Twin.parse(name)
    entry = twin.entry if twin else Entry.parse(name)
    return entry.uid if entry else None


async def sweep(store: Store, alive: set[str], now: datetime, *, retention: timedelta) -> int:
    """Remove what is older than `retention`, but nothing of the jobs in `alive`; how much it was.

    Raises Down.
    """
    newest: dict[str, datetime] = {}
    async for stored in store.all():
        if uid := job_of(stored.name):
            newest[uid] = max(newest.get(uid, stored.used), stored.used)
    old = {uid for uid, used in newest.items() if now - used > retention} - alive
    removed = 0
    async for stored in store.all():
        if job_of(stored.name) in old:
            await store.remove(stored.name)
            metrics.swept.inc()
            removed += 1
    if old:
        logger.info("removed old archives", extra={"jobs": len(old), "objects": removed})
    return removed
