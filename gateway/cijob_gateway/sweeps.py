"""What nobody else removes: sources that nothing uses, and jobs whose making was cut short.

Every gateway sweeps; doing it twice does no harm.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from cijob_api import names
from cijob_api.objects import CIJob
from cijob_gateway import metrics
from cijob_gateway.errors import Problem
from cijob_gateway.jobs import Jobs
from cijob_gateway.named import Named
from cijob_gateway.store import Store, Stored
from cijob_gateway.watches import Json, Watch
from cijob_kube.errors import ApiError

logger = logging.getLogger(__name__)
HALF_MADE = timedelta(minutes=5)
STAGED = timedelta(days=1)
JOBS_SECONDS = 60.0
SOURCES_SECONDS = 3600.0


async def often(seconds: float, sweep: Callable[[], Awaitable[None]]) -> None:
    """Sweep again and again; not all gateways at the same moment."""
    while True:
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311
        try:
            await sweep()
        except (Problem, ApiError) as error:
            logger.warning("a sweep was cut short: %s", error)


async def half_made_jobs(watch: Watch[CIJob], jobs: Jobs, now: datetime) -> None:
    """Remove jobs that still wait for a secret that nobody is about to make any more."""
    for body in watch.bodies():
        if _waits_for_secret(body) and now - _created(body) > HALF_MADE:
            await jobs.remove(body)
            metadata = body["metadata"]
            told = {"job": f"{metadata['namespace']}/{metadata['name']}"}
            logger.info("removed a job that was left half made", extra=told)


async def unused_sources(named: Named, store: Store, now: datetime, *, ttl: timedelta) -> None:
    """Remove sources that nothing names and that were not used for `ttl`."""
    if named.trouble:  # not all jobs are known: everything could look unused
        return
    async for stored in store.all():
        if not _is_old(stored, now, ttl=ttl) or stored.name in named:
            continue
        async with store.ageing:
            # Listed a while ago: a submit may have touched it meanwhile, here or elsewhere.
            again = await store.find(stored.name)
            if again is None or not _is_old(again, now, ttl=ttl) or stored.name in named:
                continue
            await store.remove(stored.name)
        metrics.swept_sources.inc()
        logger.info("removed an unused source", extra={"source": stored.name})


def _is_old(stored: Stored, now: datetime, *, ttl: timedelta) -> bool:
    kind = stored.name.split("/")[1] if stored.name.count("/") == 2 else ""
    limit = {"source": ttl, "upload": STAGED}.get(kind)
    return limit is not None and now - stored.used > limit


def _waits_for_secret(body: Json) -> bool:
    notes = body["metadata"].get("annotations") or {}
    return names.ANNOTATION_AWAITS_SECRET in notes and bool(body["spec"].get("suspend"))


def _created(body: Json) -> datetime:
    return datetime.fromisoformat(body["metadata"]["creationTimestamp"])
