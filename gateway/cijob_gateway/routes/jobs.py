"""`/v1/namespaces/{ns}/jobs…`: submit, list, look, cancel, retry, delete.

A job in an answer is the CIJob itself, as Kubernetes has it.
"""

import json
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError

from cijob_api import names
from cijob_api.fields import words_of
from cijob_api.objects import CIJob
from cijob_gateway.bodies import is_streamed
from cijob_gateway.errors import BadRequest, SourceGone, SourceMissing
from cijob_gateway.failures import failed_only
from cijob_gateway.listings import Filter
from cijob_gateway.parts import Call, Called, Name, Namespace
from cijob_gateway.routes.logs import followed
from cijob_gateway.routes.sources import announced
from cijob_gateway.store import source_name
from cijob_gateway.submissions import Identity, Repetition, Submission, repeated
from cijob_gateway.uploads import Wanted
from cijob_gateway.watches import Json

Answers = dict[int | str, dict[str, Any]]
T = TypeVar("T", Submission, Repetition)
router = APIRouter(prefix="/v1/namespaces/{namespace}/jobs", tags=["jobs"])
DELETE_PATIENCE_SECONDS = 50
ZIP = "application/zip"
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Submission.model_json_schema()},
            ZIP: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class Asked(BaseModel):
    """How a submission is answered."""

    follow: bool = Field(default=False, description="By server-sent events until the end.")
    dryRun: bool = Field(default=False, description="Checked only; no job is created.")  # noqa: N815


class Page(BaseModel):
    """Some jobs, newest first."""

    items: list[CIJob]
    token: str | None = Field(alias="continue", description="Of the next page, if there is one.")


NEW: Answers = {201: {"model": CIJob}, 200: {"model": CIJob, "description": "There already"}}
ONE: Answers = {200: {"model": CIJob}}
How = Annotated[Asked, Query()]
Key = Annotated[
    str | None,
    Header(max_length=255, description="The same key and request give the same job, once."),
]


@router.post("", status_code=201, summary="Submit a job", openapi_extra=BODY, responses=NEW)
async def submit(
    namespace: Namespace, call: Called, how: How, idempotency_key: Key = None
) -> Response:
    """Create a job from JSON, or from a zip with query parameters; 200 for a repeated request."""
    await call.require("create", namespace)
    zipped = is_streamed(call.request)
    asked = await (_from_zip(namespace, call) if zipped else _read(call.request, Submission))
    identity = _identity(call, namespace, idempotency_key)
    job, new = await call.parts.jobs.create(asked, identity, dry_run=how.dryRun)
    if how.follow and not how.dryRun:
        return followed(call, job)
    return JSONResponse(job, status_code=201 if new else 200)


@router.get("", summary="List jobs, newest first", responses={200: {"model": Page}})
async def listing(
    namespace: Namespace, call: Called, wanted: Annotated[Filter, Query()]
) -> Response:
    """A page of the namespace's jobs, and the token of the next one."""
    await call.require("list", namespace)
    items, token = await call.parts.jobs.page(namespace, wanted)
    return JSONResponse({"items": items, "continue": token})


@router.get("/{name}", summary="Look at a job", responses=ONE)
async def look(namespace: Namespace, name: Name, call: Called) -> Response:
    """The job as it is now, or as it ended."""
    return JSONResponse(await call.job_or_record(namespace, name))


@router.post("/{name}/cancel", summary="Cancel a job", responses=ONE)
async def cancel(namespace: Namespace, name: Name, call: Called) -> Response:
    """Ask for its end; asking twice is no error."""
    job = await call.job_or_record(namespace, name)
    await call.require("patch", namespace, name)
    return JSONResponse(await call.parts.jobs.cancel(job))


