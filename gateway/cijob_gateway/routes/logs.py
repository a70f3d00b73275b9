"""`/v1/namespaces/{ns}/jobs/{name}/logs`: a job's log, as text or as server-sent events."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_gateway import streams
from cijob_gateway.errors import BadRequest
from cijob_gateway.parts import Call, Called, Name, Namespace
from cijob_gateway.watches import Json

router = APIRouter(prefix="/v1/namespaces/{namespace}/jobs/{name}/logs", tags=["logs"])
EVENTS = "text/event-stream"
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


class Wanted(BaseModel):
    """Which part of the log."""

    model_config = ConfigDict(extra="forbid")

    follow: bool = Field(default=False, description="Go on until the job's end.")
    tail: int | None = Field(default=None, ge=0, description="The last so many lines.")
    attempt: int | None = Field(default=None, ge=1, description="That attempt only.")
    timestamps: bool = Field(default=False, description="Each line behind its time (UTC).")
    begin: Literal["start", "now"] = Field(default="start", alias="from")


@router.get("", summary="A job's log")
async def logs(
    namespace: Namespace, name: Name, call: Called, wanted: Annotated[Wanted, Query()]
) -> Response:
    """Plain text, or, with `Accept: text/event-stream`, events; Last-Event-ID resumes those."""
    job = CIJob.parse(await call.job(namespace, name))
    await call.require("get", namespace, name, "log")
    items = call.parts.follows.follow(
        job,
        after=_line_id(call.request.headers.get("Last-Event-ID")),
        follow=wanted.follow,
        attempt=wanted.attempt,
        tail=wanted.tail,
        from_now=wanted.begin == "now",
    )
    if wanted.timestamps:
        items = streams.with_times(items)
    if EVENTS in call.request.headers.get("Accept", ""):
        return streams.Stream(streams.events(items, terms(call, job)), streams.HEADERS)
    return streams.Stream(streams.text(items, terms(call, job)), PLAIN)


def followed(call: Call, body: Json) -> Response:
    """A job that was just submitted, followed from its first line: event `job`, then the rest."""
    job = CIJob.parse(body)
    items = call.parts.follows.follow(job, follow=True)
    rest = streams.events(items, terms(call, job))
    return streams.Stream(streams.first(streams.event("job", body), rest), streams.HEADERS)


def terms(call: Call, job: CIJob) -> streams.Terms:
    """A stream ends when its reader may no longer read."""

    async def recheck() -> None:
        await call.require("get", job.metadata.namespace, job.metadata.name, "log")

    return streams.Terms(call.parts.draining, recheck)


def _line_id(text: str | None) -> LineId | None:
    try:
        return LineId.parse(text) if text else None
    except ValueError as error:
        raise BadRequest(f"Last-Event-ID {text!r} is no id of a line; leave it out") from error
