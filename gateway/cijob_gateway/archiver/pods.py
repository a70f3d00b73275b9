"""The Pods of jobs, as far as the archiver needs to know them: does the job's container run?

Kept by a watch; only what is read here is kept of each.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from pydantic import Field

from cijob_api import names
from cijob_api.fields import Model
from cijob_api.objects import Resource
from cijob_gateway.logs.readings import CONTAINER
from cijob_gateway.watches import Json, Key, Watch
from cijob_kube.api import Api

ENDED = {"Succeeded", "Failed"}


class Span(Model):
    """A container that runs or ran."""

    started_at: str | None = None


class State(Model):
    """Where a container is."""

    running: Span | None = None
    terminated: Span | None = None


class Container(Model):
    """A container's status."""

    name: str
    container_id: str = Field(default="", alias="containerID")
    state: State = State()


class PodStatus(Model):
    """A Pod's status."""

    phase: str = ""
    container_statuses: list[Container] = Field(default_factory=list)


class Pod(Resource):
    """A Pod of one attempt."""

    status: PodStatus = PodStatus()

    @property
    def attempt(self) -> int:
        """Which attempt it is."""
        label = self.metadata.labels.get(names.LABEL_ATTEMPT, "")
        return int(label) if label.isdecimal() else 0

    @property
    def owners(self) -> set[str]:
        """The uids of what it belongs to."""
        return {owner.uid for owner in self.metadata.owner_references}

    @property
    def has_begun(self) -> bool:
        """Whether the job's container runs or ran, so that there may be a log."""
        state, container_id = self._container
        return bool(state.running or (state.terminated and container_id))

    @property
    def started_at(self) -> str | None:
        """When the job's container began, as far as is known."""
        state, _ = self._container
        span = state.running or state.terminated
        return span.started_at if span else None

    @property
    def has_ended(self) -> bool:
        """Whether the job's container writes nothing more."""
        state, _ = self._container
        return bool(state.terminated) or self.status.phase in ENDED

    @property
    def _container(self) -> tuple[State, str]:
        for container in self.status.container_statuses:
            if container.name == CONTAINER:
                return container.state, container.container_id
        return State(), ""


def slimmed(body: Json) -> Json:
    """A Pod without what nobody reads here: of 300 there would be many megabytes."""
    metadata, status = body["metadata"], body.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences")
    containers = [
        {key: found[key] for key in ("name", "containerID", "state") if key in found}
        for found in status.get("containerStatuses") or []
        if found["name"] == CONTAINER
    ]
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "status": {"phase": status.get("phase") or "", "containerStatuses": containers},
    }


class Pods:
    """All Pods of jobs, by the job's name."""

    def __init__(self, api: Api, namespaces: Iterable[str], *, told: Callable[[Key], None]) -> None:
        """`told` hears of each change, by the job's key."""
        self._tell = told
        self._job_of: dict[Key, Key] = {}
        self._pods_of: defaultdict[Key, set[Key]] = defaultdict(set)
        self.watch = Watch(
            api,
            Pod,
            "pods",
            namespaces,
            collection="/api/v1",
            label=names.LABEL_JOB,
            slim=slimmed,
            told=self._note,
        )

    def of(self, job: Key, uid: str) -> dict[int, Pod]:
        """A job's Pods, by attempt; not those of another job of that name."""
        found = [self.watch.find(*key) for key in self._pods_of.get(job, ())]
        return {pod.attempt: pod for pod in found if pod and uid in pod.owners and pod.attempt}

    def _note(self, key: Key) -> None:
        body = self.watch.body(*key)
        if body:
            job = (key[0], str(body["metadata"]["labels"][names.LABEL_JOB]))
            self._job_of[key] = job
            self._pods_of[job].add(key)
        else:
            job = self._job_of.pop(key, key)
            self._pods_of[job].discard(key)
            if not self._pods_of[job]:
                del self._pods_of[job]
        self._tell(job)