@router.post("/{name}/retry", status_code=201, summary="Run a job once more", responses=NEW)
async def retry(namespace: Namespace, name: Name, call: Called, how: How) -> Response:
    """A new job with the same spec and source; with `failed` only of the tests that failed."""
    before = await call.job_or_record(namespace, name)
    await call.require("create", namespace)
    wanted = await _read(call.request, Repetition)
    asked, notes = repeated(before, wanted), {names.ANNOTATION_RETRY_OF: name}
    if wanted.failed:
        spec, tests = await failed_only(call.parts, CIJob.parse(before), asked.spec)
        asked = asked.model_copy(update={"spec": spec})
        notes[names.ANNOTATION_RETRY_TESTS] = str(tests)
    identity = _identity(call, namespace, call.request.headers.get("Idempotency-Key"))
    try:
        job, new = await call.parts.jobs.create(asked, identity, dry_run=how.dryRun, **notes)
    except SourceMissing as missing:
        raise SourceGone(
            f"the source of job {name} is no longer stored; submit it again"
        ) from missing
    if how.follow and not how.dryRun:
        return followed(call, job)
    return JSONResponse(job, status_code=201 if new else 200)


@router.delete("/{name}", status_code=204, summary="Cancel a job and delete it")
async def delete(namespace: Namespace, name: Name, call: Called) -> Response:
    """204 once it is gone; 202 if it is still ending: ask again."""
    job = await call.job(namespace, name)
    await call.require("delete", namespace, name)
    done = await call.parts.jobs.delete(job, patience_seconds=DELETE_PATIENCE_SECONDS)
    return Response(status_code=204 if done else 202)


def _identity(call: Call, namespace: str, key: str | None) -> Identity:
    milliseconds = int(call.parts.now().timestamp() * 1000)
    return Identity(namespace, call.user.user, milliseconds, call.parts.randomness(10), key)


async def _read(request: Request, kind: type[T]) -> T:
    """The JSON body. Raises BadRequest, saying where it is wrong."""
    try:
        return kind.model_validate(json.loads(await request.body() or b"{}"))
    except ValidationError as error:
        # Never with the input: it may be a secret.
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BadRequest(f"{where or 'the body'}: {words_of(first)}") from None
    except ValueError as error:
        raise BadRequest(f"the body is no JSON: {error}") from None


async def _from_zip(namespace: str, call: Call) -> Submission:
    """Store the body as a source; the rest of the job stands in the query."""
    store, parts = call.parts.store, call.parts
    staged = f"{namespace}/upload/{parts.randomness(16).hex()}.zip"
    wanted = Wanted(parts.settings.max_source_bytes, size=announced(call))
    spec = _spec_of_query(call.request)
    sha256, size = await store.write(staged, call.request.stream(), wanted)
    name = source_name(namespace, sha256)
    if await store.find(name):
        await store.remove(staged)
    else:
        await store.rename(staged, name)
        parts.jobs.sources.note_upload(name, size)
    source = {"archive": {"sha256": sha256, "sizeBytes": size}}
    return Submission(name=call.request.query_params.get("name"), spec={**spec, "source": source})


PLAIN = {"image": str, "script": str, "timeoutSeconds": int, "priority": int, "pool": str}
KNOWN = {*PLAIN, "template", "name", "cpu", "memory", "env", "follow", "dryRun"}


def _spec_of_query(request: Request) -> Json:
    """The spec that query parameters give. Raises BadRequest for those it does not know."""
    query = request.query_params
    if unknown := sorted(set(query) - KNOWN):
        raise BadRequest(
            f"unknown parameters: {', '.join(unknown)}; known: {', '.join(sorted(KNOWN))}"
        )
    spec: Json = {}
    for key in PLAIN.keys() & set(query):
        try:
            spec[key] = PLAIN[key](query[key])
        except ValueError:
            raise BadRequest(f"{key} is {query[key]!r}; it must be a whole number") from None
    if "template" in query:
        spec["templateRef"] = {"name": query["template"]}
    variables = [text.partition("=") for text in query.getlist("env")]
    if variables:
        spec["env"] = [{"name": key, "value": value} for key, _, value in variables]
    if amounts := {key: query[key] for key in ("cpu", "memory") if key in query}:
        spec["resources"] = {"requests": amounts, "limits": amounts}
    return spec
