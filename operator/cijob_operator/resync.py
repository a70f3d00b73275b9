"""Full lists: once at the start, then every few minutes against anything a watch may have missed.

A watch that is silently dead shows here: something newer in the list than in the cache, twice in a
row. Then the process ends and is started afresh, which is the one cure for every cause.
"""

import logging
from typing import Any

from cijob_api import names
from cijob_operator.act import Actor
from cijob_operator.api import Api
from cijob_operator.cache import Cache, Key
from cijob_operator.settings import Settings
from cijob_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)
Json = dict[str, Any]


class DeadWatch(Exception):
    """What the API server lists has not come through a watch for two rounds."""


class Resync:
    """Reads everything of ours, page by page, into the cache."""

    def __init__(self, api: Api, cache: Cache, queue: WorkQueue[Key], settings: Settings) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._settings = settings
        self._missed: set[Key] = set()

    async def run(self, actor: Actor | None = None) -> None:
        """One round. Raises ApiError, or DeadWatch; with an actor, orphans are removed."""
        jobs = await self._list("cijobs", f"/apis/{names.API_VERSION}")
        templates = await self._list("cijobtemplates", f"/apis/{names.API_VERSION}")
        pods = await self._list("pods", "/api/v1", labelSelector=names.LABEL_JOB)
        missed = self._take_jobs(jobs) | self._take_pods(pods)
        for body in templates:
            self._cache.put_template(body)
        if twice := missed & self._missed:
            raise DeadWatch(f"the watch missed {len(twice)} changes twice: {sorted(twice)[:3]}")
        self._missed = missed
        if actor:
            for orphan in list(self._cache.orphans()):
                await actor.delete_orphan(orphan)

    def _take_jobs(self, bodies: list[Json]) -> set[Key]:
        listed = {_key(body): body for body in bodies}
        missed = set()
        for key, body in listed.items():
            known = self._cache.jobs.get(key)
            old = int(known.metadata.resource_version or 0) if known else 0
            if int(body["metadata"]["resourceVersion"]) > old and key not in self._cache.broken:
                missed.add(key)
            self._cache.put_job(body)
            self._queue.add(key)
        for key in self._gone(self._cache.jobs.keys() - listed.keys(), bodies):
            self._cache.drop_job(key)
            self._queue.add(key)
        return missed

    def _take_pods(self, bodies: list[Json]) -> set[Key]:
        listed = {_key(body): body for body in bodies}
        missed = set()
        for key, body in listed.items():
            known = self._cache.pods.get(key)
            if known is None or known.version < int(body["metadata"]["resourceVersion"]):
                missed.add(key)
            self._queue.add(self._cache.put_pod(body))
        newest = max((int(b["metadata"]["resourceVersion"]) for b in bodies), default=0)
        for key in self._cache.pods.keys() - listed.keys():
            pod = self._cache.pods[key]
            if not pod.gone and pod.version < newest:
                self._cache.pods[key] = pod.as_gone()
                self._queue.add((pod.namespace, pod.job))
        return missed

    def _gone(self, absent: set[Key], bodies: list[Json]) -> list[Key]:
        """Of what the list lacks, what was there before it: the rest came while it was read."""
        newest = max((int(b["metadata"]["resourceVersion"]) for b in bodies), default=0)
        jobs = self._cache.jobs
        return [k for k in absent if int(jobs[k].metadata.resource_version or 0) < newest]

    async def _list(self, resource: str, api: str, **query: str) -> list[Json]:
        if not self._settings.namespaces:
            return await self._api.list_all(f"{api}/{resource}", **query)
        found: list[Json] = []
        for namespace in self._settings.namespaces:
            found += await self._api.list_all(f"{api}/namespaces/{namespace}/{resource}", **query)
        return found


def _key(body: Json) -> Key:
    return (body["metadata"]["namespace"], body["metadata"]["name"])
