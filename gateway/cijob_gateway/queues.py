"""The queue as this gateway sees it, from its own watches: who waits, who holds a place, the pools.

Used by the routes. Rebuilt when something has changed; where that takes its time, so rarely that a
tenth of the time goes into it. A job is read once as long as it does not change. One that was just
admitted counts as waiting until its status says that it runs: a few seconds at most.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cijob_api import names
from cijob_api.admission import waiting
from cijob_api.errors import Malformed
from cijob_api.fitting import Pools, capacities, fit, pools_of
from cijob_api.objects import CIJob, CIJobTemplate, CIPool
from cijob_api.places import Floor, Holding
from cijob_api.reasons import Phase, Reason
from cijob_api.resolve import merge
from cijob_api.specs import CIPoolSpec
from cijob_gateway.waits import Look, Queued, Wait, habits_of, look
from cijob_gateway.watches import Json, Watch

# Jobs age, and so their order changes.
FRESH_SECONDS = 1.0
# A look that takes more of the processor is not taken again at every change, but after ten times as
# long: over some thousand jobs. How long it took on a busy machine says nothing.
LONG_SECONDS = 0.05
# What a queued job says of itself that is not a matter of its turn.
OUT_OF_LINE = {Reason.BACKING_OFF, Reason.QUOTA_EXCEEDED, Reason.ADMISSION_DENIED}
ENDED = {Phase.SUCCEEDED, Phase.FAILED}
Version = tuple[str, str, str]


@dataclass(frozen=True)
class Ground:
    """What the queue is made of."""

    jobs: Watch[CIJob]
    pools: Watch[CIPool]
    template: Callable[[str, str], Json | None]
    """A template's object, by the job's namespace and the template's name."""
    namespaces: tuple[str, ...]
    default_pool: CIPoolSpec
    aging_seconds: float


@dataclass(frozen=True)
class _Taken:
    """A look, of which state of the watches, when, and what it took of the processor."""

    look: Look
    generation: int
    began: float
    took: float

    def serves(self, generation: int, now: float) -> bool:
        """Whether it is still good."""
        age = now - self.began
        if self.took > LONG_SECONDS and age < 10 * self.took:
            return self.generation >= 0
        return self.generation == generation and age < FRESH_SECONDS


