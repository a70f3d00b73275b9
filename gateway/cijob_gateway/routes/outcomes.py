"""`/v1/namespaces/{ns}/jobs/{name}/outcome`: what broke, and whether the same had another end."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_gateway.failures import can_retry, failures_now
from cijob_gateway.login import Right
from cijob_gateway.outcomes import Other, Outcome, outcome
from cijob_gateway.parts import Call, Called, Name, Namespace
from cijob_gateway.repeats import contradiction, same_before
from cijob_gateway.twins import same_now
from cijob_gateway.watches import Json

router = APIRouter(prefix="/v1/namespaces/{namespace}/jobs/{name}/outcome", tags=["jobs"])
Failures = Annotated[int, Query(ge=0, le=10_000, description="So many failed tests at most.")]


@router.get("", summary="What a job came to", response_model=Outcome)
async def look(namespace: Namespace, name: Name, call: Called, failures: Failures = 10) -> Response:
    """Its failed tests, where its time went, and whether the same ended differently before."""
    body = await call.job_or_record(namespace, name)
    job = CIJob.parse(body)
    failed = await failures_now(call.parts.store, job)
    more = {
        "flaky": await _flaky(call, namespace, body),
        "can_retry_failed": can_retry(call.parts, job, failed),
    }
    said = outcome(job, failed[:failures]).model_copy(update=more)
    return JSONResponse(said.model_dump(mode="json", by_alias=True, exclude_none=True))


async def _flaky(call: Call, namespace: str, body: Json) -> Other | None:
    """The job that contradicts this one, if the caller may know of it."""
    there = same_before(body, call.parts.watch.bodies(namespace))
    found = contradiction(body, (there, await same_now(call.parts.store, body)))
    if found is None:
        return None
    may_know = await call.parts.login.may(call.user, Right("get", namespace, found.name))
    return Other(name=found.name, phase=Phase(found.phase)) if may_know else None
