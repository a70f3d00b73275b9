"""What the readers of one job's log have in common: what is known of the job, and its follows.

Used by follows.py. There is a room while it has readers; the last one to leave ends everything in
it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol, cast

from cijob_api.lines import seconds_between
from cijob_api.objects import CIJob
from cijob_api.statuses import Attempt
from cijob_gateway.logs.archive import list_attempts
from cijob_gateway.logs.archivelogs import ArchivedLog, Where
from cijob_gateway.logs.attempts import attempts_of, first_named, last_number
from cijob_gateway.logs.joinedlogs import JoinedLog
from cijob_gateway.logs.leaps import ROTATION_SECONDS
from cijob_gateway.logs.podlogs import PodLog
from cijob_gateway.logs.readings import Pace, Source, stop
from cijob_gateway.logs.sharedlogs import Kept, SharedLog
from cijob_gateway.store import Store
from cijob_kube.api import Api


class JobSource(Protocol):
    """The gateway's shared watch of CIJobs."""

    def find(self, namespace: str, name: str) -> CIJob | None:
        """The job of that name, as last seen."""

    def changes(self, namespace: str, name: str, uid: str) -> AsyncIterator[CIJob | None]:
        """The job now, then each newer state; None when it was deleted. Never ends by itself."""


@dataclass(frozen=True)
class Ground:
    """What every room stands on."""

    api: Api
    jobs: JobSource
    pace: Pace
    kept: Kept
    """Memory for the last lines of logs that are followed."""
    store: Store | None = None
    """Where logs are archived, if they are."""


class Room:
    """One job and its readers."""

    def __init__(self, ground: Ground, job: CIJob) -> None:
        self.readers = 0
        self.job = job
        self.deleted = False
        self._ground = ground
        self._failed: BaseException | None = None
        self._news = asyncio.Event()
        self._ended: dict[int, asyncio.Event] = {}
        self._shared: dict[int, SharedLog] = {}
        self._learn(job)
        self._watch = asyncio.create_task(self._observe())

    @property
    def over(self) -> bool:
        """Whether no further attempt can come."""
        return self.deleted or self.job.status.phase.is_final

    def ended(self, number: int) -> asyncio.Event:
        """Set once that attempt's container has ended."""
        return self._ended.setdefault(number, asyncio.Event())

    def archived(self, attempt: Attempt) -> ArchivedLog | None:
        """An attempt's log in the archive, if there is one."""
        meta, store = self.job.metadata, self._ground.store
        return (
            ArchivedLog(store, Where(meta.namespace, meta.uid, attempt.number)) if store else None
        )

    async def may_have_run(self, attempt: Attempt) -> bool:
        """Whether an attempt may have a log, though none is found. Raises Down.

        Of what an archiver has seen, and the status names no more, something would be stored.
        """
        if has_started(attempt) or attempt.number >= first_named(self.job):
            return has_started(attempt)
        meta, store = self.job.metadata, self._ground.store
        return not (store and await list_attempts(store, meta.namespace, meta.uid))

    def log(self, attempt: Attempt) -> JoinedLog:
        """A reader's own way to an attempt's log."""
        source = Source(self.job.metadata.namespace, attempt.pod_name or "", attempt.number)
        ended = self.ended(attempt.number)
        # Of a container that never started there is no log to wait for.
        tries = self._ground.pace.tries if has_started(attempt) else 1
        pace = replace(self._ground.pace, tries=tries)

        def open_pod() -> PodLog:
            return PodLog(self._ground.api, source, ended, pace=pace)

        return JoinedLog(open_pod, self.archived(attempt))

    @asynccontextmanager
    async def shared(self, number: int, log: JoinedLog) -> AsyncGenerator[SharedLog]:
        """The live follow of an attempt; begun by its first reader, where `log` stands."""
        shared = self._shared.get(number)
        if shared is None:
            shared = SharedLog(log, kept=self._ground.kept, wake=self.wake)
            self._shared[number] = shared
        shared.readers += 1
        try:
            yield shared
        finally:
            shared.readers -= 1
            if not shared.readers:
                del self._shared[number]
                await shared.aclose()

    def wake(self) -> None:
        """Tell all readers that there is something new."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, seconds: float | None = None) -> None:
        """Wait for something new, at most so long. Raises what ended the watch of the job."""
        if self._failed:
            raise RuntimeError("the watch of CIJobs has ended") from self._failed
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def aclose(self) -> None:
        """End the watch; the follows have ended with their readers."""
        await stop(self._watch)

    async def _observe(self) -> None:
        meta = self.job.metadata
        changes = self._ground.jobs.changes(meta.namespace, meta.name, meta.uid)
        try:
            async with aclosing(cast("AsyncGenerator[CIJob | None]", changes)) as states:
                async for job in states:
                    self._learn(job)
        except Exception as error:  # raised by every reader
            self._failed = error
        finally:
            self.wake()

    def _learn(self, job: CIJob | None) -> None:
        self.deleted = self.deleted or job is None
        self.job = job or self.job
        last = last_number(self.job)
        for attempt in attempts_of(self.job):
            superseded = attempt.number < last
            if self.over or attempt.completion_time or superseded:
                self.ended(attempt.number).set()
        self.wake()


def has_started(attempt: Attempt) -> bool:
    """Whether the attempt's container ever ran, as far as is known."""
    return bool(attempt.start_time or attempt.container_id)


def ended_before(attempt: Attempt, since: str) -> bool:
    """Whether nothing of an attempt is as young as that; its end is known in whole seconds."""
    return bool(attempt.completion_time) and (attempt.completion_time or "")[:19] < since[:19]


def may_be_late(attempt: Attempt, first: bytes) -> bool:
    """Whether the node may have thrown lines away before the one with that timestamp."""
    if not attempt.start_time:
        return True
    started = f"{attempt.start_time[:19]}.000000000Z"
    return seconds_between(started, first.decode()) > ROTATION_SECONDS
