"""A courier tells one sink of one namespace everything that it is to know, one by one.

Started by notifier.py when a job has something for its sink, and over when none has. Events of one
job go in their order; a job whose event fails lets the others pass.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cijob_api.cloudevents import CloudEvent, history
from cijob_api.names import API_VERSION
from cijob_api.objects import CIJob
from cijob_gateway.archiver import metrics
from cijob_gateway.archiver.uploads import Bucket
from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import tail_name
from cijob_gateway.notifications.backoff import Backoff, Lanes
from cijob_gateway.notifications.books import Books
from cijob_gateway.notifications.cursors import ACCEPTED, GIVEN_UP, Cursor
from cijob_gateway.notifications.due import Due, is_old, next_due, place_of
from cijob_gateway.notifications.posts import Post, commit_status, webhook, with_details
from cijob_gateway.notifications.senders import Answer, Outcome
from cijob_gateway.notifications.sinks import Kind, Problem, Sink
from cijob_kube.errors import ApiError, LeaseLost
from cijob_kube.events import Event, Events, Subject

logger = logging.getLogger(__name__)
# When this process ends, an answer that is on its way is waited for: nobody else can know it.
LAST_ANSWER_SECONDS = 8.0


class Sends(Protocol):
    """Who sends requests: a Sender, or a test's own."""

    async def send(self, post: Post) -> Answer: ...


@dataclass(frozen=True)
class Tools:
    """What every courier works with."""

    bucket: Bucket
    books: Books
    sender: Sends
    events: Events
    longest: timedelta
    """Events older than that are given up."""
    now: Callable[[], datetime]
    backoff: Backoff = field(default_factory=Backoff)
    chance: Callable[[], float] = random.random


@dataclass
class Tracked:
    """A job of which somebody is to be told."""

    job: CIJob
    sinks: tuple[str, ...]
    cursor: Cursor
    gone: bool = False
    open: set[str] = field(default_factory=set)
    """Sinks that may still have to be told something."""
    told: set[str] = field(default_factory=set)
    """What its owner was told of, so that it is told once."""

    @property
    def name(self) -> str:
        """For the log."""
        return f"{self.job.metadata.namespace}/{self.job.metadata.name}"


