"""Carrying a decision out: the only place that writes to the cluster.

Every write asks first whether this process still leads. What the API server answers goes into the
cache at once, so that the next decision knows of it before the watch shows it.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cijob_api import names
from cijob_api.objects import CIJob
from cijob_api.reasons import Reason
from cijob_api.statuses import CIJobStatus, Results
from cijob_api.trimming import OPERATOR_BYTES, trim_status
from cijob_kube.api import Api, is_quota
from cijob_kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Denied,
    Gone,
    Invalid,
    Unavailable,
)
from cijob_kube.leases import Leadership
from cijob_operator import metrics
from cijob_operator.cache import Cache, Key
from cijob_operator.decisions import Decision, Observation, Obstacle, Stop
from cijob_operator.podviews import PodView
from cijob_operator.statuses import malformed
from cijob_operator.times import format_time, later, parse_time

logger = logging.getLogger(__name__)
Json = dict[str, Any]
AGAIN_SECONDS = 15
SOON_SECONDS = 2
NOT_THE_JOBS_FAULT = ("being terminated", 'cannot create resource "pods"')
OPERATOR_KEYS = set(CIJobStatus.model_fields) - {"results"}


class Actor:
    """Writes what was decided."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        leadership: Leadership,
        *,
        told: Callable[[CIJob, CIJobStatus], None] = lambda *_: None,
    ) -> None:
        """`told` hears of each status that was written, with the job as it was before."""
        self._api = api
        self._cache = cache
        self._leadership = leadership
        self._told = told

    async def act(self, seen: Observation, decision: Decision, now: datetime) -> Obstacle | None:
        """Carry a decision out; return what stood against creating the Pod, if anything.

        Raises Conflict when the job changed meanwhile (observe again), Unavailable when the API
        server is away (try again later), LeaseLost when another process leads.
        """
        if decision.status is not None:
            await self._write_status(seen.job, decision.status)
        for pod in decision.delete_pods:
            await self._delete_pod(pod)
        for stop in decision.stops:
            await self._stop(stop, now)
        if decision.delete_job:
            await self.delete_job(seen.job.key, seen.job.metadata.uid)
        if decision.create:
            return await self._create(seen.job, decision.create, now)
        return None

    async def _write_status(self, job: CIJob, status: CIJobStatus) -> None:
        patch = status_patch(job.status, status)
        if not patch:
            return
        self._leadership.check()
        body = {
            "metadata": {"resourceVersion": job.metadata.resource_version},
            "status": patch,
        }
        path = f"{_jobs(job.metadata.namespace)}/{job.metadata.name}/status"
        answer = await self._api.patch(path, body, manager=names.MANAGER_OPERATOR)
        self._cache.put_answer(answer)
        _report(job, status)
        self._told(job, status)

    async def _create(self, job: CIJob, manifest: Json, now: datetime) -> Obstacle | None:
        metadata = manifest["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods"
        if metadata["labels"][names.LABEL_ATTEMPT] != "1":
            await self._must_be_current(job)
        self._leadership.check()
        try:
            answer = await self._api.create(path, manifest)
        except AlreadyExists:
            answer = await self._api.get(f"{path}/{metadata['name']}")
            owners = [owner.get("uid") for owner in answer["metadata"].get("ownerReferences", [])]
            if job.metadata.uid not in owners:
                return _name_conflict(answer, now)
            # Our own earlier create won, whose answer was lost: its name is deterministic.
        except (Denied, Invalid) as error:
            return _obstacle(error, now)
        self._cache.put_pod(answer)
        if metadata["labels"][names.LABEL_ATTEMPT] == "1":
            created = parse_time(job.metadata.creation_timestamp)
            metrics.queue_seconds.observe((now - created).total_seconds() if created else 0)
        logger.info("created a Pod", extra={"job": _name(job), "pod": metadata["name"]})
        return None

    async def _must_be_current(self, job: CIJob) -> None:
        """Ask once more before anything starts a second time. Raises Conflict, Gone."""
        body = await self._api.get(f"{_jobs(job.metadata.namespace)}/{job.metadata.name}")
        if body["metadata"]["resourceVersion"] != job.metadata.resource_version:
            self._cache.put_job(body)
            raise Conflict(409, "Conflict", "the job is not what it was when this was decided")

    async def _stop(self, stop: Stop, now: datetime) -> None:
        """Lower the Pod's deadline: TERM, the grace, KILL; and Pod, exit codes and log stay."""
        self._leadership.check()
        why = f"{stop.reason} {format_time(now)}"
        body = {
            "metadata": {"uid": stop.pod.uid, "annotations": {names.ANNOTATION_STOP: why}},
            "spec": {"activeDeadlineSeconds": 1},
        }
        path = f"/api/v1/namespaces/{stop.pod.namespace}/pods/{stop.pod.name}"
        try:
            answer = await self._api.patch(path, body, manager=names.MANAGER_OPERATOR)
        except (Gone, Conflict):
            if await self._is_there(stop.pod) or not self._cache.lose_pod(stop.pod, now):
                raise  # the watch will tell how it ended; asked again after growing pauses
            return
        self._cache.put_pod(answer)
        told = {"pod": stop.pod.name, "reason": str(stop.reason)}
        logger.info("stopping a Pod", extra={"job": f"{stop.pod.namespace}/{stop.pod.job}", **told})

    async def _delete_pod(self, pod: PodView) -> None:
        self._leadership.check()
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        try:
            answer = await self._api.delete(path, uid=pod.uid)
        except (Gone, Conflict):
            if await self._is_there(pod):
                raise
            self._cache.lose_pod(pod)  # else it would be deleted again, for ever
            return
        if answer["metadata"].get("deletionTimestamp"):  # it ends first; known before the watch
            self._cache.put_pod(answer)
        logger.info("deleted a Pod", extra={"job": f"{pod.namespace}/{pod.job}", "pod": pod.name})

    async def _is_there(self, pod: PodView) -> bool:
        """Whether the API server still has this very Pod."""
        try:
            body = await self._api.get(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}")
        except Gone:
            return False
        return bool(body["metadata"]["uid"] == pod.uid)

    async def delete_job(self, key: Key, uid: str) -> None:
        """Delete a finished job whose time to live is over."""
        self._leadership.check()
        try:
            await self._api.delete(f"{_jobs(key[0])}/{key[1]}", uid=uid)
        except (Gone, Conflict):
            return
        logger.info("deleted a finished job", extra={"job": "/".join(key)})

    async def delete_pods_of_malformed(self, key: tuple[str, str], uid: str) -> None:
        """What a job can no longer be asked about is not left running."""
        for pod in self._cache.pods_of(key, uid):
            if not pod.is_over and not pod.deleting:
                await self._delete_pod(pod)

    async def delete_orphan(self, pod: PodView) -> None:
        """Delete a Pod of ours whose job is gone, after asking the API server once more."""
        try:
            body = await self._api.get(f"{_jobs(pod.namespace)}/{pod.job}")
        except Gone:
            await self._delete_pod(pod)
            return
        if body["metadata"]["uid"] != pod.owner:
            await self._delete_pod(pod)

    async def mark_malformed(self, key: tuple[str, str], words: str, now: datetime) -> None:
        """Say on an object that was forged past its schema what is wrong with it."""
        self._leadership.check()
        body = {"status": malformed(words, now)}
        path = f"{_jobs(key[0])}/{key[1]}/status"
        try:
            answer = await self._api.patch(path, body, manager=names.MANAGER_OPERATOR)
        except (Invalid, Denied, Gone) as error:
            # It may be so wrong that not even its status can be written.
            told = {"job": "/".join(key), "wrong": words, "answer": error.message}
            logger.warning("a malformed job cannot be marked", extra=told)
            return
        self._cache.put_answer(answer)


def status_patch(before: CIJobStatus, after: CIJobStatus) -> Json:
    """The merge patch from one status to the other: the operator's own keys that differ.

    Of the results only the source is its own, and that never changes once it is known.
    """
    source = after.results.source if after.results else None
    own = Results(source=source) if source else None
    small = trim_status(after.model_copy(update={"results": own}), OPERATOR_BYTES)
    old = before.model_dump(by_alias=True, exclude_none=True, mode="json", include=OPERATOR_KEYS)
    new = small.model_dump(by_alias=True, exclude_none=True, mode="json", include=OPERATOR_KEYS)
    patch = _merge_patch(old, new)
    if source and not (before.results and before.results.source):
        patch["results"] = {"source": source.model_dump(exclude_none=True)}
    return patch


def _merge_patch(old: Json, new: Json) -> Json:
    """What turns `old` into `new` as a JSON merge patch (RFC 7396): null removes, at any depth."""
    patch: Json = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        before = old.get(key)
        if before == value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            patch[key] = _merge_patch(before, value)
        else:
            patch[key] = value
    return patch


def _obstacle(error: ApiError, now: datetime) -> Obstacle:
    """What a refused create means: something to wait for, or the end."""
    if is_quota(error):
        return Obstacle(Reason.QUOTA_EXCEEDED, error.message, later(now, AGAIN_SECONDS))
    if "error looking up service account" in error.message:  # its namespace is a second old
        return Obstacle(Reason.CONFIG_MISSING, error.message, later(now, SOON_SECONDS))
    # The namespace goes, and the job with it; or the operator itself lacks a right.
    if error.status == 401 or any(words in error.message for words in NOT_THE_JOBS_FAULT):
        return Obstacle(Reason.ADMISSION_DENIED, error.message, later(now, AGAIN_SECONDS))
    return Obstacle(Reason.ADMISSION_DENIED, error.message, None)


def unanswered(error: Unavailable, now: datetime) -> Obstacle:
    """What a create means that gets no verdict again and again.

    It may be the request that cannot be answered, not the server: a webhook of somebody's that
    must be asked about each Pod and is gone is a 500, or takes longer than we wait.
    """
    again = later(now, AGAIN_SECONDS)
    return Obstacle(Reason.ADMISSION_DENIED, error.message, again, refused=False)


def _name_conflict(body: Json, now: datetime) -> Obstacle:
    """A Pod of the name that the job's should have; one that is going is worth a short wait."""
    metadata = body["metadata"]
    words = f"a Pod {metadata['name']} is there and belongs to somebody else"
    if metadata.get("deletionTimestamp"):
        return Obstacle(Reason.NAME_CONFLICT, f"{words}; it is going", later(now, SOON_SECONDS))
    return Obstacle(Reason.NAME_CONFLICT, words, None)


def _report(job: CIJob, status: CIJobStatus) -> None:
    """One line and the counts for a state change."""
    if job.status.phase == status.phase and job.status.reason == status.reason:
        return
    told = {"phase": str(status.phase), "reason": status.reason, "said": status.message}
    logger.info("job is %s", status.phase, extra={"job": _name(job), **told})
    if not status.phase.is_final:
        return
    metrics.finished.labels(str(status.phase), status.reason).inc()
    start, end = parse_time(status.start_time), parse_time(status.completion_time)
    if start and end:
        metrics.run_seconds.observe(max((end - start).total_seconds(), 0))


def _jobs(namespace: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/cijobs"


def _name(job: CIJob) -> str:
    return f"{job.metadata.namespace}/{job.metadata.name}"
