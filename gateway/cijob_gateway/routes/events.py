"""`/v1/namespaces/{ns}/jobs/{name}/events`: what happens to a job, as CloudEvents."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cijob_api.cloudevents import CloudEvent
from cijob_api.objects import CIJob
from cijob_gateway import streams, wire
from cijob_gateway.errors import BadRequest
from cijob_gateway.jobevents import JobEvents
from cijob_gateway.parts import Called, Name, Namespace
from cijob_gateway.routes.logs import terms

router = APIRouter(prefix="/v1/namespaces/{namespace}/jobs/{name}/events", tags=["events"])


class Wanted(BaseModel):
    """Which events."""

    model_config = ConfigDict(extra="forbid")

    begin: Literal["start", "now"] = Field(default="start", alias="from")


@router.get("", summary="What happens to a job, as CloudEvents")
async def events(
    namespace: Namespace, name: Name, call: Called, wanted: Annotated[Wanted, Query()]
) -> Response:
    """Server-sent events until the job's end; each one's id resumes the stream behind it."""
    job = await call.readable(namespace, name)

    def current() -> CIJob | None:
        found = call.parts.watch.find(namespace, name)
        return found if found and found.metadata.uid == job.metadata.uid else None

    made = JobEvents(job, call.parts.follows, current)
    last = call.request.headers.get("Last-Event-ID")
    try:
        source = made.from_now() if wanted.begin == "now" and not last else made.after(last)
    except ValueError as error:
        raise BadRequest(f"Last-Event-ID: {error}; leave it out to begin anew") from error
    return streams.Stream(streams.kept_alive(encoded(source), terms(call, job)), streams.HEADERS)


async def encoded(made: AsyncGenerator[CloudEvent, None]) -> AsyncGenerator[wire.Pieces, None]:
    """Each event on the wire: its id, its type and itself."""
    async with aclosing(made):
        async for event in made:
            if event.kind == "log" and len(event.data["line"]) > wire.LONG:
                yield wire.pieces("cloudevent", event.as_json(), event.id)
            else:
                yield (wire.event("cloudevent", event.as_json(), event.id),)
