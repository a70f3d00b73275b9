"""Which jobs are archived now: every one that runs, or has ended and is not archived yet.

Run by main.py while this process leads. Events only say which job to look at.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext

from cijob_api.objects import CIJob
from cijob_gateway.archiver import records
from cijob_gateway.archiver.attempts import Tools
from cijob_gateway.archiver.jobs import JobArchive, Sight
from cijob_gateway.archiver.pods import Pods
from cijob_gateway.watches import Json, Key, Watch
from cijob_kube.api import Api
from cijob_kube.errors import LeaseLost

logger = logging.getLogger(__name__)
# Jobs that had ended before they were seen; those that run are not held up by them.
ENDED_AT_A_TIME = 16
AGAIN_SECONDS = 10.0


class Known:
    """What the watches know of jobs and their Pods."""

    def __init__(self, api: Api, namespaces: tuple[str, ...]) -> None:
        self.news: asyncio.Queue[Key] = asyncio.Queue()
        """Jobs that have changed, or whose Pods have, since `listen`."""
        self.listeners: list[Callable[[Key], None]] = [self._note]
        self.jobs = Watch(api, CIJob, "cijobs", namespaces, told=self._tell)
        self.pods = Pods(api, namespaces, told=self._note)
        self._listened = False

    @property
    def trouble(self) -> str:
        """Why what is known may be old, in words; empty if it is not."""
        return self.jobs.trouble or self.pods.watch.trouble

    def listen(self) -> None:
        """From now on there are news; what was before stands in the watches.

        A standby takes none, for as long as another leads: they would pile up for weeks.
        """
        self._listened = True

    def _note(self, key: Key) -> None:
        if self._listened:
            self.news.put_nowait(key)

    def _tell(self, key: Key) -> None:
        for listener in self.listeners:
            listener(key)

    def looker(self, key: Key, last: Json) -> Callable[[], Sight]:
        """How to look at a job, which also gives its last state when it is gone."""
        uid = last["metadata"]["uid"]

        def look() -> Sight:
            nonlocal last
            body = self.jobs.body(*key)
            there = body is not None and body["metadata"]["uid"] == uid
            last = body if body is not None and there else last
            return Sight(last, not there, self.pods.of(key, uid))

        return look


class Dispatcher:
    """Starts an archive for each job, and wakes it."""

    def __init__(self, tools: Tools, known: Known) -> None:
        self._tools = tools
        self._known = known
        self._running: dict[str, JobArchive] = {}  # by uid
        self._young: dict[Key, str] = {}  # uids of jobs that were seen before they ran
        self._done: set[str] = set()  # archived, and the watch may not show it yet
        self._ended = asyncio.Semaphore(ENDED_AT_A_TIME)

    async def run(self) -> None:
        """For ever. Raises LeaseLost, in a group."""
        self._known.listen()
        # Not everything is known: an attempt's Pod could look gone.
        while self._known.trouble:  # noqa: ASYNC110 (it is no event, and this happens once)
            await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as tasks:
            for body in self._known.jobs.bodies():
                self._consider((body["metadata"]["namespace"], body["metadata"]["name"]), tasks)
            while True:
                self._consider(await self._known.news.get(), tasks)

    def _consider(self, key: Key, tasks: asyncio.TaskGroup) -> None:
        """Look at a job of which there is news."""
        for archive in self._running.values():
            if archive.key == key:
                archive.wake()
        body = self._known.jobs.body(*key)
        if body is None:
            self._young.pop(key, None)
        elif self._is_due(key, body):
            uid = body["metadata"]["uid"]
            fresh = self._young.pop(key, None) == uid
            archive = JobArchive(self._tools, self._known.looker(key, body), fresh=fresh)
            self._running[uid] = archive
            waits = records.is_final(body) and not fresh
            tasks.create_task(self._run(uid, archive, waits=waits))

    def _is_due(self, key: Key, body: Json) -> bool:
        """Whether an archive is to begin now."""
        uid = body["metadata"]["uid"]
        if records.is_archived(body):
            self._done.discard(uid)
            return False
        if uid in self._running or uid in self._done:
            return False
        pods = self._known.pods.of(key, uid).values()
        if records.is_final(body) or records.has_begun(body) or any(p.has_begun for p in pods):
            return True
        self._young[key] = uid
        return False

    async def _run(self, uid: str, archive: JobArchive, *, waits: bool) -> None:
        """One job; what fails is tried again and disturbs no other. Raises LeaseLost."""
        try:
            async with self._ended if waits else nullcontext():
                await archive.run()
        except LeaseLost:
            raise
        except Exception as error:
            if isinstance(error, ExceptionGroup) and error.subgroup(LeaseLost):
                raise
            logger.exception("a job cannot be archived now", extra={"job": "/".join(archive.key)})
            await asyncio.sleep(AGAIN_SECONDS)
            self._known.news.put_nowait(archive.key)
        else:
            self._done.add(uid)
        finally:
            del self._running[uid]
