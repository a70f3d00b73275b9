"""The HTTP endpoints for kubelet and Prometheus: `/healthz`, `/readyz`, `/metrics`.

Alive: the event loop turns and no watch is known to be dead. Ready: the first full list is in, so
that this process could take over at once; whether it leads makes no difference to that.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cijob_operator.metrics import REGISTRY


@dataclass
class Vitals:
    """What the checks look at; `main` fills it in as the process comes up."""

    listed: bool = False
    stuck: Callable[[], str | None] = lambda: None

    def not_alive(self) -> str | None:
        """Why this process must be started afresh, if so."""
        return self.stuck()

    def not_ready(self) -> str | None:
        """Why this process could not take over now, if so."""
        return None if self.listed else "the first full list is not in yet"


Check = Callable[[], str | None]
Handler = Callable[[web.Request], Awaitable[web.Response]]


def application(*, alive: Check, ready: Check) -> web.Application:
    """Serve what the checks say: None is well, words are what is wrong (status 503)."""

    def answer(check: Check) -> Handler:
        async def handle(_: web.Request) -> web.Response:
            wrong = check()
            return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

        return handle

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST}
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
