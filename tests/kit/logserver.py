"""A Pod's log behind HTTP on the loopback, as API server and kubelet serve it.

It grows, rotates, ends and vanishes as a test says, and can be told to answer badly. A follow ends
and crosses rotations as the kubelet's does (kubelet 1.34, cri-client/pkg/logs): from the first time
that it is at the end of a file it opens the newest one for each that is begun, and no more once the
container has ended. Nothing here waits for a time.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

from cijob_kube.api import Api
from kit.apiserver import served
from kit.kubelet import Entry, Writer

PATH = "/api/v1/namespaces/{namespace}/pods/{pod}/log"
NO_POD = 'pods "{}" not found'


@dataclass(frozen=True)
class Plan:
    """How one request is answered; by default well."""

    cut: int | None = None
    """After so many bytes."""
    clean: bool = False
    """The cut looks like an end."""
    words: bytes = b""
    """Sent as body at the end."""
    status: int = 200
    message: str = ""
    stays: bool = False
    """A follow that does not cross into the next file before the container ends."""
    slow: bool = False
    """A follow that gives two entries of each file, and more as `give` says."""
    hangs: bool = False
    """A follow that does not hear of the container's end."""


@dataclass
class PodLogs:
    """One container's log and everything that was asked about it."""

    pod: str = "pod"
    plans: deque[Plan] = field(default_factory=deque)
    requests: list[dict[str, str]] = field(default_factory=list)
    followers: int = 0
    opened: int = 0
    """How many follows there were."""
    files: list[list[Entry]] = field(default_factory=lambda: [[]])
    running: bool = True
    gone: bool = False
    given: int = 0
    """How many entries a slow follow gives now."""
    before: Callable[[dict[str, str]], None] = lambda query: None
    """Called with each request before it is answered."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, *entries: Entry) -> None:
        """The job prints."""
        self.files[-1].extend(entries)
        self.tell()

    def rotate(self) -> None:
        """The kubelet begins a new file."""
        self.files.append([])
        self.tell()

    def give(self, entries: int) -> None:
        """A slow follow may give so many entries more."""
        self.given += entries
        self.tell()

    def exit(self) -> None:
        """The container ends."""
        self.running = False
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits for something to happen."""
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so that a request or a test makes so."""
        while not condition():
            await self._news.wait()

    # -- answering ---------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A request for the log."""
        query = dict(request.query)
        assert query["container"] == "job"
        assert query["timestamps"] == "true"
        self.requests.append(query)
        self.tell()
        self.before(query)
        plan = self.plans.popleft() if self.plans else Plan()
        if self.gone or request.match_info["pod"] != self.pod:
            return _refusal(404, NO_POD.format(request.match_info["pod"]))
        if plan.status != 200:
            return _refusal(plan.status, plan.message)
        response = web.StreamResponse()
        await response.prepare(request)
        follow = query.get("follow") == "true"
        self.followers += follow
        self.opened += follow
        self.tell()
        try:
            await self._send(request, response, plan)
        finally:
            self.followers -= follow
            self.tell()
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, plan: Plan) -> None:
        left = plan.cut
        async for part in self._served(dict(request.query), plan):
            if left is not None and len(part) >= left:
                await response.write(part[:left])
                if not plan.clean and request.transport:
                    request.transport.close()
                return
            left = left and left - len(part)
            await response.write(part)
        if plan.words:
            await response.write(plan.words)

    async def _allowed(self, entries: int) -> int:
        """How many of these a slow follow gives now; at least one."""
        await self.until(lambda: self.given > 0)
        given = min(self.given, entries)
        self.given -= given
        return given

    async def _served(self, query: dict[str, str], plan: Plan) -> AsyncIterator[bytes]:
        left = int(query.get("limitBytes") or -1)
        async for part in self._written(query, plan):
            yield part[:left] if left >= 0 else part
            if 0 <= left <= len(part):
                return

    async def _written(self, query: dict[str, str], plan: Plan) -> AsyncIterator[bytes]:
        writer, file, place = Writer(query.get("sinceTime")), self.files[-1], 0
        watched: int | None = None  # of so many files the follow knows, or is told
        if last := query.get("tailLines"):  # entries: a long line has several
            place = max(len(file) - int(last), 0)
        while True:
            # In parts as large as a socket takes at a time, more or less.
            entries = file[place : place + 100]
            if plan.slow and entries and "follow" in query:
                entries = entries[: 2 if place == 0 else await self._allowed(len(entries))]
            place += len(entries)
            if part := b"".join(map(writer.write, entries)):
                yield part
            if entries:
                continue
            if query.get("follow") != "true" or plan.words:
                return
            if watched is None:
                watched = len(self.files)
            elif not (self.running or plan.hangs):
                return
            elif watched < len(self.files) and not plan.stays:
                watched += 1
                file, place = self.files[-1], 0
            else:
                await self._news.wait()


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "message": message}, status=status)


@dataclass
class LogServer:
    """Logs of several Pods, and an Api that reads them."""

    api: Api
    pods: dict[str, PodLogs]

    @classmethod
    @asynccontextmanager
    async def serving(cls, *logs: PodLogs) -> AsyncIterator[Self]:
        """Serve them on the loopback."""
        pods = {log.pod: log for log in logs}

        async def answer(request: web.Request) -> web.StreamResponse:
            log = pods.get(request.match_info["pod"])
            if log is None:
                return _refusal(404, NO_POD.format(request.match_info["pod"]))
            return await log.answer(request)

        async with served(answer, PATH) as api:
            yield cls(api, pods)
            for log in logs:
                log.exit()
