"""`/v1/namespaces/{ns}/jobs/{name}/logs`: a job's log, as text or as server-sent events.

The text of a job that has ended has a length and a digest, and can be had in ranges (RFC 9110, 14).
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cijob_api.lines import LineId, Parser
from cijob_api.objects import CIJob
from cijob_gateway import streams, wire
from cijob_gateway.errors import BadRequest, NotFound
from cijob_gateway.logs.archivedtexts import ArchivedText, archived_text
from cijob_gateway.logs.attempts import last_number
from cijob_gateway.parts import Call, Called, Name, Namespace
from cijob_gateway.ranges import Body, begun, ranged
from cijob_gateway.routes.queue import news_of
from cijob_gateway.watches import Json

router = APIRouter(prefix="/v1/namespaces/{namespace}/jobs/{name}/logs", tags=["logs"])
EVENTS = "text/event-stream"
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
# In one way only: what could be taken apart in two is tried in all, and forty digits took a day.
_DURATION = re.compile(r"(?:\d{1,9}[smhd])*\d{1,9}[smhd]?", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_AGE = 1000 * 365 * 86400  # before any log; times end with the year 1


class Wanted(BaseModel):
    """Which part of the log."""

    model_config = ConfigDict(extra="forbid")

    follow: bool = Field(default=False, description="Go on until the job's end.")
    tail: int | None = Field(default=None, ge=0, description="The last so many lines.")
    since: str = Field(
        default="",
        max_length=64,
        description="From the first line of that time on: RFC 3339, or an age such as 90s or 2h.",
    )
    attempt: int | None = Field(default=None, ge=1, description="That attempt only.")
    timestamps: bool = Field(default=False, description="Each line behind its time (UTC).")
    begin: Literal["start", "now"] = Field(default="start", alias="from")

    @property
    def whole(self) -> bool:
        """Whether it is the log itself, from its start, and not to be waited for."""
        rest = self.follow or self.timestamps or self.since or self.begin == "now"
        return not rest and self.tail is None


@router.head("", summary="How long a job's log is")
@router.get("", summary="A job's log")
async def logs(
    namespace: Namespace, name: Name, call: Called, wanted: Annotated[Wanted, Query()]
) -> Response:
    """Plain text, or, with `Accept: text/event-stream`, events; Last-Event-ID resumes those."""
    job = await call.readable(namespace, name)
    _require_attempt(job, wanted)
    last = _line_id(call.request.headers.get("Last-Event-ID"))
    as_events = EVENTS in call.request.headers.get("Accept", "")
    if wanted.whole and not (last or as_events):
        text = await archived_text(call.parts.store, job, wanted.attempt)
        if text and (text.complete or call.request.headers.get("Range")):
            return await ranged(call.request, _body(text))
    if call.request.method == "HEAD":
        return streams.Stream(_nothing(), PLAIN)
    items = call.parts.follows.follow(
        job,
        after=last,
        follow=wanted.follow,
        attempt=wanted.attempt,
        tail=wanted.tail,
        since=_time(wanted.since, call.parts.now()) if wanted.since else "",
        from_now=wanted.begin == "now",
    )
    if wanted.timestamps:
        items = streams.with_times(items)
    if as_events:
        return streams.Stream(streams.events(items, told(call, job)), streams.HEADERS)
    chunks = streams.text(items, terms(call, job))
    # What cannot be read at all is an answer of its own, not a text that breaks off.
    return streams.Stream(chunks if wanted.follow else await begun(chunks), PLAIN)


def followed(call: Call, body: Json) -> Response:
    """A job that was just submitted, followed from its first line: event `job`, then the rest."""
    job = CIJob.parse(body)
    items = call.parts.follows.follow(job, follow=True)
    rest = streams.events(items, told(call, job))
    return streams.Stream(streams.first(wire.event("job", body), rest), streams.HEADERS)


def terms(call: Call, job: CIJob) -> streams.Terms:
    """A stream ends when its reader may no longer read."""

    async def recheck() -> None:
        await call.require("get", job.metadata.namespace, job.metadata.name, "log")

    return streams.Terms(call.parts.draining, recheck)


def told(call: Call, job: CIJob) -> streams.Terms:
    """The same; while it is queued its reader hears where it stands."""
    return replace(terms(call, job), news=news_of(call, job))


def _require_attempt(job: CIJob, wanted: Wanted) -> None:
    """Who asks for one attempt asks for one that there was, or waits for the next. Raises NotFound.

    The log of one that never was would be empty, and look whole.
    """
    last = last_number(job)
    coming = wanted.follow and not job.status.phase.is_final
    if wanted.attempt is not None and wanted.attempt > last + coming:
        had = f"it has had {last}" if last else "it has had none"
        words = f"job {job.metadata.name} has no attempt {wanted.attempt}: {had}"
        raise NotFound(f"{words}; leave the attempt out for the log of all")


def _line_id(text: str | None) -> LineId | None:
    try:
        return LineId.parse(text) if text else None
    except ValueError as error:
        raise BadRequest(f"Last-Event-ID {text!r} is no id of a line; leave it out") from error


def _time(text: str, now: datetime) -> str:
    """A time as lines have it, from RFC 3339 or an age. Raises BadRequest."""
    given = text
    if _DURATION.fullmatch(text):
        parts = re.findall(r"(\d+)([smhd]?)", text)
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
        text = (now - timedelta(seconds=min(seconds, _LONGEST_AGE))).isoformat()
    # Whoever reads lines reads their times, to the nanosecond and in any time zone.
    read = Parser().feed(f"{text} \n".encode())
    if not read:
        raise BadRequest(f"since is {given!r}; write 10m, 2h or 2026-01-31T12:00:00Z")
    return read.timestamps[0].decode()


def _body(text: ArchivedText) -> Body:
    """A text as what ranges are taken of."""
    headers = dict(PLAIN)
    if text.digest:
        headers |= {"Repr-Digest": text.digest, "ETag": f'"{text.digest[9:-1]}"'}
    return Body(text.size, headers, text.read)


async def _nothing() -> AsyncGenerator[bytes, None]:
    """No chunks: a length that is not known yet."""
    chunks: tuple[bytes, ...] = ()
    for chunk in chunks:
        yield chunk
