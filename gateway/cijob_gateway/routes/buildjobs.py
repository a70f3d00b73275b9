"""`/api/v1/infrastructure/build-jobs…`: the Build Job API over the CIJobs of one namespace.

Who may do what is asked of that namespace, as for any job there. What cannot be read is 422 here,
not 400: that is what clients of this API know.
"""

import json
import re
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from cijob_api.objects import CIJob
from cijob_gateway import buildjobs, streams
from cijob_gateway.answers import fault
from cijob_gateway.buildjobs import Asked, BuildFilter, BuildJob, State, Wanted
from cijob_gateway.buildlogs import BuildLog
from cijob_gateway.buildqueues import QueueStatus, Status, queue_status, status_of
from cijob_gateway.errors import Invalid, JobFinished, NotFound
from cijob_gateway.login import Caller, Right
from cijob_gateway.parts import Called, Parts
from cijob_gateway.ranges import begun
from cijob_gateway.records import Records
from cijob_gateway.submissions import Identity
from cijob_gateway.watches import Json

PREFIX = "/api/v1/infrastructure/build-jobs"
# One that waits ends as soon as the operator sees it: the answer comes behind that.
CANCEL_SECONDS = 30.0
LATE = f"the operator has not ended it within {CANCEL_SECONDS:.0f} s, look at its status later"
# A job that was made a moment ago through another gateway comes by the watch.
UID_SECONDS = 1.0
PAGE, PAGES = 500, 20
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Unprocessable(APIRoute):
    """A route that answers 422 to what it cannot read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the request."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                raise Invalid(fault(error)) from error

        return handle


router = APIRouter(prefix=PREFIX, tags=["build jobs"], route_class=Unprocessable)


class Log(BaseModel):
    """What a build job wrote, and what became of it."""

    job_id: str
    logs: list[str]
    streaming: bool


class Cancelled(BaseModel):
    """That a build job is cancelled."""

    success: bool = True
    message: str
    resource_id: str


@dataclass(frozen=True)
class Builds:
    """The build jobs, for one caller."""

    parts: Parts
    user: Caller
    namespace: str

    async def require(self, verb: str, name: str = "", below: str = "") -> None:
        """Raise Forbidden unless the caller has that right on CIJobs there."""
        await self.parts.login.require(self.user, Right(verb, self.namespace, name, below))

    async def find(self, uid: str) -> Json:
        """A build job that the caller may see, there or gone. Raises NotFound, Down."""
        body = await self._of_uid(uid) if UID.fullmatch(uid) else None
        if body and buildjobs.is_build_job(body):
            right = Right("get", self.namespace, body["metadata"]["name"])
            if await self.parts.login.may(self.user, right):
                return body
        raise NotFound(f"there is no build job {uid}")

    async def readable(self, uid: str) -> CIJob:
        """A build job whose log the caller may read. Raises NotFound, Forbidden, Down."""
        job = CIJob.parse(await self.find(uid))
        await self.require("get", job.metadata.name, "log")
        return job

    async def queue(self) -> QueueStatus:
        """The build jobs that wait."""
        places = (await self.parts.queue.look()).waits
        here = {place.name: place for place in places if place.namespace == self.namespace}
        return queue_status(self.parts.watch.bodies(self.namespace), here)

    def lines(self, job: CIJob, *, follow: bool) -> AsyncGenerator[list[str], None]:
        """The log of a build job, up to now or up to its end."""
        meta, watch = job.metadata, self.parts.watch

        def current() -> CIJob | None:
            found = watch.find(meta.namespace, meta.name)
            return found if found and found.metadata.uid == meta.uid else None

        items = self.parts.follows.follow(job, follow=follow)
        return BuildLog(job, current).lines(items)

    async def _of_uid(self, uid: str) -> Json | None:
        watch, records = self.parts.watch, Records(self.parts.store)
        return (
            await watch.of_uid(self.namespace, uid, patience_seconds=0)
            or await records.of_uid(self.namespace, uid)
            or await watch.of_uid(self.namespace, uid, patience_seconds=UID_SECONDS)
        )


def served(parts: Parts, user: Caller) -> Builds:
    """The build jobs. Raises NotFound where the API is off."""
    if not parts.settings.build_namespace:
        raise NotFound("the Build Job API is off; the chart's buildJobs.namespace turns it on")
    return Builds(parts, user, parts.settings.build_namespace)


async def builds(call: Called) -> Builds:
    """The build jobs, for who asks. Raises Unauthenticated, NotFound."""
    return served(call.parts, call.user)


Given = Annotated[Builds, Depends(builds)]
Uid = Annotated[str, Path(alias="id")]


@router.post("", summary="Have a repository built")
async def submit(asked: Asked, given: Given) -> BuildJob:
    """The build job, queued."""
    await given.require("create")
    parts = given.parts
    milliseconds = int(parts.now().timestamp() * 1000)
    identity = Identity(given.namespace, given.user.user, milliseconds, parts.randomness(10))
    job, _ = await parts.jobs.create(buildjobs.submission(asked), identity, dry_run=False)
    return buildjobs.view(CIJob.parse(job))


@router.get("", summary="List build jobs, newest first")
async def listing(given: Given, wanted: Annotated[Wanted, Query()]) -> list[BuildJob]:
    """Those that are there, and of those that are gone the newest ten thousand."""
    await given.require("list")
    asked = BuildFilter.of(wanted)
    found: list[Json] = []
    for _ in range(PAGES):
        missing = wanted.offset + wanted.limit - len(found)
        asked = asked.model_copy(update={"limit": min(missing, PAGE)})
        items, token = await given.parts.jobs.page(given.namespace, asked)
        found += items
        if token is None or len(found) >= wanted.offset + wanted.limit:
            break
        asked = asked.model_copy(update={"after": token})
    return [buildjobs.view(CIJob.parse(body)) for body in found[wanted.offset :]]


@router.get("/queue/status", summary="How long the queue is")
async def queue(given: Given) -> QueueStatus:
    """The build jobs that wait, and for how long: a guess."""
    await given.require("list")
    return await given.queue()


@router.get("/{id}", summary="Look at a build job")
async def look(uid: Uid, given: Given) -> BuildJob:
    """The build job as it is now, or as it ended."""
    return buildjobs.view(CIJob.parse(await given.find(uid)))


@router.get("/{id}/status", summary="Where a build job is")
async def status(uid: Uid, given: Given) -> Status:
    """Its state, its times, and while it waits the queue."""
    job = CIJob.parse(await given.find(uid))
    return status_of(job, await given.queue())


@router.get("/{id}/logs", summary="A build job's log up to now", responses={200: {"model": Log}})
async def logs(uid: Uid, given: Given) -> Response:
    """Lines as `[time] text`, those of what became of the job among them."""
    job = await given.readable(uid)
    chunks = _log(job, given.lines(job, follow=False))
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return streams.Stream(await begun(chunks), headers)


@router.put("/{id}/cancel", summary="Cancel a build job")
async def cancel(uid: Uid, given: Given) -> Cancelled:
    """Queued or building; one that has ended is 409."""
    body = await given.find(uid)
    job = CIJob.parse(body)
    if job.status.phase.is_final:
        state = buildjobs.state(job)
        raise JobFinished(f"build job {uid} has ended already: {state}", status=state)
    await given.require("patch", job.metadata.name)
    await given.parts.jobs.cancel(body)
    words = "cancelled successfully"
    if buildjobs.state(job) == State.QUEUED:
        ended = await given.parts.jobs.ended(body, patience_seconds=CANCEL_SECONDS)
        words = words if ended else f"will be cancelled; {LATE}"
    return Cancelled(message=f"Build job {uid} {words}", resource_id=uid)


async def _log(job: CIJob, lines: AsyncGenerator[list[str], None]) -> AsyncGenerator[bytes, None]:
    """A `Log`, part by part: nobody holds all of it."""
    building = buildjobs.state(job) == State.BUILDING
    head = f'{{"job_id":"{job.metadata.uid}","logs":['.encode()
    comma = ""
    async with aclosing(lines):
        async for some in lines:
            yield head + (comma + ",".join(json.dumps(line) for line in some)).encode()
            head, comma = b"", ","
    yield head + f'],"streaming":{json.dumps(building)}}}'.encode()
