"""The loop: take a key, observe, decide, act; and who may start.

Several workers take keys from one queue; a key is worked on by one at a time. All state here can be
rebuilt from the cluster: who holds a place, who waits, what stands in the way.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic

from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_api.resolve import Ttl
from cijob_kube.errors import ApiError, Conflict, Gone, LeaseLost, Unavailable
from cijob_operator import metrics
from cijob_operator.act import Actor, unanswered
from cijob_operator.cache import Broken, Cache, Key
from cijob_operator.collecting import is_collected
from cijob_operator.decide import decide
from cijob_operator.decisions import Collecting, Decision, Observation, Obstacle, Policy
from cijob_operator.jobqueue import ADMISSION, POOLS, JobQueue, holding_of
from cijob_operator.poolstatuses import GATHER_SECONDS
from cijob_operator.times import later
from cijob_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)
# A create that gets no verdict for so long stands in the job's way: it says so, and lets others on.
PATIENCE_SECONDS = 5
# Every request has its own deadline of 20 s; no round makes more than a few.
STUCK_SECONDS = 120


@dataclass(slots=True)
class _Memory:
    """What is remembered of one job from look to look; a new process does without."""

    uid: str
    intended: int = 0  # the attempt whose Pod is about to be created
    obstacle: Obstacle | None = None
    told: datetime | None = None  # when something was written about it
    collecting: Collecting | None = None
    unanswered: datetime | None = None  # since when its create gets no verdict


class Reconciler:
    """Brings each job to where it should be."""

    def __init__(
        self,
        cache: Cache,
        queue: WorkQueue[Key],
        actor: Actor,
        *,
        policy: Policy,
        jobs: JobQueue,
        write_pools: Callable[[], Awaitable[None]],
        system_namespace: str,
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._actor = actor
        self._policy = policy
        self._system_namespace = system_namespace
        self._now = now
        self._jobs = jobs
        self._write_pools = write_pools
        self._memories: dict[Key, _Memory] = {}
        self._began: dict[Key, float] = {}

    def start(self) -> None:
        """Count who holds a place, from the first full list, before anybody is admitted."""
        for key, job in self._cache.jobs.items():
            for pod in self._cache.pods_of(key, job.metadata.uid):
                if not pod.is_over:
                    self._jobs.hold(key, holding_of(job, pod))
            self._queue.add(key)
        for key in self._cache.broken:
            self._queue.add(key)

    async def work(self) -> None:
        """One worker: take keys for ever. Ends only by LeaseLost or cancellation."""
        while True:
            key = await self._queue.get()
            try:
                await self._round(key)
            finally:
                self._queue.done(key)

    async def _round(self, key: Key) -> None:
        """One key, once; what fails is repeated after a growing delay."""
        began = self._began[key] = monotonic()
        try:
            if key == ADMISSION:
                self._jobs.admit(self._now())
            elif key == POOLS:
                await self._write_pools()
            else:
                await self.reconcile(key)
                self._queue.add_later(POOLS, GATHER_SECONDS)
        except Conflict:
            # Somebody else wrote meanwhile; the watch, or our own GET, brings the news.
            metrics.retries.labels("Conflict").inc()
            self._queue.retry(key)
        except ApiError as error:
            metrics.retries.labels(type(error).__name__).inc()
            seconds = self._queue.retry(key)
            level = logging.INFO if isinstance(error, Unavailable | Gone) else logging.WARNING
            told = {"job": "/".join(key), "again_in_seconds": round(seconds, 2)}
            logger.log(level, "%s", error, extra=told)
        except LeaseLost:
            raise
        except Exception as error:
            # One job that cannot be handled must not stop the others.
            metrics.retries.labels(type(error).__name__).inc()
            self._queue.retry(key)
            logger.exception("a job cannot be handled", extra={"job": "/".join(key)})
        else:
            self._queue.forget_failures(key)
        finally:
            del self._began[key]
            metrics.reconcile_seconds.observe(monotonic() - began)

    def stuck(self) -> str | None:
        """What has been worked on for so long that only a fresh start can help, if anything."""
        for key, began in self._began.items():
            if monotonic() - began > STUCK_SECONDS:
                return f"{'/'.join(key)} has been worked on for {monotonic() - began:.0f} s"
        return None

    async def reconcile(self, key: Key) -> None:
        """Observe, decide, act, for one job."""
        if key in self._cache.broken:
            await self._end_malformed(key, self._cache.broken[key])
            return
        job = self._cache.jobs.get(key)
        if job is None:
            self._forget(key)
            return
        memory = self._memory(key, job.metadata.uid)
        seen = self._observe(job, memory)
        now = self._now()
        decision = decide(seen, now, self._policy)
        obstacle = await self._act(seen, decision, now, memory)
        if decision.intend:
            memory.intended = decision.intend
        if decision.status:
            memory.told = now
        if seen.job.status.phase.is_final:
            memory.told = None
        self._note_collection(seen.job, decision, now, memory)
        self._note(seen.job, decision, obstacle, memory)
        if decision.again:
            self._queue.add_later(key, (decision.again - now).total_seconds())
        if self._has_acted(decision) and not decision.delete_job:
            self._queue.add(key)  # look at what that changed

    async def _end_malformed(self, key: Key, broken: Broken) -> None:
        """A job that nothing can be asked of: say so, end what runs, and clean up by default."""
        now = self._now()
        if not broken.finished:
            await self._actor.mark_malformed(key, broken.words, now)
        await self._actor.delete_pods_of_malformed(key, broken.uid)
        self._let_go(key)
        expires = later(broken.ended or now, Ttl().failed)
        if broken.finished and now >= expires:
            await self._actor.delete_job(key, broken.uid)
        else:
            self._queue.add_later(key, (expires - now).total_seconds())

    def _memory(self, key: Key, uid: str) -> _Memory:
        """What is remembered of a job: nothing if it is another than the last of its name."""
        memory = self._memories.get(key)
        if memory and memory.uid != uid:
            self._let_go(key)
        return self._memories.setdefault(key, _Memory(uid))

    async def _act(
        self, seen: Observation, decision: Decision, now: datetime, memory: _Memory
    ) -> Obstacle | None:
        """Carry a decision out; what stands against its Pod, if anything."""
        try:
            return await self._actor.act(seen, decision, now)
        except Unavailable as error:
            if not decision.create:
                raise
            return self._lasting(error, now, memory)

    def _observe(self, job: CIJob, memory: _Memory) -> Observation:
        key = job.key
        return Observation(
            job=job,
            pods=self._cache.pods_of(key, job.metadata.uid),
            template=self._cache.template_of(job, self._system_namespace),
            pools=self._jobs.pools(),
            place=self._jobs.place(key),
            passed_over=self._jobs.passed_over(key),
            superseded_by=self._jobs.superseded_by(key),
            intended=memory.intended,
            obstacle=memory.obstacle,
            told=memory.told,
            collecting=memory.collecting,
        )

    @staticmethod
    def _note_collection(job: CIJob, decision: Decision, now: datetime, memory: _Memory) -> None:
        """Remember what is waited for; measure how long, once it has come or will not."""
        waited, memory.collecting = memory.collecting, decision.collecting
        if waited and not decision.collecting:
            result = "collected" if is_collected(job, waited.attempt) else "missing"
            seconds = (now - waited.since).total_seconds()
            metrics.collection_seconds.labels(result).observe(seconds)

    def _note(
        self, job: CIJob, decision: Decision, obstacle: Obstacle | None, memory: _Memory
    ) -> None:
        """Remember what the decision means for places and for the next look."""
        if obstacle:
            proven = obstacle.refused and memory.unanswered is None
            memory.obstacle = replace(obstacle, refused=proven)
        elif decision.holds_place:  # its Pod is there, or a create of it is yet to come
            memory.unanswered = None
            if not decision.intend:
                memory.obstacle, memory.intended = None, 0
        if self._take_place(job, decision, obstacle):
            self._queue.add(ADMISSION)
        self._forget_closed_pods(job.key)

    def _lasting(self, error: Unavailable, tried: datetime, memory: _Memory) -> Obstacle:
        """What stands against a create without a verdict; raises the error until that lasts."""
        memory.obstacle = None  # that an earlier one was refused proves nothing any more
        now = self._now()
        memory.unanswered = memory.unanswered or tried
        if error.is_away:  # who is away says nothing of this Pod
            memory.unanswered = now
            raise error
        if (now - memory.unanswered).total_seconds() < PATIENCE_SECONDS:
            raise error
        return unanswered(error, now)

    def _take_place(self, job: CIJob, decision: Decision, obstacle: Obstacle | None) -> bool:
        """Tell the queue of a job's place; whether the queue has to be looked at for that."""
        key = job.key
        if decision.wants:
            return self._jobs.want(key, decision.wants)
        if _is_over(job, decision):
            return self._jobs.let_go(key)
        if obstacle or not decision.holds_place:
            return self._jobs.stay(key, decision.stays)
        living = [p for p in self._cache.pods_of(key, job.metadata.uid) if not p.is_over]
        if living and (decision.create or not self._jobs.is_admitted(key)):
            self._jobs.hold(key, holding_of(job, living[-1]))
        return False

    def _forget_closed_pods(self, key: Key) -> None:
        """Deleted Pods are remembered until their attempt is closed, or the job is over."""
        job = self._cache.jobs.get(key)
        if job is None:
            return
        closed = {a.number for a in job.status.attempts or [] if a.completion_time}
        for pod in self._cache.pods_of(key, job.metadata.uid):
            if pod.gone and (job.status.phase.is_final or pod.attempt in closed):
                self._cache.forget_pod(pod.key)

    def _forget(self, key: Key) -> None:
        """A job is gone: let go of everything about it."""
        self._let_go(key)
        self._queue.forget(key)

    def _let_go(self, key: Key) -> None:
        """Nothing is remembered of the job, and its place is free."""
        self._memories.pop(key, None)
        if self._jobs.let_go(key):
            self._queue.add(ADMISSION)

    @staticmethod
    def _has_acted(decision: Decision) -> bool:
        return bool(decision.status or decision.create or decision.stops or decision.delete_pods)


def _is_over(job: CIJob, decision: Decision) -> bool:
    """Whether a job will have no place any more."""
    if job.metadata.deletion_timestamp:
        return not decision.holds_place
    return (decision.status or job.status).phase.is_final


def count_phases(cache: Cache) -> dict[str, int]:
    """How many jobs there are in each phase, for the metrics."""
    counts = {str(phase): 0 for phase in Phase}
    for job in cache.jobs.values():
        counts[str(job.status.phase)] += 1
    return counts
