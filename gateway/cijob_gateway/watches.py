"""One shared watch of a kind of objects: what requests read instead of asking the API server.

Everything known stands in memory, as the API server gave it. Whoever follows one object is woken
at each change of it; a change that comes while it is busy waits, and only the newest is seen.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from cijob_api import names
from cijob_api.errors import Malformed
from cijob_api.objects import Resource
from cijob_kube.api import Api
from cijob_kube.errors import ApiError, Gone

logger = logging.getLogger(__name__)
Json = dict[str, Any]
Key = tuple[str, str]
R = TypeVar("R", bound=Resource)
REMEMBERED = 10_000
AGAIN_SECONDS = (0.2, 0.5, 1, 2, 5)


class Watch(Generic[R]):
    """All objects of one kind, kept true by a list and a watch."""

    def __init__(
        self,
        api: Api,
        kind: type[R],
        plural: str,
        namespaces: Iterable[str],
        *,
        collection: str = f"/apis/{names.API_VERSION}",
        label: str = "",
        slim: Callable[[Json], Json] = lambda body: body,
        told: Callable[[Key], None] = lambda _: None,
    ) -> None:
        """`label`: only objects that have it. `slim` makes an object smaller before it is kept;
        `told` hears of every change.
        """
        self._api = api
        self._kind = kind
        self._query = {"labelSelector": label} if label else {}
        self._slim = slim
        self._told = told
        self._paths = [f"{collection}/namespaces/{n}/{plural}" for n in namespaces] or [
            f"{collection}/{plural}"
        ]
        self._objects: dict[Key, Json] = {}
        # As of which version it went: a late answer to our own write must not bring it back.
        self._dropped: dict[Key, int] = {}
        # UIDs of what we deleted: no event that is still on its way may bring one back.
        self._forgotten: set[str] = set()
        self._synced: set[str] = set()
        self._failing: dict[str, str] = {}
        self._followers: defaultdict[Key, set[asyncio.Event]] = defaultdict(set)
        self.generation = 0
        """Rises with every change."""
        self._awaited: defaultdict[str, set[asyncio.Future[Json]]] = defaultdict(set)

    # -- reading --------------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why what is known may be old, in words; empty if it is not."""
        if len(self._synced) < len(self._paths):
            return f"the first list of {self._kind.__name__}s is not in yet"
        return next(iter(self._failing.values()), "")

    def body(self, namespace: str, name: str) -> Json | None:
        """The object as the API server gave it."""
        return self._objects.get((namespace, name))

    def find(self, namespace: str, name: str) -> R | None:
        """The object, parsed; None if there is none, or none that can be read."""
        body = self.body(namespace, name)
        try:
            return self._kind.parse(body) if body else None
        except Malformed:
            return None

    def bodies(self, namespace: str | None = None) -> list[Json]:
        """All objects, or those of a namespace."""
        return [
            body for key, body in self._objects.items() if namespace is None or key[0] == namespace
        ]

    async def of_uid(self, namespace: str, uid: str, *, patience_seconds: float) -> Json | None:
        """The object of that UID, there already or within so long."""
        for body in self.bodies(namespace):
            if body["metadata"]["uid"] == uid:
                return body
        coming: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._awaited[uid].add(coming)
        try:
            async with asyncio.timeout(patience_seconds):
                found = await coming
                return found if found["metadata"]["namespace"] == namespace else None
        except TimeoutError:
            return None
        finally:
            self._awaited[uid].discard(coming)
            if not self._awaited[uid]:
                del self._awaited[uid]

    async def changes(self, namespace: str, name: str, uid: str) -> AsyncIterator[R | None]:
        """The object now and after each change; None, at last, when it is gone or another one.

        Never ends by itself otherwise. Changes in between are skipped: the newest counts.
        """
        with self._following((namespace, name)) as event:
            while True:
                await event.wait()
                event.clear()
                found = self.find(namespace, name)
                if found is None or found.metadata.uid != uid:
                    yield None
                    return
                yield found

    async def returns(self, namespace: str, name: str, *, patience_seconds: float) -> bool:
        """Whether an object is there, or went and is there again within so long.

        What was never there is not waited for.
        """
        key = (namespace, name)
        if key not in self._dropped:
            return key in self._objects
        with self._following(key) as event:
            try:
                async with asyncio.timeout(patience_seconds):
                    while key not in self._objects:
                        await event.wait()
                        event.clear()
            except TimeoutError:
                return False
        return True

    @contextmanager
    def _following(self, key: Key) -> Iterator[asyncio.Event]:
        """An event that is set now, and at each change of the object."""
        event = asyncio.Event()
        event.set()
        self._followers[key].add(event)
        try:
            yield event
        finally:
            self._followers[key].discard(event)
            if not self._followers[key]:
                del self._followers[key]

    # -- keeping it true ------------------------------------------------------------------------

    def put(self, body: Json) -> None:
        """Take in an object from the watch, or from the answer to our own write."""
        metadata = body["metadata"]
        metadata.pop("managedFields", None)
        if metadata.get("uid") in self._forgotten:
            return
        key = key_of(metadata)
        old = self._objects.get(key)
        known = max(_version(old) if old else 0, self._dropped.get(key, 0))
        if known < _version(body):
            self._objects[key] = self._slim(body)
            for future in self._awaited.get(metadata["uid"], ()):
                if not future.done():
                    future.set_result(body)
            self._wake(key)

    def drop(self, key: Key, *, version: int) -> None:
        """An object is gone as of a version."""
        old = self._objects.get(key)
        if len(self._dropped) >= REMEMBERED:
            self._dropped.clear()
        self._dropped[key] = version
        if old is not None and _version(old) <= version:
            del self._objects[key]
            self._wake(key)

    def forget(self, body: Json) -> None:
        """We deleted an object: nobody finds it any more, whatever the watch has yet to tell."""
        metadata = body["metadata"]
        if len(self._forgotten) >= REMEMBERED:
            self._forgotten.clear()
        self._forgotten.add(metadata["uid"])
        key = key_of(metadata)
        old = self._objects.get(key)
        if old is not None and old["metadata"].get("uid") == metadata["uid"]:
            del self._objects[key]
            self._wake(key)

    async def run(self) -> None:
        """Keep it true for ever."""
        async with asyncio.TaskGroup() as tasks:
            for path in self._paths:
                tasks.create_task(self._keep(path))

    async def _keep(self, path: str) -> None:
        failures = 0
        version = ""
        while True:
            try:
                version = version or await self._list(path)
                self._failing.pop(path, None)
                async for event in self._api.watch(path, version=version, **self._query):
                    failures = 0
                    version = self._take(event)
            except Gone:
                version = ""  # too old: list again
            except ApiError as error:
                self._failing[path] = error.message
                logger.warning("the watch was cut: %s", error, extra={"path": path})
                await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
                failures += 1
                version = ""

    async def _list(self, path: str) -> str:
        """Read everything once; return the list's version."""
        listed: set[Key] = set()
        version = 0
        async for bodies, page_version in self._api.pages(path, **self._query):
            version = version or page_version
            for body in bodies:
                # Items of a list do not say what they are.
                body.setdefault("apiVersion", names.API_VERSION)
                body.setdefault("kind", self._kind.__name__)
                self.put(body)
                listed.add(key_of(body["metadata"]))
        namespace = path.partition("/namespaces/")[2].partition("/")[0]
        for key in [k for k in self._objects if k not in listed and namespace in {"", k[0]}]:
            self.drop(key, version=version)
        self._synced.add(path)
        return str(version)

    def _take(self, event: Json) -> str:
        body = event["object"]
        version = str(body["metadata"]["resourceVersion"])
        if event["type"] in {"ADDED", "MODIFIED"}:
            self.put(body)
        elif event["type"] == "DELETED":
            self.drop(key_of(body["metadata"]), version=int(version))
        return version

    def _wake(self, key: Key) -> None:
        self.generation += 1
        for event in self._followers.get(key, ()):
            event.set()
        self._told(key)


def key_of(metadata: Json) -> Key:
    """Namespace and name; of what has no namespace, an empty one."""
    return (metadata.get("namespace", ""), metadata["name"])


def _version(body: Json) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
