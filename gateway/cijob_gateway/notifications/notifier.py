"""Who has to be told of what: every change of a job wakes the couriers of its sinks.

Run by the archiver while it leads. Level-driven: after a restart every job that is there is looked
at, and what its cursor does not know as accepted is told. A CIJob that is deleted meanwhile is
told of as it was seen last.
"""

import asyncio
import logging
from itertools import islice

from cijob_api.errors import Malformed
from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.resolve import merge
from cijob_gateway.archiver import metrics
from cijob_gateway.notifications.couriers import Courier, Tools, Tracked
from cijob_gateway.notifications.cursors import Cursor
from cijob_gateway.notifications.due import is_old
from cijob_gateway.watches import Json, Key, Watch

logger = logging.getLogger(__name__)
# Cursors that are read at a time; after a restart there may be many.
AT_A_TIME = 16
# CIJobs that are deleted and have sinks that are down: they are kept nowhere but here.
MOST_GONE = 1000
SOON_SECONDS = 0.05


class Notifier:
    """Wakes a courier for each sink of each job."""

    def __init__(
        self,
        tools: Tools,
        jobs: Watch[CIJob],
        templates: Watch[CIJobTemplate],
        system_namespace: str,
    ) -> None:
        self._tools = tools
        self._jobs = jobs
        self._templates = templates
        self._system_namespace = system_namespace
        self._running = False
        self._news = asyncio.Event()
        self._bodies: dict[str, Json] = {}  # by uid: as last seen, and not looked at yet
        self._gone: set[str] = set()  # uids of jobs with news that were deleted
        self._uids: dict[Key, str] = {}  # of jobs that are tracked, or have news
        self._tracked: dict[str, Tracked] = {}
        self._couriers: dict[tuple[str, str], Courier] = {}

    def note(self, key: Key) -> None:
        """A job has changed, or is gone. Called by the watch, at once."""
        if not self._running:
            return
        body = self._jobs.body(*key)
        uid = str(body["metadata"]["uid"]) if body else ""
        known = self._uids.get(key)
        if known and known != uid:
            self._gone.add(known)
            del self._uids[key]
            self._news.set()
        if body is not None and _may_notify(body):
            self._uids[key] = uid
            self._bodies[uid] = body
            self._news.set()

    async def run(self) -> None:
        """For ever. Raises LeaseLost, in a group."""
        while self._jobs.trouble or self._templates.trouble:  # noqa: ASYNC110 (happens once)
            await asyncio.sleep(SOON_SECONDS)
        self._running = True
        for body in self._jobs.bodies():
            self.note((body["metadata"]["namespace"], body["metadata"]["name"]))
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._look(tasks)
                metrics.notifying.set(len(self._tracked))
                await self._news.wait()
                self._news.clear()

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Look at all jobs with news."""
        while self._bodies:
            batch = [self._bodies.pop(uid) for uid in list(islice(self._bodies, AT_A_TIME))]
            async with asyncio.TaskGroup() as reading:
                found = [reading.create_task(self._consider(body)) for body in batch]
            for task in found:
                if tracked := task.result():
                    self._wake(tracked, tasks)
        for uid in self._gone:
            if tracked := self._tracked.get(uid):
                tracked.gone = True
                self._wake(tracked, tasks)
        self._gone.clear()
        gone = [tracked for tracked in self._tracked.values() if tracked.gone]
        for tracked in gone[: max(len(gone) - MOST_GONE, 0)]:  # the oldest
            self._forget(tracked)

    async def _consider(self, body: Json) -> Tracked | None:
        """A job as it is now, if somebody is to be told of it."""
        try:
            job = CIJob.parse(body)
        except Malformed:  # it ends as such; nobody knows what it meant to notify
            return None
        if is_old(job, self._tools.now(), self._tools.longest):
            return None
        meta = job.metadata
        sinks = self._sinks_of(job)
        tracked = self._tracked.get(meta.uid)
        if tracked is None:
            if not sinks:
                return None
            cursor = await Cursor.load(self._tools.bucket, meta.namespace, meta.uid)
            tracked = self._tracked[meta.uid] = Tracked(job, sinks, cursor)
        tracked.job, tracked.sinks, tracked.open = job, sinks, set(sinks)
        return tracked

    def _sinks_of(self, job: CIJob) -> tuple[str, ...]:
        """The sinks that the job names, or its template."""
        template = None
        if reference := job.spec.template_ref:
            find = self._templates.find
            own = find(job.metadata.namespace, reference.name)
            template = own or find(self._system_namespace, reference.name)
        said = merge(job.spec, template.spec if template else None)
        return tuple(notify.name for notify in said.notify or [])

    def _wake(self, tracked: Tracked, tasks: asyncio.TaskGroup) -> None:
        namespace = tracked.job.metadata.namespace
        for sink in tracked.sinks:
            courier = self._couriers.get((namespace, sink))
            if courier is None:
                courier = Courier(self._tools, namespace, sink, done=self._done)
                courier.wake(tracked)
                self._couriers[namespace, sink] = courier
                tasks.create_task(self._run(courier, namespace, sink))
            else:
                courier.wake(tracked)

    async def _run(self, courier: Courier, namespace: str, sink: str) -> None:
        # Nothing is awaited between the courier's last look at its lanes and this.
        await courier.run()
        del self._couriers[namespace, sink]

    def _forget(self, tracked: Tracked) -> None:
        words = f"it is deleted, and {MOST_GONE} others wait as well"
        for sink in list(tracked.open):
            if courier := self._couriers.get((tracked.job.metadata.namespace, sink)):
                courier.forget(tracked, words)
            self._done(tracked, sink)

    def _done(self, tracked: Tracked, sink: str) -> None:
        """A sink will not be told anything more of a job."""
        tracked.open.discard(sink)
        meta = tracked.job.metadata
        if tracked.open or meta.uid in self._bodies:
            return
        self._tracked.pop(meta.uid, None)
        key = (meta.namespace, meta.name)
        if self._uids.get(key) == meta.uid:
            del self._uids[key]


def _may_notify(body: Json) -> bool:
    """Whether it is worth a look: most jobs notify nobody."""
    return bool(body["spec"].get("notify")) or "templateRef" in body["spec"]
