"""Kubernetes Events about objects: what `kubectl describe` and `kubectl events` show.

Used by the servers. Best effort: nobody waits for an Event, and one that cannot be sent is left out
with a line in the log. However often the same happens to an object, it is one Event that counts
(core/v1, Event.count): they stay few.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from cijob_kube.errors import AlreadyExists, ApiError

logger = logging.getLogger(__name__)
Json = dict[str, Any]
# More than that waits only while the API server is away, and then older news helps nobody.
WAITING = 1000
MESSAGE_LENGTH = 1000  # the API server takes 1024


class EventStore(Protocol):
    """Where Events are kept: the API server, or a test's own."""

    async def get(self, path: str) -> Json: ...
    async def create(self, path: str, body: Json) -> Json: ...
    async def patch(self, path: str, body: Json, *, manager: str) -> Json: ...


@dataclass(frozen=True)
class Subject:
    """What an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Event:
    """One word and a sentence; a warning, or what is usual."""

    reason: str
    message: str
    warning: bool = False


class Events:
    """The Events of one component, sent one by one beside its work."""

    def __init__(
        self,
        store: EventStore,
        component: str,
        *,
        check: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`check` raises LeaseLost when this process may not write."""
        self._store = store
        self._component = component
        self._check = check
        self._now = now
        self._waiting: asyncio.Queue[tuple[Subject, Event]] = asyncio.Queue(WAITING)

    def tell(self, subject: Subject, event: Event) -> None:
        """Have an Event sent soon; returns at once."""
        try:
            self._waiting.put_nowait((subject, event))
        except asyncio.QueueFull:
            told = {"reason": event.reason, "object": f"{subject.namespace}/{subject.name}"}
            logger.warning("an Event is left out: %s others wait", WAITING, extra=told)

    async def run(self) -> None:
        """Send what was told, for ever. Raises LeaseLost."""
        while True:
            subject, event = await self._waiting.get()
            self._check()
            try:
                await self._send(subject, event)
            except ApiError as error:
                told = {"reason": event.reason, "object": f"{subject.namespace}/{subject.name}"}
                logger.warning("an Event was not sent: %s", error, extra=told)

    async def _send(self, subject: Subject, event: Event) -> None:
        path = f"/api/v1/namespaces/{subject.namespace}/events"
        body = composed(subject, event, component=self._component, now=self._now())
        try:
            await self._store.create(path, body)
        except AlreadyExists:  # it happened before, perhaps to a process before this one
            path = f"{path}/{body['metadata']['name']}"
            known = await self._store.get(path)
            again = {key: body[key] for key in ("message", "type", "lastTimestamp")}
            again["count"] = int(known.get("count") or 1) + 1
            await self._store.patch(path, again, manager=self._component)


def composed(subject: Subject, event: Event, *, component: str, now: datetime) -> Json:
    """An Event as the API server wants it; its name is that of its object, reason and component."""
    about = f"{subject.uid} {event.reason} {component}"
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{subject.name}.{hashlib.sha256(about.encode()).hexdigest()[:16]}",
            "namespace": subject.namespace,
        },
        "involvedObject": {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
        },
        "reason": event.reason,
        "message": event.message[:MESSAGE_LENGTH],
        "type": "Warning" if event.warning else "Normal",
        "count": 1,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "source": {"component": component},
        "reportingComponent": component,
    }
