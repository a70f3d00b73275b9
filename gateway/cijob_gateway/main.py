"""The gateway's process: connect, watch, listen; `python -m cijob_gateway`.

Ends with 0 on a signal, after streams were told to reconnect elsewhere; with 1 when it cannot work
at all, and says why in one line.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, thread_time

import uvicorn
import uvloop
from starlette.types import ASGIApp

from cijob_api.objects import CIJob, CIJobTemplate, CIPool
from cijob_gateway import metrics, sweeps
from cijob_gateway.app import internal_app, user_app
from cijob_gateway.certificates import keep_fresh
from cijob_gateway.jobs import Jobs
from cijob_gateway.login import Login
from cijob_gateway.logs.follows import Follows
from cijob_gateway.named import Named
from cijob_gateway.parts import Parts
from cijob_gateway.queues import Ground, Queue
from cijob_gateway.settings import Settings, read_settings
from cijob_gateway.store import Store
from cijob_gateway.watches import Watch
from cijob_kube import logs
from cijob_kube.api import Api
from cijob_kube.environment import BadSetting
from cijob_kube.signals import when_told_to_end

logger = logging.getLogger(__name__)
DRAIN_SECONDS = 20
STORE_SECONDS = 2.0
WEBSOCKET_BYTES = 4096


def main() -> int:
    """Run until told to stop; the exit code."""
    logs.configure()
    try:
        uvloop.run(run(read_settings()))
    except BadSetting as error:
        logger.error("the gateway cannot work: %s", error)  # noqa: TRY400
        return 1
    return 0


async def run(settings: Settings) -> None:
    """The whole life of the gateway."""
    async with Api.connect(count_write=metrics.count_write, connections=0) as api:
        parts = assemble(settings, api)
        servers = [
            _server(user_app(parts), settings, settings.host, settings.port),
            _server(internal_app(parts), settings, "0.0.0.0", settings.internal_port),  # noqa: S104
        ]
        when_told_to_end(partial(_drain, parts, servers))
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(work)
                for work in (
                    parts.watch.run(),
                    parts.templates.run(),
                    parts.pools.run(),
                    parts.store.keep_checked(STORE_SECONDS),
                    *_sweeps(parts),
                    *_renewals(settings, servers),
                )
            ]
            await asyncio.gather(*(server.serve() for server in servers))
            for task in background:
                task.cancel()


def assemble(settings: Settings, api: Api) -> Parts:
    """The parts of a gateway, put together; nothing runs yet."""
    watch = Watch(api, CIJob, "cijobs", settings.namespaces)
    templates = Watch(api, CIJobTemplate, "cijobtemplates", settings.namespaces)
    pools = Watch(api, CIPool, "cipools", ())
    store = Store(settings.s3)
    jobs = Jobs(
        api,
        store,
        watch=watch,
        templates=templates,
        system_namespace=settings.system_namespace,
        now=_now,
    )
    return Parts(
        settings=settings,
        api=api,
        watch=watch,
        templates=templates,
        jobs=jobs,
        store=store,
        login=Login(api, required=settings.login, monotonic=monotonic),
        follows=Follows(api, watch, store=store),
        pools=pools,
        queue=Queue(
            _ground(settings, watch, pools, jobs), now=_now, monotonic=monotonic, cpu=thread_time
        ),
        now=_now,
        randomness=secrets.token_bytes,
    )


def _ground(settings: Settings, watch: Watch[CIJob], pools: Watch[CIPool], jobs: Jobs) -> Ground:
    return Ground(
        jobs=watch,
        pools=pools,
        template=jobs.template,
        namespaces=settings.namespaces,
        default_pool=settings.pool,
        aging_seconds=settings.aging_seconds,
    )


def _sweeps(parts: Parts) -> tuple[Coroutine[None, None, None], ...]:
    ttl = timedelta(seconds=parts.settings.source_ttl_seconds)
    named = Named(parts.watch, parts.templates, parts.settings.system_namespace)
    return (
        sweeps.often(
            sweeps.JOBS_SECONDS,
            lambda: sweeps.half_made_jobs(parts.watch, parts.jobs, parts.now()),
        ),
        sweeps.often(
            sweeps.SOURCES_SECONDS,
            lambda: sweeps.unused_sources(named, parts.store, parts.now(), ttl=ttl),
        ),
    )


def _renewals(
    settings: Settings, servers: list["_Server"]
) -> tuple[Coroutine[None, None, None], ...]:
    if settings.tls is None:
        return ()
    for server in servers:
        server.config.load()  # as its start does, where it is not done yet
    contexts = [server.config.ssl for server in servers if server.config.ssl]
    return (keep_fresh(contexts, settings.tls),)


def _now() -> datetime:
    return datetime.now(UTC)


class _Server(uvicorn.Server):
    """Signals are ours: both servers end together, after their streams were told."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: ASGIApp, settings: Settings, host: str, port: int) -> _Server:
    certificate, key = settings.tls or (None, None)
    return _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            log_config=None,
            access_log=False,
            http="httptools",
            # The one that pings, for followers of build jobs; nothing is read of what they send.
            ws="websockets-sansio",
            ws_max_size=WEBSOCKET_BYTES,
            lifespan="off",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )


def _drain(parts: Parts, servers: list[_Server]) -> None:
    """Streams are told to reconnect; what was begun is finished; nothing new is taken."""
    logger.info("ending: streams are told to reconnect")
    parts.draining.set()
    for server in servers:
        server.should_exit = True
