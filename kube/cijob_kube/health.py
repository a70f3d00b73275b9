"""The HTTP endpoints for kubelet and Prometheus: `/healthz`, `/readyz`, `/metrics`.

Used by the servers that have no other HTTP of their own: the operator and the archiver.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Check = Callable[[], str | None]
Handler = Callable[[web.Request], Awaitable[web.Response]]


def application(*, alive: Check, ready: Check, registry: CollectorRegistry) -> web.Application:
    """Serve what the checks say: None is well, words are what is wrong (status 503)."""

    def answer(check: Check) -> Handler:
        async def handle(_: web.Request) -> web.Response:
            wrong = check()
            return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

        return handle

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    app = web.Application()
    app.router.add_get("/healthz", answer(alive))
    app.router.add_get("/readyz", answer(ready))
    app.router.add_get("/metrics", metrics)
    return app


async def serve(app: web.Application, port: int) -> web.AppRunner:
    """Start serving on all addresses; the caller cleans the runner up."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner
