"""Jobs with a Secret of their own, made in three steps: what a kill between any two of them leaves.

The API server here keeps objects in memory, with versions and conflicts as the real one has them;
`test_gateway.py` of the cluster tests asks the real one.
"""

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from cijob_gateway.errors import IdempotencyMismatch, NameTaken
from cijob_gateway.jobs import Jobs
from cijob_gateway.submissions import Identity, Submission
from cijob_kube.api import Api
from cijob_kube.errors import AlreadyExists, ApiError, Conflict, Unavailable

Json = dict[str, Any]
ASKED = Submission(spec={"image": "alpine"}, secrets={"TOKEN": "x"})
WHO = Identity("team", "ann", 1, bytes(10), "key")


class Memory:
    """An API server; at the call with number `dies_at` it is as if the gateway were killed."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.calls = 0
        self.dies_at = 0

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise KeyboardInterrupt

    async def create(self, path: str, body: Json, **_: str) -> Json:
        self._call()
        name = f"{path}/{body['metadata']['name']}"
        if name in self.objects:
            raise AlreadyExists(409, "AlreadyExists", f"{name} is there")
        self.objects[name] = copy.deepcopy(body)
        self.objects[name]["metadata"] |= {"uid": name, "resourceVersion": "1"}
        return copy.deepcopy(self.objects[name])

    async def get(self, path: str) -> Json:
        return copy.deepcopy(self.objects[path])

    async def patch(self, path: str, body: Json, *, manager: str) -> Json:
        self._call()
        metadata = self.objects[path]["metadata"]
        if body["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed")
        for key in body["metadata"]["annotations"]:
            metadata["annotations"].pop(key, None)
        self.objects[path]["spec"]["suspend"] = body["spec"]["suspend"]
        return copy.deepcopy(self.objects[path])

    async def delete(self, path: str, *, uid: str) -> Json:
        del self.objects[path]
        return {"kind": "Status"}

    def jobs(self) -> list[Json]:
        return [body for body in self.objects.values() if body["kind"] == "CIJob"]


class Watched:
    """A watch that knows nothing yet."""

    def put(self, body: Json) -> None:
        pass

    def forget(self, body: Json) -> None:
        pass

    def body(self, namespace: str, name: str) -> None:
        return None


def create(
    memory: Memory, asked: Submission = ASKED, who: Identity = WHO, *, dry_run: bool = False
) -> tuple[Json, bool]:
    watch = cast("Any", Watched())
    jobs = Jobs(
        cast("Api", memory),
        cast("Any", None),
        watch=watch,
        templates=watch,
        system_namespace="system",
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    return asyncio.run(jobs.create(asked, who, dry_run=dry_run))


@pytest.mark.parametrize("step", [1, 2, 3])
def test_killed_between_any_two_steps_the_same_request_completes_the_job(step: int) -> None:
    memory = Memory()
    memory.dies_at = step
    with pytest.raises(KeyboardInterrupt):
        create(memory)
    # Nothing may run yet: the job is not there, or it waits.
    assert all(body["spec"]["suspend"] is True for body in memory.jobs())
    job, new = create(memory)
    assert new == (step == 1)
    assert job["spec"]["suspend"] is None
    assert "cijob.dev/awaits-secret" not in job["metadata"]["annotations"]
    assert len(memory.objects) == 2


def test_a_secret_of_somebody_elses_is_never_used() -> None:
    memory = Memory()
    job, _ = create(memory)
    name = f"/api/v1/namespaces/team/secrets/cijob-{job['metadata']['name']}"
    foreign = Memory()
    foreign.objects[name] = {"kind": "Secret", "metadata": {}}
    with pytest.raises(AlreadyExists):
        create(foreign)
    assert foreign.jobs() == []


def test_a_job_whose_secret_cannot_be_made_is_taken_back() -> None:
    class Refusing(Memory):
        async def create(self, path: str, body: Json, **query: str) -> Json:
            if body["kind"] == "Secret":
                raise Unavailable(503, "", "away")
            return await super().create(path, body, **query)

    memory = Refusing()
    with pytest.raises(ApiError):
        create(memory)
    assert memory.objects == {}


@pytest.mark.parametrize("first_dies", [False, True])
def test_a_release_whose_answer_was_lost_takes_no_running_job_back(*, first_dies: bool) -> None:
    class Losing(Memory):
        async def patch(self, path: str, body: Json, *, manager: str) -> Json:
            await super().patch(path, body, manager=manager)
            raise Unavailable(0, "", "the connection was cut")

    memory = Losing()
    memory.dies_at = 2 if first_dies else 0
    if first_dies:
        with pytest.raises(KeyboardInterrupt):
            create(memory)
    with pytest.raises(Unavailable):
        create(memory)
    assert [body["spec"]["suspend"] for body in memory.jobs()] == [None]
    assert create(memory)[1] is False  # the same request finds it


def test_a_dry_run_asks_for_no_source_which_nobody_has_uploaded_yet() -> None:
    archive = {"archive": {"sha256": "a" * 64, "sizeBytes": 1}}
    asked = Submission(spec={"image": "alpine", "source": archive})
    job, new = create(Memory(), asked, dry_run=True)  # without any store
    assert (job["spec"]["source"], new) == (archive, False)


def test_a_key_is_its_submitters_own() -> None:
    memory = Memory()
    key = "01jd0000000000000000000000"
    create(memory, who=Identity("team", "ann", 1, bytes(10), key))
    with pytest.raises(NameTaken):
        create(memory, who=Identity("team", "bob", 1, bytes(10), key))
    other = Submission(spec={"image": "other"}, secrets={"TOKEN": "x"})
    with pytest.raises(IdempotencyMismatch):
        create(memory, other, Identity("team", "ann", 1, bytes(10), key))
