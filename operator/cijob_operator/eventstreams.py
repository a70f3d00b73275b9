"""What happens in a collection, for ever: a watch that is cut goes on where it was.

Used by `podwatch` and `pulls`, which say what an event is worth. It begins with all that is there,
and again so when it is too old to go on. What went while it was cut off is not told.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cijob_kube.errors import ApiError, Gone

logger = logging.getLogger(__name__)
Json = dict[str, Any]


class Watcher(Protocol):
    """Where events come from: the API server, or a test's own."""

    def watch(self, path: str, *, version: str, **query: str) -> AsyncIterator[Json]: ...


@dataclass(frozen=True)
class Stream:
    """What is watched."""

    plural: str
    query: Mapping[str, str]
    trouble: str
    """What is so while it is cut, for the log."""
    again_seconds: float
    """So long after an error, or an end at which nothing had come, it is asked for again."""


async def hear(
    api: Watcher, stream: Stream, namespaces: Iterable[str], take: Callable[[Json], None]
) -> None:
    """Hand over every event in these namespaces, or in all, for ever."""
    paths = [f"/api/v1/namespaces/{name}/{stream.plural}" for name in namespaces]
    async with asyncio.TaskGroup() as tasks:
        for path in paths or [f"/api/v1/{stream.plural}"]:
            tasks.create_task(_hear(api, stream, path, take))


async def _hear(api: Watcher, stream: Stream, path: str, take: Callable[[Json], None]) -> None:
    version = ""
    while True:
        heard = False
        try:
            async for event in api.watch(path, version=version, **stream.query):
                version = str(event["object"]["metadata"]["resourceVersion"])
                take(event)
                heard = True
        except Gone:
            version = ""
        except ApiError as error:
            logger.warning("%s: %s", stream.trouble, error, extra={"path": path})
            heard = False
        if not heard:
            await asyncio.sleep(stream.again_seconds)
