"""The watch of our Pods: they make half of all events, and kopf does much around each that nobody
here asks for: measured, a fifth of what a job costs the operator.

`main` runs it beside the watches of kopf, by the same rule: an event only says which key to look
at. What goes while a watch is cut off is noticed by the resync.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

from cijob_api import names
from cijob_kube.errors import ApiError, Gone
from cijob_operator.cache import Cache, Key
from cijob_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)
Json = dict[str, Any]
AGAIN_SECONDS = 1


class Watcher(Protocol):
    """Where events come from: the API server."""

    def watch(self, path: str, *, version: str, **query: str) -> AsyncIterator[Json]: ...


async def watch_pods(
    api: Watcher, cache: Cache, queue: WorkQueue[Key], namespaces: Iterable[str]
) -> None:
    """Take in all Pods of ours in these namespaces, or in all, for ever."""
    paths = [f"/api/v1/namespaces/{name}/pods" for name in namespaces] or ["/api/v1/pods"]
    async with asyncio.TaskGroup() as tasks:
        for path in paths:
            tasks.create_task(_watch(api, cache, queue, path))


async def _watch(api: Watcher, cache: Cache, queue: WorkQueue[Key], path: str) -> None:
    version = ""  # first all that are there; what is known of them already is no news
    while True:
        try:
            async for event in api.watch(path, version=version, labelSelector=names.LABEL_JOB):
                version = str(event["object"]["metadata"]["resourceVersion"])
                take(event, cache, queue)
        except Gone:
            version = ""
        except ApiError as error:
            logger.warning("the watch of Pods was cut: %s", error, extra={"path": path})
            await asyncio.sleep(AGAIN_SECONDS)


def take(event: Json, cache: Cache, queue: WorkQueue[Key]) -> None:
    """Take in one event, and have its job looked at if it is news."""
    body = event["object"]
    if event["type"] == "DELETED":
        queue.add(cache.drop_pod(body))
    elif event["type"] != "BOOKMARK" and cache.is_news_of_pod(body):
        queue.add(cache.put_pod(body))
