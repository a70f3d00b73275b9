"""Lists of jobs, newest first, page by page: of those that are there, or of all. Used by jobs.py.

A job that is there comes from the shared watch, one that is gone from the archive's records. Jobs
are sorted by the moment of their creation, then by name, both downwards; the token of a page is
where it ended.
"""

import base64
import binascii
from collections.abc import AsyncGenerator
from contextlib import aclosing

from pydantic import BaseModel, ConfigDict, Field

from cijob_api import names
from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_gateway.errors import BadRequest
from cijob_gateway.logs.archive import Entry
from cijob_gateway.records import Age, Records, age
from cijob_gateway.watches import Json, Watch

# Of jobs that are gone, so many are read at once, and for one page.
RECORDS_AT_ONCE = 50
RECORDS_A_PAGE = 2000
Page = tuple[list[Json], str | None]


class Filter(BaseModel):
    """Which jobs of a namespace are listed, newest first."""

    model_config = ConfigDict(extra="forbid")

    phase: list[Phase] = Field(default=[], description="Only those; may repeat.")
    template: str = Field(default="", description="Submitted to that template.")
    submitter: str = Field(default="", description="Submitted by that user.")
    match: str = Field(default="", description="What the name begins or ends with.")
    every: bool = Field(
        default=False, alias="all", description="Also jobs that have ended and were deleted."
    )
    limit: int = Field(default=50, ge=1, le=500)
    after: str = Field(default="", alias="continue", description="From the page before.")

    def suits(self, body: Json) -> bool:  # noqa: ARG002 (a list of another API wants more)
        """Whether a job that has all of this is wanted."""
        return True


def page(watch: Watch[CIJob], namespace: str, wanted: Filter) -> Page:
    """A page of the jobs that are there, and the token of the next one."""
    return _cut(_live(watch, namespace, wanted), wanted)


async def page_of_all(
    watch: Watch[CIJob], records: Records, namespace: str, wanted: Filter
) -> Page:
    """A page of jobs that are there and of those that are gone. Raises Down."""
    live = _live(watch, namespace, wanted)
    there = {body["metadata"]["uid"] for body in watch.bodies(namespace)}
    found: list[Json] = []
    looked_at = 0
    async with aclosing(records.entries(namespace, _before(wanted))) as index:
        async for entries in _grouped(index, RECORDS_AT_ONCE):
            fresh = [e for e in entries if e.uid not in there and _matches(e.name, wanted)]
            found += [body for body in await records.bodies(fresh) if _fits(body, wanted)]
            reached = age(entries[-1])
            found += [body for body in live if _age(body) >= reached]
            live = [body for body in live if _age(body) < reached]
            looked_at += len(fresh)
            if len(found) > wanted.limit:
                break
            if looked_at >= RECORDS_A_PAGE:  # the filter fits few: the next page goes on here
                return sorted(found, key=_age, reverse=True), _token(reached)
        else:
            found += live
    return _cut(sorted(found, key=_age, reverse=True), wanted)


def _live(watch: Watch[CIJob], namespace: str, wanted: Filter) -> list[Json]:
    before = _before(wanted)
    fitting = (body for body in watch.bodies(namespace) if _fits(body, wanted))
    found = sorted(fitting, key=_age, reverse=True)
    return [body for body in found if _age(body) < before] if before else found


def _cut(found: list[Json], wanted: Filter) -> Page:
    items = found[: wanted.limit]
    return items, _token(_age(items[-1])) if len(found) > len(items) else None


def _before(wanted: Filter) -> Age | None:
    return _read_token(wanted.after) if wanted.after else None


def _fits(body: Json, wanted: Filter) -> bool:
    metadata, spec = body["metadata"], body["spec"]
    phase = (body.get("status") or {}).get("phase") or Phase.QUEUED
    notes = metadata.get("annotations") or {}
    name: str = metadata["name"]
    return (
        (not wanted.phase or phase in wanted.phase)
        and (not wanted.template or (spec.get("templateRef") or {}).get("name") == wanted.template)
        and wanted.submitter in {"", notes.get(names.ANNOTATION_SUBMITTER)}
        and _matches(name, wanted)
        and wanted.suits(body)
    )


def _matches(name: str, wanted: Filter) -> bool:
    return name.startswith(wanted.match) or name.endswith(wanted.match)


async def _grouped(entries: AsyncGenerator[Entry], size: int) -> AsyncGenerator[list[Entry]]:
    """Entries, so many at a time."""
    group: list[Entry] = []
    async for entry in entries:
        group.append(entry)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _age(body: Json) -> Age:
    return (body["metadata"]["creationTimestamp"], body["metadata"]["name"])


def _token(age: Age) -> str:
    return base64.urlsafe_b64encode(" ".join(age).encode()).decode()


def _read_token(token: str) -> Age:
    try:
        time, _, name = base64.urlsafe_b64decode(token.encode()).decode().partition(" ")
    except (binascii.Error, ValueError):
        raise BadRequest("continue is not a token of this list; leave it out to begin") from None
    return (time, name)
