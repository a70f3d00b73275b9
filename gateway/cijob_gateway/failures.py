"""The tests of a job that failed, from its reports in the bucket, and a job of only these.

Called by the routes. The status has the first failures only, with their words cut short.
"""

import asyncio

from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.resolve import merge
from cijob_api.specs import Recipe
from cijob_gateway.artifacts import read_collected
from cijob_gateway.collecting import read_reports
from cijob_gateway.errors import BadRequest, Down
from cijob_gateway.failedtests import only
from cijob_gateway.outcomes import known_failures
from cijob_gateway.parts import Parts
from cijob_gateway.reports import Failed
from cijob_gateway.store import Store
from cijob_gateway.watches import Json

PATIENCE_SECONDS = 5


async def all_failures(store: Store, job: CIJob) -> list[Failed]:
    """The failures of the attempt that was collected last, 10,000 at most. Raises Down."""
    tests = job.status.results.tests if job.status.results else None
    if not tests or not (tests.failed or tests.errors):
        return []
    collection = job.status.results.collection if job.status.results else None
    collected = await read_collected(store, job, collection.attempt if collection else None)
    return list((await read_reports(store, job, collected)).failures) if collected else []


async def failures_now(store: Store, job: CIJob) -> list[Failed]:
    """Every failure or, while the bucket is away or slow, those of the status."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await all_failures(store, job) or known_failures(job)
    except (Down, TimeoutError):
        return known_failures(job)


async def failed_only(parts: Parts, job: CIJob, spec: Json) -> tuple[Json, int]:
    """The spec of a job that runs only the tests that failed in this one, and how many they are.

    Raises BadRequest with what to do instead, Down.
    """
    failures = await all_failures(parts.store, job)
    if not _are_all(job, failures):
        raise BadRequest(
            f"only {len(failures)} of the tests that failed in job {job.metadata.name} are known by"
            " name; run the whole job again, without --failed"
        )
    node_ids = _node_ids(failures)
    if not node_ids:
        raise BadRequest(
            f"of job {job.metadata.name} no failed test is known by a name that pytest takes; "
            "run the whole job again, without --failed"
        )
    return only(spec, _recipe(parts, job), node_ids), len(node_ids)


def can_retry(parts: Parts, job: CIJob, failures: list[Failed]) -> bool:
    """Whether `failed_only` would do it."""
    try:
        node_ids = _node_ids(failures)
        known = node_ids and _are_all(job, failures)
        return bool(known and only({}, _recipe(parts, job), node_ids))
    except BadRequest:
        return False


def _are_all(job: CIJob, failures: list[Failed]) -> bool:
    """Whether none is missing: of very many the names are not kept."""
    tests = job.status.results.tests if job.status.results else None
    return not tests or (tests.failed or 0) + (tests.errors or 0) <= len(failures)


def _node_ids(failures: list[Failed]) -> list[str]:
    return list(dict.fromkeys(one.node_id for one in failures if one.node_id))


def _recipe(parts: Parts, job: CIJob) -> Recipe:
    """What a job says together with its template, as that is now."""
    reference = job.spec.template_ref
    namespace = job.metadata.namespace
    body = parts.jobs.template(namespace, reference.name) if reference else None
    return merge(job.spec, CIJobTemplate.parse(body).spec if body else None)