class Queue:
    """The queue of all namespaces that this gateway serves."""

    def __init__(
        self,
        ground: Ground,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        cpu: Callable[[], float],
    ) -> None:
        """`cpu`: seconds that the thread which asks has had of the processor."""
        self._ground = ground
        self._now = now
        self._monotonic = monotonic
        self._cpu = cpu
        self._read: dict[str, tuple[Version, Queued]] = {}  # by UID
        self._last = _Taken(Look(), -1, 0.0, 0.0)
        self._places: dict[tuple[str, str], Wait] = {}
        self._looking = asyncio.Lock()

    async def look(self) -> Look:
        """The queue now, or as it was a moment ago."""
        async with self._looking:
            generation = self._ground.jobs.generation + self._ground.pools.generation
            if not self._last.serves(generation, self._monotonic()):
                began, bodies = self._monotonic(), self._ground.jobs.bodies()
                # Thousands of jobs take their time: requests go on meanwhile.
                found, took = await asyncio.to_thread(self._timed, bodies, self.pools())
                self._last = _Taken(found, generation, began, took)
                self._places = {(wait.namespace, wait.name): wait for wait in found.waits}
            return self._last.look

    async def wait(self, namespace: str, name: str) -> Wait | None:
        """Where a job stands; None if it is not queued."""
        await self.look()
        return self._places.get((namespace, name))

    def pools(self) -> Pools:
        """The pools that there are for the namespaces served."""
        ground = self._ground
        found = {pool.metadata.name: pool.spec for pool in _parsed(ground.pools)}
        return pools_of(found, ground.namespaces, ground.default_pool)

    def _timed(self, bodies: list[Json], pools: Pools) -> tuple[Look, float]:
        """A look, and what it took of the processor."""
        began = self._cpu()
        return self._look(bodies, pools), self._cpu() - began

    def _look(self, bodies: list[Json], pools: Pools) -> Look:
        offered = repr(pools)
        queued = [job for body in bodies if (job := self._queued(body, pools, offered))]
        there = {body["metadata"]["uid"] for body in bodies}
        self._read = {uid: read for uid, read in self._read.items() if uid in there}
        floor = Floor(
            capacities(pools),
            list(self._holding(bodies)),
            self._now().timestamp(),
            self._ground.aging_seconds,
        )
        return look(queued, floor, habits_of(_ended(bodies)))

    def _queued(self, body: Json, pools: Pools, offered: str) -> Queued | None:
        """A job that waits, as it was read last if nothing has changed."""
        if _phase(body) != Phase.QUEUED or body["spec"].get("desiredState") == "Cancelled":
            return None
        metadata, template = body["metadata"], self._template(body)
        version = (
            str(metadata["resourceVersion"]),
            str(template["metadata"]["resourceVersion"]) if template else "",
            offered,
        )
        known = self._read.get(metadata["uid"])
        if known is None or known[0] != version:
            known = (version, _read(body, template, pools))
            self._read[metadata["uid"]] = known
        return known[1]

    def _holding(self, bodies: list[Json]) -> Iterator[Holding]:
        for body in bodies:
            if _phase(body) not in {Phase.STARTING, Phase.RUNNING}:
                continue
            metadata, status = body["metadata"], body["status"]
            submitter = (metadata.get("annotations") or {}).get(names.ANNOTATION_SUBMITTER, "")
            yield Holding(
                metadata["namespace"],
                metadata["name"],
                status.get("pool") or "",
                submitter=submitter,
                group=_group(body) or _group(self._template(body)),
            )

    def _template(self, body: Json) -> Json | None:
        name = _template_name(body)
        return self._ground.template(body["metadata"]["namespace"], name) if name else None


def _read(body: Json, template: Json | None, pools: Pools) -> Queued:
    metadata, name = body["metadata"], _template_name(body)
    own = (metadata["namespace"], metadata["name"], name)
    status = body.get("status") or {}
    try:
        job = CIJob.parse(body)
        said = merge(job.spec, CIJobTemplate.parse(template).spec if template else None)
    except Malformed as error:
        return Queued(*own, held_by=str(error))
    if job.spec.suspend:
        return Queued(*own, held_by="suspend is true")
    if name and template is None:
        return Queued(*own, held_by=f"there is no template {name}")
    if status.get("reason") in OUT_OF_LINE:
        return Queued(*own, held_by=job.status.message or str(job.status.reason))
    fitting = fit(said, pools, namespace=job.metadata.namespace)
    if fitting.refusal:
        return Queued(*own, held_by=fitting.refusal.message)
    return Queued(*own, waiting=waiting(job, said, fitting.pools))


def _ended(bodies: list[Json]) -> Iterator[tuple[str, str, str, float]]:
    """Template, pool, end and length of each job that ran to an end of its own."""
    for body in bodies:
        status = body.get("status") or {}
        began, ended = status.get("startTime"), status.get("completionTime")
        if _phase(body) in ENDED and began and ended:
            length = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
            pool = status.get("pool") or ""
            yield _template_name(body), pool, ended, max(length.total_seconds(), 0.0)


def _phase(body: Json) -> str:
    return str((body.get("status") or {}).get("phase") or Phase.QUEUED)


def _group(body: Json | None) -> str:
    said = (body or {}).get("spec") or {}
    return str((said.get("concurrency") or {}).get("group") or "")


def _template_name(body: Json) -> str:
    return str((body["spec"].get("templateRef") or {}).get("name") or "")


def _parsed(watch: Watch[CIPool]) -> Iterator[CIPool]:
    for body in watch.bodies():
        try:
            yield CIPool.parse(body)
        except Malformed:
            continue