class Courier:
    """Tells one sink."""

    def __init__(
        self, tools: Tools, namespace: str, sink: str, *, done: Callable[[Tracked, str], None]
    ) -> None:
        """`done` hears of each job of which the sink will never be told anything more."""
        self._tools = tools
        self._namespace = namespace
        self._sink = sink
        self._done = done
        self._news = asyncio.Event()
        self._jobs: dict[str, Tracked] = {}
        self._lanes = Lanes(tools.backoff, tools.chance)

    def __len__(self) -> int:
        return len(self._lanes)

    def wake(self, tracked: Tracked) -> None:
        """There is something new about a job."""
        uid = tracked.job.metadata.uid
        self._jobs[uid] = tracked
        self._lanes.add(uid, self._clock())
        self._news.set()

    def forget(self, tracked: Tracked, words: str) -> None:
        """Give up what a job still has for the sink."""
        uid = tracked.job.metadata.uid
        if self._jobs.pop(uid, None):
            self._lanes.drop(uid)
            self._given_up(tracked, (), words)

    async def run(self) -> None:
        """Until there is nothing to tell. Raises LeaseLost."""
        while turn := self._lanes.next():
            uid, ready = turn
            self._news.clear()
            if (seconds := ready - self._clock()) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), seconds)
                continue
            tracked = self._jobs[uid]  # it may be forgotten during its turn
            try:
                await self._turn(uid, tracked)
            except LeaseLost:
                raise
            except (Down, ApiError) as error:  # not the sink's fault
                self._lanes.failed(uid, self._clock())
                logger.info("a notification waits: %s", error, extra=self._about(tracked))
            except Exception:
                self._lanes.failed(uid, self._clock())
                logger.exception("a notification cannot be made", extra=self._about(tracked))

    async def _turn(self, uid: str, tracked: Tracked) -> None:
        """The next event of a job. Raises LeaseLost, Down, ApiError."""
        sink = await self._tools.books.find(self._namespace, self._sink)
        oldest = self._tools.now() - self._tools.longest
        if isinstance(sink, Problem):
            self._cannot(uid, tracked, sink)
            return
        settled = tracked.cursor.of(self._sink)
        due = next_due(tracked.job, sink, settled, oldest=oldest, gone=tracked.gone)
        if due.late:
            words = f"it could not be told within {self._tools.longest}"
            await self._settle(tracked, due.late, GIVEN_UP)
            self._given_up(tracked, due.late, words)
        if due.send is None:
            self._rest(uid, tracked, due)
            return
        await self._tell(tracked, sink, due.send)

    async def _tell(self, tracked: Tracked, sink: Sink, event: CloudEvent) -> None:
        """Send an event and note what became of it, also when this process is told to end."""
        post = await self._post(tracked, sink, event)
        self._tools.bucket.check()
        work = asyncio.ensure_future(self._send(tracked, event, post))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            with suppress(Exception):
                await asyncio.wait_for(work, LAST_ANSWER_SECONDS)
            raise

    async def _send(self, tracked: Tracked, event: CloudEvent, post: Post) -> None:
        uid = tracked.job.metadata.uid
        answer = await self._tools.sender.send(post)
        metrics.notifications.labels(answer.outcome.value).inc()
        about = {**self._about(tracked), "event": event.id}
        if answer.outcome == Outcome.ACCEPTED:
            await self._settle(tracked, (event,), ACCEPTED)
            self._lanes.accepted(uid, self._clock())
            logger.info("notified", extra=about)
        elif answer.outcome == Outcome.REFUSED:
            await self._settle(tracked, (event,), GIVEN_UP)
            self._lanes.accepted(uid, self._clock())  # it is there, and others may pass
            self._given_up(tracked, (event,), answer.words)
        else:
            again = self._lanes.failed(uid, self._clock(), after=answer.after)
            told = {**about, "again_in_seconds": round(again, 1)}
            logger.warning("not notified: %s", answer.words, extra=told)
            if answer.certain:
                words = f"sink {self._sink!r} was not told: {answer.words}"
                self._say(tracked, "NotificationFailed", words)

    async def _post(self, tracked: Tracked, sink: Sink, event: CloudEvent) -> Post:
        """The request for an event. Raises Down."""
        if sink.spec.kind == Kind.GITHUB_STATUS:
            post = commit_status(event, sink, tracked.job)
            assert post is not None  # noqa: S101 (else it would not be due)
            return post
        if event.kind == "failed":
            event = with_details(event, await self._tail(tracked.job))
        return webhook(event, sink, int(self._tools.now().timestamp()))

    async def _tail(self, job: CIJob) -> list[str]:
        """The last lines of a failed job's log. Raises Down."""
        attempts = job.status.attempts
        if not attempts:
            return []
        last = max(attempt.number for attempt in attempts)
        name = tail_name(job.metadata.namespace, job.metadata.uid, last)
        try:
            found = await self._tools.bucket.store.get(name)
        except FileNotFoundError:
            return []
        return found.content.decode("utf-8", "replace").removesuffix("\n").split("\n")

    async def _settle(self, tracked: Tracked, events: tuple[CloudEvent, ...], word: str) -> None:
        job = tracked.job
        known = {place_of(event, job) for event in history(job)}
        words = {place_of(event, job): word for event in events}
        await tracked.cursor.settle(self._sink, words, known=known)

    # -- what cannot be told ---------------------------------------------------------------------

    def _rest(self, uid: str, tracked: Tracked, due: Due) -> None:
        """There is nothing to tell now."""
        self._lanes.drop(uid)
        self._jobs.pop(uid, None)
        if due.done:
            self._done(tracked, self._sink)

    def _cannot(self, uid: str, tracked: Tracked, problem: Problem) -> None:
        """There is no such sink, or none that can be used; until there is, or it is too late."""
        self._say(tracked, problem.reason, problem.words)
        if is_old(tracked.job, self._tools.now(), self._tools.longest) or tracked.gone:
            self._given_up(tracked, (), problem.words)
            self._rest(uid, tracked, Due(done=True))
        else:
            self._lanes.failed(uid, self._clock())

    def _given_up(self, tracked: Tracked, events: tuple[CloudEvent, ...], words: str) -> None:
        """Say what will never be sent, in the log, a metric and an Event."""
        metrics.notifications.labels("given_up").inc(max(len(events), 1))
        ids = [event.id for event in events]
        logger.warning("given up: %s", words, extra={**self._about(tracked), "events": ids})
        kinds = ", ".join(event.kind for event in events) or "anything"
        text = f"sink {self._sink!r} will not be told {kinds}: {words}"
        self._say(tracked, "NotificationGivenUp", text)

    def _say(self, tracked: Tracked, reason: str, words: str) -> None:
        """Tell the job's owner, once a reason and sink."""
        if (mark := f"{reason} {self._sink}") in tracked.told:
            return
        tracked.told.add(mark)
        meta = tracked.job.metadata
        logger.warning("%s", words, extra=self._about(tracked))
        if not tracked.gone:
            subject = Subject(API_VERSION, "CIJob", meta.namespace, meta.name, meta.uid)
            self._tools.events.tell(subject, Event(reason, words, warning=True))

    def _about(self, tracked: Tracked) -> dict[str, str]:
        return {"job": tracked.name, "sink": self._sink}

    @staticmethod
    def _clock() -> float:
        return asyncio.get_running_loop().time()
