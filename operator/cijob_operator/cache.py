"""What this process knows of the cluster: jobs, their Pods, templates, pools, pulls of images.

Fed by watches, by the full lists of the resync, and by the API server's answers to our own writes,
which are usually there before the watch shows them: an older version never replaces a newer one.
A deleted Pod stays, marked, until its attempt is closed. Finished jobs are kept small.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cijob_api.errors import Malformed
from cijob_api.objects import CIJob, CIJobTemplate, CIPool
from cijob_operator.podviews import PodView, view
from cijob_operator.pulls import Pulls
from cijob_operator.slimming import slimmed
from cijob_operator.times import parse_time

Json = dict[str, Any]
Key = tuple[str, str]
MISSING_SECONDS = 2


@dataclass(frozen=True)
class Broken:
    """A job whose object does not keep to the contract: forged past the schema."""

    uid: str
    version: int
    words: str
    finished: bool
    ended: datetime | None = None  # if that much can be read


@dataclass
class Cache:
    """The latest known version of everything; use from one event loop only."""

    jobs: dict[Key, CIJob] = field(default_factory=dict)
    broken: dict[Key, Broken] = field(default_factory=dict)
    templates: dict[Key, CIJobTemplate] = field(default_factory=dict)
    pods: dict[Key, PodView] = field(default_factory=dict)
    pools: dict[str, CIPool] = field(default_factory=dict)
    pulls: Pulls = field(default_factory=Pulls)
    _pods_of: dict[Key, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _dropped: set[str] | None = None  # UIDs of what went while lists are read

    def is_news(self, body: Json) -> bool:
        """Whether a job is newer than what is known of it."""
        metadata = body["metadata"]
        return self.job_version((metadata["namespace"], metadata["name"])) < _version(metadata)

    def is_news_of_pod(self, body: Json) -> bool:
        """Whether a Pod is newer than what is known of it."""
        metadata = body["metadata"]
        known = self.pods.get((metadata["namespace"], metadata["name"]))
        return known is None or known.uid != metadata["uid"] or known.version < _version(metadata)

    def put_job(self, body: Json) -> Key:
        """Take in a job as the API server gave it; return its key."""
        metadata = body["metadata"]
        key, version = (metadata["namespace"], metadata["name"]), _version(metadata)
        if self.job_version(key) > version:
            return key
        try:
            job = CIJob.parse(body)
        except Malformed as error:
            self.jobs.pop(key, None)
            self.broken[key] = _broken(body, str(error))
            return key
        self.broken.pop(key, None)
        self.jobs[key] = slimmed(job)
        return key

    def job_version(self, key: Key) -> int:
        """The version of what is known of a job, well-formed or not; 0 for nothing."""
        if key in self.broken:
            return self.broken[key].version
        known = self.jobs.get(key)
        return int(known.metadata.resource_version or 0) if known else 0

    def put_answer(self, body: Json) -> None:
        """Take in what the API server answered to our own write of a job.

        Not if the watch has told meanwhile that the job is gone: it must not come back.
        """
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if self.uid_of_job(key) == metadata["uid"]:
            self.put_job(body)

    def drop_job(self, key: Key, uid: str) -> None:
        """A job is gone. Its Pods follow by their owner reference.

        Another of its name may be there already: that one stays.
        """
        self._note_drop(uid)
        if self.uid_of_job(key) == uid:
            self.jobs.pop(key, None)
            self.broken.pop(key, None)
        for pod in [self.pods[name] for name in self._pods_of.get(key, ())]:
            if pod.gone and pod.owner == uid:
                self.forget_pod(pod.key)

    def uid_of_job(self, key: Key) -> str | None:
        """Which job of that name is known, well-formed or not, if any."""
        if key in self.broken:
            return self.broken[key].uid
        return self.jobs[key].metadata.uid if key in self.jobs else None

    @contextmanager
    def listing(self) -> Iterator[None]:
        """While lists are read: what went since they began does not come back by an old page."""
        self._dropped = set()
        try:
            yield
        finally:
            self._dropped = None

    def went_meanwhile(self, body: Json) -> bool:
        """Whether an object of a list that is being read is gone, as its watch has told."""
        return self._dropped is not None and body["metadata"]["uid"] in self._dropped

    def _note_drop(self, uid: str) -> None:
        if self._dropped is not None:
            self._dropped.add(uid)

    def put_template(self, body: Json) -> Key | None:
        """Take in a template; None if it is malformed, which is as good as missing."""
        try:
            template = CIJobTemplate.parse(body)
        except Malformed:
            self.templates.pop((body["metadata"]["namespace"], body["metadata"]["name"]), None)
            return None
        self.templates[template.key] = template
        return template.key

    def put_pool(self, body: Json) -> bool:
        """Take in a pool; whether it offers something else than before.

        A malformed one, forged past its schema, is as good as missing.
        """
        name = body["metadata"]["name"]
        known = self.pools.get(name)
        if known and int(known.metadata.resource_version or 0) > _version(body["metadata"]):
            return False
        try:
            pool = CIPool.parse(body)
        except Malformed:
            self.pools.pop(name, None)
            return known is not None
        self.pools[name] = pool
        return known is None or pool.spec != known.spec

    def unplaced(self) -> Iterator[Key]:
        """Unfinished jobs of which no Pod runs: a pool that changes may be news to them.

        One that is to be tried again may still have the Pods of earlier attempts.
        """
        for key, job in self.jobs.items():
            pods = (self.pods[pod] for pod in self._pods_of.get(key, ()))
            if not job.status.phase.is_final and all(pod.is_over for pod in pods):
                yield key

    def put_pod(self, body: Json) -> Key:
        """Take in a Pod of ours; return the key of its job."""
        pod = view(body)
        known = self.pods.get(pod.key)
        another = known is None or known.uid != pod.uid
        # A Pod that is gone does not come back; one of the same name is another.
        if another or (known and not known.gone and known.version <= pod.version):
            self.pods[pod.key] = pod
            self._pods_of[(pod.namespace, pod.job)].add(pod.key)
        return (pod.namespace, pod.job)

    def drop_pod(self, body: Json) -> Key:
        """A Pod was deleted: keep what was seen last, marked as gone; return its job's key."""
        self._note_drop(body["metadata"]["uid"])
        pod = view(body).as_gone()
        owner = (pod.namespace, pod.job)
        known = self.pods.get(pod.key)
        if known and known.uid != pod.uid:
            return owner
        self._keep_gone(pod)
        return owner

    def lose_pod(self, pod: PodView, now: datetime | None = None) -> bool:
        """The API server does not have a Pod any more; whether it counts as gone now.

        With a time, not before its watch has had a moment to tell how it ended.
        """
        known = self.pods.get(pod.key)
        if known is None or known.uid != pod.uid or known.gone:
            return True
        if now:
            known = self.pods[pod.key] = replace(known, missing=known.missing or now)
            if (now - (known.missing or now)).total_seconds() < MISSING_SECONDS:
                return False
        self._keep_gone(known.as_gone())
        return True

    def _keep_gone(self, pod: PodView) -> None:
        owner = (pod.namespace, pod.job)
        job = self.jobs.get(owner)
        if job is None or job.metadata.uid != pod.owner:
            self.forget_pod(pod.key)  # nobody will ask how it ended
        else:
            self.pods[pod.key] = pod
            self._pods_of[owner].add(pod.key)

    def forget_pod(self, key: Key) -> None:
        """Let go of a deleted Pod whose attempt is closed."""
        pod = self.pods.pop(key, None)
        if pod:
            owner = (pod.namespace, pod.job)
            self._pods_of[owner].discard(key)
            if not self._pods_of[owner]:
                del self._pods_of[owner]

    def pods_of(self, job: Key, uid: str) -> tuple[PodView, ...]:
        """The Pods that belong to this very job, by attempt."""
        keys = self._pods_of.get(job, ())
        own = [self._with_pulls(self.pods[key]) for key in keys if self.pods[key].owner == uid]
        return tuple(sorted(own, key=lambda pod: pod.attempt))

    def _with_pulls(self, pod: PodView) -> PodView:
        seconds = self.pulls.seconds(pod.uid)
        return replace(pod, pulled=seconds) if seconds else pod

    def orphans(self) -> Iterator[PodView]:
        """Pods of ours that are there and whose job is not."""
        for pod in self.pods.values():
            if pod.gone:
                continue
            owner = (pod.namespace, pod.job)
            uid = self.uid_of_job(owner)
            if uid is None or pod.owner != uid:
                yield pod

    def template_of(self, job: CIJob, system_namespace: str) -> CIJobTemplate | None:
        """The template that a job names: in its own namespace first."""
        if job.spec.template_ref is None:
            return None
        name = job.spec.template_ref.name
        own = self.templates.get((job.metadata.namespace, name))
        return own or self.templates.get((system_namespace, name))


def _broken(body: Json, words: str) -> Broken:
    metadata, status = body["metadata"], body.get("status")
    said = status if isinstance(status, dict) else {}
    try:
        ended = parse_time(said.get("completionTime"))
    except (TypeError, ValueError):  # forged, too
        ended = None
    return Broken(metadata["uid"], _version(metadata), words, said.get("phase") == "Error", ended)


def _version(metadata: Json) -> int:
    """resourceVersion as a number: versions of one resource can be compared since 1.35, and
    always could in practice, as they are etcd's revisions."""
    try:
        return int(metadata.get("resourceVersion") or 0)
    except ValueError:
        return 0
