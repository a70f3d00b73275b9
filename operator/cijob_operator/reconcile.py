"""The loop: take a key, observe, decide, act; and who may start.

Several workers take keys from one queue; a key is worked on by one at a time. All state here can be
rebuilt from the cluster: who holds a place, who waits, what stands in the way.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from cijob_api.admission import Waiting, admit, waiting
from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_api.resolve import Ttl
from cijob_api.specs import CIPoolSpec
from cijob_kube.errors import ApiError, Conflict, Gone, LeaseLost, Unavailable
from cijob_operator import metrics
from cijob_operator.act import Actor
from cijob_operator.cache import Broken, Cache, Key
from cijob_operator.decide import decide
from cijob_operator.decisions import Decision, Observation, Obstacle, Policy
from cijob_operator.times import later
from cijob_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)
ADMISSION: Key = ("", "")  # the key under which the whole queue is looked at
POOL = "default"
# Every request has its own deadline of 20 s; no round makes more than a few.
STUCK_SECONDS = 120


class Reconciler:
    """Brings each job to where it should be."""

    def __init__(
        self,
        cache: Cache,
        queue: WorkQueue[Key],
        actor: Actor,
        *,
        policy: Policy,
        pool: CIPoolSpec,
        system_namespace: str,
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._actor = actor
        self._policy = policy
        self._pool = pool
        self._system_namespace = system_namespace
        self._now = now
        self._waiting: dict[Key, Waiting] = {}
        self._passed_over: set[Key] = set()
        self._admitted: set[Key] = set()  # may start; their Pods are not created yet
        self._holding: set[Key] = set()  # their containers run
        self._intended: dict[Key, int] = {}
        self._obstacles: dict[Key, Obstacle] = {}
        self._told: dict[Key, datetime] = {}  # when something was written about it
        self._began: dict[Key, float] = {}

    def start(self) -> None:
        """Count who holds a place, from the first full list, before anybody is admitted."""
        for key, job in self._cache.jobs.items():
            if any(not pod.is_over for pod in self._cache.pods_of(key, job.metadata.uid)):
                self._holding.add(key)
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
                self._admit()
            else:
                await self.reconcile(key)
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
        seen = self._observe(key, job)
        now = self._now()
        decision = decide(seen, now, self._policy)
        obstacle = await self._actor.act(seen, decision, now)
        if decision.intend:
            self._intended[key] = decision.intend
        if decision.status:
            self._told[key] = now
        if seen.job.status.phase.is_final:
            self._told.pop(key, None)
        self._note(seen.job, decision, obstacle)
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

    def _observe(self, key: Key, job: CIJob) -> Observation:
        return Observation(
            job=job,
            pods=self._cache.pods_of(key, job.metadata.uid),
            template=self._cache.template_of(job, self._system_namespace),
            pool=self._pool,
            pool_name=POOL,
            admitted=key in self._admitted or key in self._holding,
            passed_over=key in self._passed_over,
            queued=len(self._waiting),
            intended=self._intended.get(key, 0),
            obstacle=self._obstacles.get(key),
            told=self._told.get(key),
        )

    def _note(self, job: CIJob, decision: Decision, obstacle: Obstacle | None) -> None:
        """Remember what the decision means for places and for the next look."""
        key = job.key
        if obstacle:
            self._obstacles[key] = obstacle
        elif decision.create:
            self._obstacles.pop(key, None)
            self._intended.pop(key, None)
        created = decision.create is not None and obstacle is None
        holds = decision.holds_place and obstacle is None
        before = key in self._holding or key in self._admitted
        if decision.wants_place:
            self._waiting[key] = waiting(
                *key, priority=job.spec.priority or 0, created=job.metadata.creation_timestamp
            )
        else:
            self._waiting.pop(key, None)
            self._passed_over.discard(key)
        if created or (holds and key not in self._admitted):
            self._admitted.discard(key)
            self._holding.add(key)
        elif not holds and not decision.wants_place:
            self._admitted.discard(key)
            self._holding.discard(key)
        freed = before and key not in self._holding and key not in self._admitted
        if freed or (decision.wants_place and key not in self._passed_over):
            self._queue.add(ADMISSION)
        self._forget_closed_pods(key)

    def _admit(self) -> None:
        """Let in as many as there are free places."""
        taken = len(self._holding | self._admitted)
        for line in admit(self._waiting.values(), taken=taken, places=self._pool.max_concurrent):
            key = (line.namespace, line.name)
            self._admitted.add(key)
            self._waiting.pop(key, None)
            self._passed_over.discard(key)
            self._queue.add(key)
        for key in self._waiting.keys() - self._passed_over:
            self._passed_over.add(key)
            self._queue.add(key)

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
        held = key in self._holding or key in self._admitted
        self._waiting.pop(key, None)
        self._passed_over.discard(key)
        self._intended.pop(key, None)
        self._obstacles.pop(key, None)
        self._told.pop(key, None)
        self._holding.discard(key)
        self._admitted.discard(key)
        if held:
            self._queue.add(ADMISSION)

    @staticmethod
    def _has_acted(decision: Decision) -> bool:
        return bool(decision.status or decision.create or decision.stops or decision.delete_pods)


def count_phases(cache: Cache) -> dict[str, int]:
    """How many jobs there are in each phase, for the metrics."""
    counts = {str(phase): 0 for phase in Phase}
    for job in cache.jobs.values():
        counts[str(job.status.phase)] += 1
    return counts
