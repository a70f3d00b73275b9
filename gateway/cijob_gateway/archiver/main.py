"""The archiver's process: connect, watch, lead, archive; `python -m cijob_gateway.archiver`.

Ends with 0 on a signal, with 1 when it must be started afresh (lease lost) or cannot work at all,
and says which in one line.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

import uvloop

from cijob_api import names
from cijob_api.objects import CIJobTemplate
from cijob_gateway.archiver import metrics
from cijob_gateway.archiver.attempts import Tools
from cijob_gateway.archiver.dispatch import Dispatcher, Known
from cijob_gateway.archiver.retention import SWEEP_SECONDS, sweep
from cijob_gateway.archiver.settings import LEASE, Settings, read_settings
from cijob_gateway.archiver.spools import Spool
from cijob_gateway.archiver.uploads import Bucket
from cijob_gateway.errors import Down
from cijob_gateway.notifications import couriers
from cijob_gateway.notifications.books import Books
from cijob_gateway.notifications.notifier import Notifier
from cijob_gateway.notifications.senders import Sender
from cijob_gateway.store import Store
from cijob_gateway.watches import Watch
from cijob_kube import health, logs
from cijob_kube.api import Api
from cijob_kube.environment import BadSetting
from cijob_kube.errors import LeaseLost
from cijob_kube.events import Events
from cijob_kube.leases import Leadership
from cijob_kube.signals import when_told_to_end

logger = logging.getLogger(__name__)
STORE_SECONDS = 2.0
# Chunks in memory at a time: 4 MiB each, or a line of 8 MiB.
SLOTS = 4


def main() -> int:
    """Run until told to stop; the exit code."""
    logs.configure()
    try:
        uvloop.run(run(read_settings()))
    except BadSetting as error:
        logger.error("the archiver cannot work: %s", error)  # noqa: TRY400
        return 1
    except BaseExceptionGroup as group:
        if group.split(LeaseLost)[1] is not None:
            raise
        logger.warning("ending, to be started afresh: this process does not lead any more")
        return 1
    return 0


async def run(settings: Settings) -> None:
    """The whole life of the archiver."""
    store = Store(settings.s3)
    async with Api.connect(count_write=metrics.count_write, connections=0) as api:
        known = Known(api, settings.namespaces)
        templates = Watch(api, CIJobTemplate, "cijobtemplates", settings.namespaces)

        def ready() -> str | None:
            return known.trouble or templates.trouble or store.trouble or None

        app = health.application(alive=lambda: None, ready=ready, registry=metrics.REGISTRY)
        runner = await health.serve(app, settings.port)
        leadership = Leadership(
            api,
            LEASE,
            settings.system_namespace,
            identity=settings.identity,
            times=settings.lease,
            monotonic=monotonic,
        )
        bucket = Bucket(store, asyncio.Semaphore(SLOTS), leadership.check)
        tools = Tools(api, bucket, Spool(settings.spool, settings.spool_bytes))
        events = Events(api, names.MANAGER_ARCHIVER, check=leadership.check)
        notifier = _notifier(tools, known, templates, events=events, settings=settings)
        try:
            async with asyncio.TaskGroup() as tasks:
                work = [
                    tasks.create_task(known.jobs.run()),
                    tasks.create_task(known.pods.watch.run()),
                    tasks.create_task(templates.run()),
                    tasks.create_task(store.keep_checked(STORE_SECONDS)),
                    tasks.create_task(
                        _lead(leadership, tools, known, settings, beside=(notifier.run, events.run))
                    ),
                ]
                when_told_to_end(partial(_end, work))
            await leadership.release()
        finally:
            await runner.cleanup()


def _end(work: list[asyncio.Task[None]]) -> None:
    logger.info("ending: the next archiver goes on behind the last line that is stored")
    for task in work:
        task.cancel()


def _notifier(
    tools: Tools,
    known: Known,
    templates: Watch[CIJobTemplate],
    *,
    events: Events,
    settings: Settings,
) -> Notifier:
    """What tells the sinks of jobs, put together."""
    work = couriers.Tools(
        bucket=tools.bucket,
        books=Books(tools.api, monotonic),
        sender=Sender(settings.notify),
        events=events,
        longest=settings.notify_longest,
        now=lambda: datetime.now(UTC),
    )
    notifier = Notifier(work, known.jobs, templates, settings.system_namespace)
    known.listeners.append(notifier.note)
    return notifier


async def _lead(
    leadership: Leadership,
    tools: Tools,
    known: Known,
    settings: Settings,
    *,
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]],
) -> None:
    await leadership.acquire()
    metrics.leading.set(1)
    async with asyncio.TaskGroup() as tasks:
        for work in beside:
            tasks.create_task(work())
        tasks.create_task(leadership.hold())
        tasks.create_task(Dispatcher(tools, known).run())
        tasks.create_task(_sweep_often(known, tools.bucket.store, settings))


async def _sweep_often(known: Known, store: Store, settings: Settings) -> None:
    seconds = min(SWEEP_SECONDS, settings.retention.total_seconds())
    while True:
        await asyncio.sleep(seconds)
        if known.trouble:  # not all jobs are known: they could look gone
            continue
        alive = {str(body["metadata"]["uid"]) for body in known.jobs.bodies()}
        try:
            await sweep(store, alive, datetime.now(UTC), retention=settings.retention)
        except (Down, FileNotFoundError) as error:
            logger.warning("a sweep was cut short: %s", error)
