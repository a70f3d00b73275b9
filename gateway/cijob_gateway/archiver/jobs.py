"""One job: its attempts' logs as they come, and at its end what is left of it.

Started by dispatch.py. The order at the end is the promise: log, `end.json`, tail, final record,
index, and only then the status, after which the Pod may go.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from cijob_api import names
from cijob_api.errors import Malformed
from cijob_api.objects import CIJob
from cijob_api.statuses import Attempt
from cijob_gateway.archiver import metrics, records
from cijob_gateway.archiver.attempts import JSON, Subject, Tools, archive
from cijob_gateway.archiver.digests import digest_of
from cijob_gateway.archiver.pods import Pod
from cijob_gateway.archiver.uploads import TEXT, Log, patiently
from cijob_gateway.logs.archive import End, final_name, list_attempts, list_chunks, tail_name
from cijob_gateway.logs.rooms import has_started
from cijob_gateway.twins import Twin
from cijob_gateway.watches import Json
from cijob_kube.errors import ApiError, Conflict, Denied, Gone, Invalid, Unavailable

logger = logging.getLogger(__name__)
AGAIN_SECONDS = 5.0
# How long a Pod may run on after its attempt was closed: the operator stops or deletes it.
OBEY_SECONDS = 90.0


@dataclass(frozen=True)
class Sight:
    """What is known of a job now."""

    body: Json
    """As last seen, if it was deleted."""
    deleted: bool
    pods: dict[int, Pod]

    @property
    def over(self) -> bool:
        """Whether no further attempt can come."""
        return self.deleted or records.is_final(self.body)

    @property
    def attempts(self) -> dict[int, Attempt]:
        """What its status says of attempts."""
        try:
            job = CIJob.parse(self.body)
        except Malformed:
            return {}
        return {attempt.number: attempt for attempt in job.status.attempts or []}


@dataclass
class Course:
    """An attempt that is archived, or was."""

    ended: asyncio.Event
    work: asyncio.Task[End]
    pod: Pod | None = None
    closing: asyncio.TimerHandle | None = None


class JobArchive:
    """One job's way into the bucket."""

    def __init__(self, tools: Tools, look: Callable[[], Sight], *, fresh: bool) -> None:
        """`fresh`: no archiver before this one has seen it run."""
        self._tools = tools
        self._look = look
        self._fresh = fresh
        self._news = asyncio.Event()
        self._courses: dict[int, Course] = {}
        metadata = look().body["metadata"]
        self._namespace: str = metadata["namespace"]
        self._name: str = metadata["name"]
        self._uid: str = metadata["uid"]
        self.key = (self._namespace, self._name)

    def wake(self) -> None:
        """There is something new about it."""
        self._news.set()

    async def run(self) -> None:
        """Until everything is stored and said. Raises LeaseLost."""
        stored = set() if self._fresh else await patiently(self._stored)
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._news.clear()
                sight = self._look()
                self._begin(sight, stored, tasks)
                for number, course in self._courses.items():
                    self._learn(sight, number, course)
                if sight.over:
                    break
                await self._news.wait()
            await self._finish_reading()
        ends = [(number, self._courses[number].work.result()) for number in sorted(self._courses)]
        await self._record(self._look().body, ends)

    async def _stored(self) -> set[int]:
        """The attempts of which something is stored. Raises Down."""
        return await list_attempts(self._tools.bucket.store, self._namespace, self._uid)

    # -- attempts ----------------------------------------------------------------------------------

    def _begin(self, sight: Sight, stored: set[int], tasks: asyncio.TaskGroup) -> None:
        """Begin with every attempt that has a log, or may have one when the job is over."""
        attempts = sight.attempts
        for number in sorted({*attempts, *sight.pods, *stored} - self._courses.keys()):
            attempt, pod = attempts.get(number), sight.pods.get(number)
            begun = bool((attempt and has_started(attempt)) or (pod and pod.has_begun))
            named = bool(pod or (attempt and attempt.pod_name))
            if not (begun or number in stored or (sight.over and named)):
                continue
            ended = asyncio.Event()
            subject = Subject(
                log=Log(self._namespace, self._uid, number),
                pod=names.pod_name(self._name, number),
                ended=ended,
                begun=begun or number in stored,
                started_at=(pod and pod.started_at) or (attempt and attempt.start_time) or None,
                fresh=self._fresh,
            )
            work = tasks.create_task(archive(self._tools, subject))
            self._courses[number] = Course(ended, work, pod)

    def _learn(self, sight: Sight, number: int, course: Course) -> None:
        """Has its container ended?"""
        attempts, pod = sight.attempts, sight.pods.get(number)
        gone = course.pod is not None and (
            pod is None or pod.metadata.uid != course.pod.metadata.uid
        )
        course.pod = course.pod or pod
        if gone or (pod and pod.has_ended):
            course.ended.set()
        attempt = attempts.get(number)
        closed = (
            sight.over
            or bool(attempt and attempt.completion_time)
            or number < max(attempts, default=0)
        )
        if not closed:
            return
        if pod is None:
            course.ended.set()
        elif course.closing is None:
            loop = asyncio.get_running_loop()
            course.closing = loop.call_later(OBEY_SECONDS, course.ended.set)

    async def _finish_reading(self) -> None:
        """The job is over; its last containers may still have to end."""
        works = {course.work for course in self._courses.values()}
        while not all(work.done() for work in works):
            self._news.clear()
            sight = self._look()
            for number, course in self._courses.items():
                self._learn(sight, number, course)
            news = asyncio.create_task(self._news.wait())
            await asyncio.wait({news, *works}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            works = {work for work in works if not work.done()}

    # -- the end -----------------------------------------------------------------------------------

    async def _record(self, body: Json, ends: list[tuple[int, End]]) -> None:
        bucket = self._tools.bucket
        logs = records.log_result(ends, await self._sha256(ends))
        tail = b""
        if ends and records.has_failed(body):
            tail = await patiently(lambda: self._tail(ends[-1][0]))
            if tail:
                await bucket.put(tail_name(self._namespace, self._uid, ends[-1][0]), tail, TEXT)
        own = records.results(logs, tail)
        await bucket.put(final_name(self._namespace, self._uid), records.final(body, own), JSON)
        await bucket.put(records.entry(body).object_name, b"", TEXT)
        if twin := Twin.of(body):
            await bucket.put(twin.object_name, b"", TEXT)
        await self._tell(own)
        metrics.archived.labels(str(bool(logs.complete)).lower()).inc()
        said = {"lines": logs.lines, "complete": logs.complete, "said": logs.message}
        logger.info("archived", extra={"job": f"{self._namespace}/{self._name}", **said})

    async def _sha256(self, ends: list[tuple[int, End]]) -> str:
        if len(ends) <= 1:
            return ends[0][1].sha256 if ends else records.EMPTY_SHA256
        store = self._tools.bucket.store

        async def digest() -> str:
            chunks = [
                chunk
                for number, _ in ends
                for chunk in await list_chunks(store, self._namespace, self._uid, number)
            ]
            return (await digest_of(store, chunks)).hexdigest()

        return await patiently(digest)

    async def _tail(self, number: int) -> bytes:
        store = self._tools.bucket.store
        chunks = await list_chunks(store, self._namespace, self._uid, number)
        return await records.tail_of(store, chunks)

    async def _tell(self, own: Json) -> None:
        """Write the results into the job's status, if it is there still. Raises LeaseLost."""
        path = f"/apis/{names.API_VERSION}/namespaces/{self._namespace}/cijobs/{self._name}/status"
        body = {"metadata": {"uid": self._uid}, "status": {"results": own}}
        while not self._look().deleted:
            self._tools.bucket.check()
            try:
                await self._tools.api.patch(path, body, manager=names.MANAGER_ARCHIVER)
            except (Gone, Conflict):  # or another job has that name now
                return
            except Invalid as error:  # forged so that not even its status can be written
                told = {"job": f"{self._namespace}/{self._name}", "answer": error.message}
                logger.warning("the result of a log cannot be written", extra=told)
                return
            except ApiError as error:
                level = logging.INFO if isinstance(error, Unavailable) else logging.WARNING
                logger.log(level, "the result of a log is not written yet: %s", error)
                await asyncio.sleep(AGAIN_SECONDS if isinstance(error, Denied) else 1.0)
            else:
                return
