"""kopf as the shell: login and watches; each event only says which key to look at.

Everything that kopf would write by itself is switched off: no finalizers, no annotations, no
progress, no Events, no peering. Its handlers are never retried: the queue repeats. Pods have a
watch of their own (`podwatch.py`, docs/adr/0009).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import kopf

from cijob_api import names
from cijob_kube.signals import when_told_to_end
from cijob_operator.cache import Cache, Key
from cijob_operator.jobqueue import ADMISSION, POOLS
from cijob_operator.settings import Settings
from cijob_operator.workqueue import WorkQueue

Json = dict[str, Any]
OURS = (names.GROUP, names.VERSION)


class NoDiffBase(kopf.DiffBaseStorage):
    """Stores nothing, and copies nothing: kopf's own costs twice the parsing of an event."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:  # noqa: ARG002
        """Nothing to compare with."""
        return {}

    def fetch(self, *, body: Any) -> Any:  # noqa: ARG002
        """Nothing was stored."""
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Store nothing."""


def registry(cache: Cache, queue: WorkQueue[Key]) -> kopf.OperatorRegistry:
    """The handlers: take the object into the cache and queue its job's key."""
    handlers = kopf.OperatorRegistry()

    _add_login(handlers)
    _add_jobs(handlers, cache, queue)
    _add_templates(handlers, cache, queue)
    _add_pools(handlers, cache, queue)
    return handlers


def _add_jobs(handlers: kopf.OperatorRegistry, cache: Cache, queue: WorkQueue[Key]) -> None:
    @kopf.on.event(*OURS, "cijobs", registry=handlers)
    async def on_job(event: Any, **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            key = (body["metadata"]["namespace"], body["metadata"]["name"])
            cache.drop_job(key, body["metadata"]["uid"])
            queue.add(key)
        # Else it is our own write, whose answer was taken in, and looked at.
        elif cache.is_news(body):
            queue.add(cache.put_job(body))


def _add_templates(handlers: kopf.OperatorRegistry, cache: Cache, queue: WorkQueue[Key]) -> None:
    @kopf.on.event(*OURS, "cijobtemplates", registry=handlers)
    async def on_template(event: Any, **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            cache.templates.pop((body["metadata"]["namespace"], body["metadata"]["name"]), None)
            return
        if key := cache.put_template(body):
            for job in _naming(cache, key[1]):
                queue.add(job)


def _add_pools(handlers: kopf.OperatorRegistry, cache: Cache, queue: WorkQueue[Key]) -> None:
    @kopf.on.event(*OURS, "cipools", registry=handlers)
    async def on_pool(event: Any, **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            cache.pools.pop(body["metadata"]["name"], None)
        elif not cache.put_pool(body):
            return  # our own write of its status
        look_at_queue(cache, queue)


def look_at_queue(cache: Cache, queue: WorkQueue[Key]) -> None:
    """The pools are others now: every job that waits may fit elsewhere, or no more."""
    for key in cache.unplaced():
        queue.add(key)
    queue.add(ADMISSION)
    queue.add(POOLS)


def _add_login(handlers: kopf.OperatorRegistry) -> None:
    @kopf.on.login(registry=handlers)
    def login(**given: Any) -> Any:
        return kopf.login_via_client(**given)


def _naming(cache: Cache, template: str) -> Iterable[Key]:
    """Unfinished jobs that name a template."""
    for key, job in cache.jobs.items():
        reference = job.spec.template_ref
        if reference and reference.name == template and not job.status.phase.is_final:
            yield key


def kopf_settings() -> kopf.OperatorSettings:
    """Everything off that would write or wait."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = kopf.StatusProgressStorage(field="status.unused")
    settings.persistence.consistency_timeout = 0
    settings.watching.chunk_size = 500
    # Each object has a task in kopf, which lives on for 5 s by default: 10,000 after a list.
    settings.queueing.idle_timeout = 0.1
    return settings


async def watch(
    cache: Cache, queue: WorkQueue[Key], settings: Settings, *, end: Callable[[], object]
) -> None:
    """Watch until cancelled, or until a watch cannot go on (that raises).

    `end` is what a signal is to call.
    """
    others = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry(cache, queue),
        settings=kopf_settings(),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
    )
    # kopf has just taken the signals for itself. By one it would wait 5 s for whatever still runs,
    # be it its own first look at the cluster's resources; cancelled, it ends at once.
    when_told_to_end(end)
    await kopf.run_tasks(tasks, ignored=others)
