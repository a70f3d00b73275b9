"""What the handlers of requests are given: every part of the running gateway, in one value."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Path, Request

from cijob_api.fields import DNS_NAME
from cijob_api.objects import CIJob, CIJobTemplate, CIPool
from cijob_gateway.jobs import Jobs
from cijob_gateway.login import Caller, Login, Right
from cijob_gateway.logs.follows import Follows
from cijob_gateway.pages import require_own_page
from cijob_gateway.queues import Queue
from cijob_gateway.settings import Settings
from cijob_gateway.store import Store
from cijob_gateway.watches import Json, Watch
from cijob_kube.api import Api


@dataclass(frozen=True)
class Parts:
    """The running gateway."""

    settings: Settings
    api: Api
    watch: Watch[CIJob]
    templates: Watch[CIJobTemplate]
    jobs: Jobs
    store: Store
    login: Login
    follows: Follows
    pools: Watch[CIPool]
    queue: Queue
    now: Callable[[], datetime]
    randomness: Callable[[int], bytes]
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    def trouble(self) -> str:
        """Why this gateway cannot do all of its work now, in words; empty if it can."""
        if self.draining.is_set():
            return "ending"
        watches = (self.watch, self.templates, self.pools)
        return next((w.trouble for w in watches if w.trouble), "") or self.store.trouble


def parts(request: Request) -> Parts:
    """The running gateway, for a handler."""
    return cast("Parts", request.app.state.parts)


Given = Annotated[Parts, Depends(parts)]


@dataclass(frozen=True)
class Call:
    """One request of the user API: the running gateway, and who asks."""

    parts: Parts
    user: Caller
    request: Request

    async def require(self, verb: str, namespace: str, name: str = "", below: str = "") -> None:
        """Raise Forbidden unless the caller has that right on CIJobs."""
        await self.parts.login.require(self.user, Right(verb, namespace, name, below))

    async def job(self, namespace: str, name: str) -> Json:
        """A job that the caller may see. Raises NotFound for any other, there or not."""
        await self.parts.login.require_sight(self.user, Right("get", namespace, name))
        return await self.parts.jobs.body(namespace, name)

    async def job_or_record(self, namespace: str, name: str) -> Json:
        """As `job`; once it is gone, as it ended. Raises NotFound, Down."""
        await self.parts.login.require_sight(self.user, Right("get", namespace, name))
        return await self.parts.jobs.body_or_record(namespace, name)

    async def readable(self, namespace: str, name: str) -> CIJob:
        """A job, there or gone, whose log the caller may read. Raises NotFound, Forbidden."""
        job = CIJob.parse(await self.job_or_record(namespace, name))
        await self.require("get", namespace, name, "log")
        return job


async def call(request: Request, given: Given) -> Call:
    """A request with its caller. Raises Forbidden for another site's page, Unauthenticated."""
    require_own_page(request.headers, login=given.settings.login)
    user = await given.login.user(request.headers.get("Authorization"))
    return Call(given, user, request)


Called = Annotated[Call, Depends(call)]
# They become parts of the API server's paths: nothing but names may come through.
Namespace = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Name = Annotated[str, Path(pattern=DNS_NAME, max_length=253)]
