"""The operator's process: connect, check, list, watch, lead, work; `python -m cijob_operator`.

Ends with 0 on a signal, with 1 when it must be started afresh (lease lost, watch dead) or cannot
work at all, and says which in one line.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from time import monotonic

import uvloop

from cijob_api import names
from cijob_api.fitting import Pools, pools_of
from cijob_kube import health, logs
from cijob_kube.api import Api
from cijob_kube.environment import BadSetting
from cijob_kube.errors import ApiError, Gone, LeaseLost, Unavailable
from cijob_kube.events import Events
from cijob_kube.leases import Leadership
from cijob_kube.signals import when_told_to_end
from cijob_operator import metrics, permissions
from cijob_operator.act import Actor
from cijob_operator.cache import Cache, Key
from cijob_operator.decisions import Policy
from cijob_operator.errors import NotPermitted
from cijob_operator.events import JobEvents
from cijob_operator.jobqueue import JobQueue
from cijob_operator.podwatch import watch_pods
from cijob_operator.poolstatuses import PoolStatuses
from cijob_operator.pulls import listen
from cijob_operator.reconcile import Reconciler, count_phases
from cijob_operator.resync import DeadWatch, Resync
from cijob_operator.settings import LEASE, Settings, read_settings
from cijob_operator.vitals import Vitals
from cijob_operator.watches import watch
from cijob_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)
RETRY_SECONDS = 2


def main() -> int:
    """Run until told to stop; the exit code."""
    logs.configure()
    try:
        settings = read_settings()
        uvloop.run(run(settings))
    except (NotPermitted, BadSetting, ApiError) as error:
        logger.error("the operator cannot work: %s", error)  # noqa: TRY400
        return 1
    except BaseExceptionGroup as group:
        expected, others = group.split((LeaseLost, DeadWatch))
        if expected is None or others is not None:
            raise
        for cause in _leaves(expected):
            logger.warning("ending, to be started afresh: %s", cause)
        return 1
    return 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def run(settings: Settings) -> None:
    """The whole life of the operator, until it is told to end."""

    def end() -> None:
        logger.info("ending, as told")
        life.cancel()

    life = asyncio.create_task(_live(settings, end))
    when_told_to_end(end)
    with contextlib.suppress(asyncio.CancelledError):
        await life


async def _live(settings: Settings, end: Callable[[], None]) -> None:
    cache, queue = Cache(), WorkQueue[Key]()
    vitals = Vitals()
    app = health.application(
        alive=vitals.not_alive, ready=vitals.not_ready, registry=metrics.REGISTRY
    )
    metrics.follow_phases(lambda: count_phases(cache))
    runner = await health.serve(app, settings.port)
    try:
        # Each namespace has watches of its own; the workers bound how much else there is.
        async with Api.connect(count_write=metrics.count_write, connections=0) as api:
            await _patiently(lambda: permissions.check(api, settings))
            resync = Resync(api, cache, queue, settings)
            await _patiently(resync.begin)
            vitals.listed = True
            actor, leadership, reconciler, events = _build(api, cache, queue, settings)
            vitals.stuck = reconciler.stuck
            hear = partial(listen, api, cache.pulls, settings.namespaces)
            lead = _lead(
                leadership, reconciler, settings, resync, actor=actor, beside=(events.run, hear)
            )
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(lead)
                    tasks.create_task(watch_pods(api, cache, queue, settings.namespaces))
                    tasks.create_task(watch(cache, queue, settings, end=end))
            except asyncio.CancelledError:
                await leadership.release()
                raise
    finally:
        await runner.cleanup()


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def _build(
    api: Api, cache: Cache, queue: WorkQueue[Key], settings: Settings
) -> tuple[Actor, Leadership, Reconciler, Events]:
    """The parts that act, put together."""
    leadership = Leadership(
        api,
        LEASE,
        settings.system_namespace,
        identity=settings.identity,
        times=settings.lease,
        monotonic=monotonic,
    )
    events = Events(api, names.MANAGER_OPERATOR, check=leadership.check)
    actor = Actor(api, cache, leadership, told=JobEvents(events).tell)

    def pools() -> Pools:
        found = {name: pool.spec for name, pool in cache.pools.items()}
        return pools_of(found, settings.namespaces, settings.pool)

    jobs = JobQueue(queue.add, pools, aging_seconds=settings.aging_seconds)
    statuses = PoolStatuses(api, cache, leadership, jobs=jobs, now=now)
    reconciler = Reconciler(
        cache,
        queue,
        actor,
        policy=Policy(settings.pods, settings.archive_grace_seconds),
        jobs=jobs,
        write_pools=statuses.write,
        system_namespace=settings.system_namespace,
        now=now,
    )
    return actor, leadership, reconciler, events


async def _lead(
    leadership: Leadership,
    reconciler: Reconciler,
    settings: Settings,
    resync: Resync,
    *,
    actor: Actor,
    beside: Iterable[Callable[[], Coroutine[None, None, None]]],
) -> None:
    await leadership.acquire()
    metrics.leading.set(1)
    # The list before may be as old as the wait for the lease.
    await _patiently(lambda: resync.begin(actor))
    reconciler.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(leadership.hold())
        for work in beside:
            tasks.create_task(work())
        tasks.create_task(_resync_often(resync, actor, settings.resync_seconds))
        for _ in range(settings.workers):
            tasks.create_task(reconciler.work())


async def _resync_often(resync: Resync, actor: Actor, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _patiently(lambda: resync.run(actor))


async def _patiently(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat a step while the API server is away or does not know our resources yet."""
    while True:
        try:
            await step()
        except (Unavailable, Gone) as error:
            logger.warning("waiting for the API server: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return
