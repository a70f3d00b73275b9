"""The end of a collection: what the agent has brought becomes results in the job's status.

Called by the agents' routes. One patch has tests, artifacts and how the collection went; all that
it has no room for is in the bucket. Done twice it does no harm: the agent asks again when an answer
was lost.
"""

import asyncio
import logging
from collections.abc import Iterator

from cijob_api import names
from cijob_api.objects import CIJob
from cijob_api.statuses import ArtifactResult, CIJobStatus, Collection, CollectionState, Results
from cijob_api.statuses import TestResult as Tests
from cijob_api.trimming import GATEWAY_BYTES, shorten, trim_status
from cijob_gateway import metrics
from cijob_gateway.artifacts import (
    MOST_WORDS,
    Collected,
    Report,
    artifacts_prefix,
    collected_name,
    report_name,
)
from cijob_gateway.reports import Parsed, parse
from cijob_gateway.store import Store
from cijob_gateway.watches import Json
from cijob_kube.api import Api

logger = logging.getLogger(__name__)
MESSAGE_CHARACTERS = 1000
# Reports are read in threads, one of each job in memory at a time.
AT_A_TIME = asyncio.Semaphore(4)
# By job and reports: an agent that was not answered in time asks again, and so do people.
_READING: dict[tuple[str, str], asyncio.Task[Parsed]] = {}


async def finish(api: Api, store: Store, job: CIJob, said: Collected) -> Json:
    """Store the list, read the reports, write the status; the job after it.

    Raises Down, ApiError.
    """
    kept = await _kept(store, job, said)
    parsed = await read_reports(store, job, kept)
    if parsed.message:
        kept = _with_trouble(kept, parsed.message)
    content = kept.model_dump_json(by_alias=True).encode()
    await store.put(collected_name(job, kept.attempt), content, kind="application/json")
    path = f"/apis/{names.API_VERSION}/namespaces/{job.metadata.namespace}/cijobs"
    body = {
        "metadata": {"uid": job.metadata.uid},
        "status": {"results": _results(kept, parsed.tests)},
    }
    answer = await api.patch(
        f"{path}/{job.metadata.name}/status", body, manager=names.MANAGER_GATEWAY
    )
    metrics.collections.labels(str(kept.state)).inc()
    return answer


async def read_reports(store: Store, job: CIJob, kept: Collected) -> Parsed:
    """What all reports of an attempt say together. Raises Down.

    Whoever asks while they are being read gets the same answer. Nobody who gives up waiting ends
    it: the thread would go on, and the next who asked would begin another.
    """
    if not kept.reports:
        return Parsed(None, (), ())
    key = (job.metadata.uid, kept.model_dump_json(include={"attempt", "reports"}))
    task = _READING.get(key)
    if task is None:

        def ended(task: asyncio.Task[Parsed]) -> None:
            del _READING[key]
            if not task.cancelled():
                task.exception()  # asked for, perhaps, by nobody who is still there

        task = _READING[key] = asyncio.create_task(_read(store, job, kept))
        task.add_done_callback(ended)
    return await asyncio.shield(task)


async def _read(store: Store, job: CIJob, kept: Collected) -> Parsed:
    loop = asyncio.get_running_loop()

    async def content(name: str) -> bytes:
        try:
            return (await store.get(name)).content
        except FileNotFoundError:  # removed since it was listed: the others still say something
            return b""

    def contents() -> Iterator[tuple[str, bytes]]:
        for report in kept.reports:
            name = report_name(job, kept.attempt, report.number)
            yield report.path, asyncio.run_coroutine_threadsafe(content(name), loop).result()

    async with AT_A_TIME:
        return await asyncio.to_thread(parse, contents())


async def _kept(store: Store, job: CIJob, said: Collected) -> Collected:
    """What the agent said, as far as it is there."""
    prefix = artifacts_prefix(job, said.attempt)
    sizes = {stored.name.removeprefix(prefix): stored.size async for stored in store.under(prefix)}
    there = [one for one in said.artifacts if sizes.get(one.name) == one.size_bytes]
    reports = [report for report in said.reports if await _is_there(store, job, said, report)]
    kept = said.model_copy(update={"artifacts": there, "reports": reports})
    if (there, reports) == (said.artifacts, said.reports):
        return kept
    return _with_trouble(kept, "some of what was brought is not stored")


async def _is_there(store: Store, job: CIJob, said: Collected, report: Report) -> bool:
    found = await store.find(report_name(job, said.attempt, report.number))
    return found is not None and found.size == report.size_bytes


def _with_trouble(kept: Collected, words: str) -> Collected:
    state = CollectionState.PARTIAL if kept.state == CollectionState.COMPLETE else kept.state
    # A list with more words could not be read again, and with them the artifacts would be lost.
    message = shorten("; ".join(filter(None, (kept.message, words))), MOST_WORDS)
    return kept.model_copy(update={"state": state, "message": message})


def _results(kept: Collected, tests: Tests | None) -> Json:
    """The gateway's keys of `status.results`, as small as they must be, as a merge patch.

    Null removes what an attempt before had there.
    """
    results = Results(
        tests=tests,
        artifacts=[
            ArtifactResult(name=one.name, size_bytes=one.size_bytes, sha256=one.sha256)
            for one in kept.artifacts
        ],
        collection=Collection(
            attempt=kept.attempt,
            state=kept.state,
            message=shorten(kept.message, MESSAGE_CHARACTERS) or None,
            fetch_seconds=kept.fetch_seconds or None,
        ),
    )
    small = trim_status(CIJobStatus(results=results), GATEWAY_BYTES).results or Results()
    plain = small.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "tests": _whole(plain.get("tests"), Tests),
        "artifacts": plain.get("artifacts") or None,
        "collection": _whole(plain["collection"], Collection),
    }


def _whole(plain: Json | None, kind: type[Tests] | type[Collection]) -> Json | None:
    """An object that replaces what was there: merged with it, the old one's words would stay."""
    if plain is None:
        return None
    fields = [field.alias or name for name, field in kind.model_fields.items()]
    return {**dict.fromkeys(fields), **plain}
