"""An Api before a server of a test's own, on the loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from kubernetes.aio.client import Configuration

from cijob_kube.api import Api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler, path: str = "/{tail:.*}") -> AsyncIterator[Api]:
    """An Api whose requests are answered so; those that still wait at the end are cancelled."""
    app = web.Application()
    app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Api(session, Configuration(host=f"http://{host}:{port}"))
    finally:
        await runner.cleanup()
