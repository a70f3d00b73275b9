"""Full lists: once at the start, then every few minutes against anything a watch may have missed.

A watch that is silently dead shows here: something newer in the list than in the cache, twice in a
row. Then the process ends and is started afresh, which is the one cure for every cause. The lists
of a start and of a takeover say nothing of that: the watches may not be there yet.
"""

import logging
from collections.abc import AsyncIterator
from typing import Any

from cijob_api import names
from cijob_api.objects import CIJobTemplate, CIPool
from cijob_kube.api import Api
from cijob_operator.act import Actor
from cijob_operator.cache import Cache, Key
from cijob_operator.jobqueue import POOLS
from cijob_operator.settings import Settings
from cijob_operator.watches import look_at_queue
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

    async def begin(self, actor: Actor | None = None) -> None:
        """Read everything, whatever the watches have told; with an actor, remove orphans.

        Raises ApiError.
        """
        await self._take_all()
        self._missed = set()
        if actor:
            await self._remove_orphans(actor)

    async def run(self, actor: Actor) -> None:
        """One round of an operator that has watched for a while. Raises ApiError, or DeadWatch."""
        missed = await self._take_all()
        if twice := missed & self._missed:
            raise DeadWatch(f"the watch missed {len(twice)} changes twice: {sorted(twice)[:3]}")
        self._missed = missed
        await self._remove_orphans(actor)

    async def _remove_orphans(self, actor: Actor) -> None:
        for orphan in list(self._cache.orphans()):
            await actor.delete_orphan(orphan)

    async def _take_all(self) -> set[Key]:
        """Take in everything; return the jobs and Pods that the watches have not told of."""
        await self._take_templates()
        await self._take_pools()
        with self._cache.listing():
            return await self._take_jobs() | await self._take_pods()

    async def _take_templates(self) -> None:
        """Take in all templates; one that is gone is none that a job could start from."""
        listed: set[Key] = set()
        version = 0
        pages = self._pages("cijobtemplates", f"/apis/{names.API_VERSION}")
        async for bodies, page_version in pages:
            version = version or page_version
            for body in bodies:
                self._cache.put_template(body)
                listed.add(_key(body))
        for key in self._cache.templates.keys() - listed:
            if _version(self._cache.templates[key]) <= version:
                del self._cache.templates[key]

    async def _take_pools(self) -> None:
        """Take in all pools; who waits is looked at again if they offer something else."""
        before = {name: pool.spec for name, pool in self._cache.pools.items()}
        listed: set[str] = set()
        version = 0
        async for bodies, page_version in self._api.pages(f"/apis/{names.API_VERSION}/cipools"):
            version = page_version
            for body in bodies:
                self._cache.put_pool(body)
                listed.add(body["metadata"]["name"])
        for name in self._cache.pools.keys() - listed:
            if _version(self._cache.pools[name]) <= version:
                del self._cache.pools[name]
        self._queue.add(POOLS)
        if before != {name: pool.spec for name, pool in self._cache.pools.items()}:
            look_at_queue(self._cache, self._queue)

    async def _take_jobs(self) -> set[Key]:
        """Take in all jobs; return those that the watch has not told of."""
        listed: set[Key] = set()
        missed: set[Key] = set()
        version = 0
        async for bodies, page_version in self._pages("cijobs", f"/apis/{names.API_VERSION}"):
            version = version or page_version
            for body in bodies:
                if self._cache.went_meanwhile(body):
                    continue
                key = _key(body)
                listed.add(key)
                if self._cache.is_news(body):
                    missed.add(key)
                self._cache.put_job(body)
                self._queue.add(key)
        # What the list lacks and is no newer than it is gone; the rest came meanwhile.
        for key in (self._cache.jobs.keys() | self._cache.broken.keys()) - listed:
            uid = self._cache.uid_of_job(key)
            if uid and self._cache.job_version(key) <= version:
                self._cache.drop_job(key, uid)
                self._queue.add(key)
        return missed

    async def _take_pods(self) -> set[Key]:
        """Take in all Pods of ours; return those that the watch has not told of."""
        listed: set[Key] = set()
        missed: set[Key] = set()
        version = 0
        query = {"labelSelector": names.LABEL_JOB}
        async for bodies, page_version in self._pages("pods", "/api/v1", **query):
            version = version or page_version
            for body in bodies:
                if self._cache.went_meanwhile(body):
                    continue
                key = _key(body)
                listed.add(key)
                if self._cache.is_news_of_pod(body):
                    missed.add(key)
                self._queue.add(self._cache.put_pod(body))
        for key in self._cache.pods.keys() - listed:
            pod = self._cache.pods[key]
            if not pod.gone and pod.version <= version:
                self._cache.lose_pod(pod)
                self._queue.add((pod.namespace, pod.job))
        return missed

    async def _pages(
        self, resource: str, api: str, **query: str
    ) -> AsyncIterator[tuple[list[Json], int]]:
        """All pages of a resource; of several namespaces, the oldest list's version counts."""
        namespaces = self._settings.namespaces
        paths = [f"{api}/namespaces/{n}/{resource}" for n in namespaces] or [f"{api}/{resource}"]
        for path in paths:
            async for page in self._api.pages(path, **query):
                yield page


def _version(known: CIJobTemplate | CIPool) -> int:
    return int(known.metadata.resource_version or 0)


def _key(body: Json) -> Key:
    return (body["metadata"]["namespace"], body["metadata"]["name"])
