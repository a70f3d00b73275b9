"""What is swept, and above all what is not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from cijob_api.objects import CIJob, CIJobTemplate
from cijob_gateway.jobs import Jobs
from cijob_gateway.named import Named
from cijob_gateway.store import Store, Stored
from cijob_gateway.sweeps import half_made_jobs, unused_sources
from cijob_gateway.watches import Watch

NOW = datetime(2026, 1, 10, tzinfo=UTC)
TTL = timedelta(days=7)
A, B = "a" * 64, "b" * 64


class Bucket:
    """Objects with their age in days; a submit may touch one between list and removal."""

    def __init__(self, days: dict[str, float], *, touched: str = "") -> None:
        self.objects = {n: Stored(n, 1, NOW - timedelta(days=d)) for n, d in days.items()}
        self.touched = touched
        self.ageing = asyncio.Lock()

    async def all(self) -> AsyncIterator[Stored]:
        for stored in list(self.objects.values()):
            yield stored

    async def find(self, name: str) -> Stored | None:
        found = self.objects.get(name)
        return replace(found, used=NOW) if found and name == self.touched else found

    async def remove(self, name: str) -> None:
        del self.objects[name]


class Known:
    """Jobs that the watch knows."""

    def __init__(self, *bodies: dict[str, Any], trouble: str = "") -> None:
        self._bodies = bodies
        self.trouble = trouble
        self.generation = 1
        self.removed: list[str] = []

    def bodies(self, namespace: str = "") -> list[dict[str, Any]]:
        return [b for b in self._bodies if namespace in {"", b["metadata"]["namespace"]}]

    def put(self, body: dict[str, Any]) -> None:
        self._bodies, self.generation = (*self._bodies, body), self.generation + 1

    async def remove(self, body: dict[str, Any]) -> None:
        self.removed.append(body["metadata"]["name"])


def job(name: str, *, minutes: float = 60, sha256: str = "", **spec: Any) -> dict[str, Any]:
    source = {"source": {"archive": {"sha256": sha256, "sizeBytes": 1}}} if sha256 else {}
    created = (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    metadata = {"name": name, "namespace": "team", "creationTimestamp": created}
    return {"metadata": metadata, "spec": {**source, **spec}}


def sweep(bucket: Bucket, jobs: Known, templates: Known | None = None) -> set[str]:
    """Sweep sources; what is left."""
    named = Named(
        cast("Watch[CIJob]", jobs),
        cast("Watch[CIJobTemplate]", templates or Known()),
        "cijob-system",
    )
    asyncio.run(unused_sources(named, cast("Store", bucket), NOW, ttl=TTL))
    return set(bucket.objects)


def test_a_source_that_nobody_names_goes_after_its_time() -> None:
    objects = {f"team/source/{A}.zip": 8.0, f"team/source/{B}.zip": 6.0}
    assert sweep(Bucket(objects), Known()) == {f"team/source/{B}.zip"}


def test_a_named_source_stays_in_its_own_namespace_only() -> None:
    objects = {f"team/source/{A}.zip": 90.0, f"other/source/{A}.zip": 90.0}
    assert sweep(Bucket(objects), Known(job("j", sha256=A))) == {f"team/source/{A}.zip"}


def test_a_source_that_a_submit_touched_meanwhile_stays() -> None:
    name = f"team/source/{A}.zip"
    assert sweep(Bucket({name: 8.0}, touched=name), Known()) == {name}


def test_a_source_that_a_template_names_stays_where_its_jobs_look_for_it() -> None:
    objects = {f"{n}/source/{A}.zip": 90.0 for n in ("team", "other")}
    assert sweep(Bucket(objects), Known(), Known(job("t", sha256=A))) == {f"team/source/{A}.zip"}
    system = job("t", sha256=A)
    system["metadata"]["namespace"] = "cijob-system"
    assert sweep(Bucket(objects), Known(), Known(system)) == set(objects)


def test_a_source_that_a_job_names_since_the_sweep_began_stays() -> None:
    name, jobs = f"team/source/{A}.zip", Known()

    class Slow(Bucket):
        async def find(self, name: str) -> Stored | None:
            jobs.put(job("j", sha256=A))
            return await super().find(name)

    assert sweep(Slow({name: 8.0}), jobs) == {name}


def test_a_source_is_not_touched_between_a_sweeps_last_look_and_its_removal() -> None:
    seen: list[bool] = []

    class Locked(Bucket):
        async def find(self, name: str) -> Stored | None:
            seen.append(self.ageing.locked())
            return await super().find(name)

        async def remove(self, name: str) -> None:
            seen.append(self.ageing.locked())

    bucket = Locked({f"team/source/{A}.zip": 8.0})
    sweep(bucket, Known())
    assert (seen, bucket.ageing.locked()) == ([True, True], False)


def test_what_was_staged_and_left_goes_after_a_day() -> None:
    objects = {"team/upload/x.zip": 1.1, "team/upload/y.zip": 0.9}
    assert sweep(Bucket(objects), Known()) == {"team/upload/y.zip"}


def test_logs_and_strangers_are_left_alone() -> None:
    objects = {"team/job/uid/log/1/0": 90.0, "readme": 90.0, "team/other/x": 90.0}
    assert sweep(Bucket(objects), Known()) == set(objects)


def test_nothing_goes_while_not_all_jobs_are_known() -> None:
    objects = {f"team/source/{A}.zip": 8.0}
    unknown = Known(trouble="the first list is not in")
    assert sweep(Bucket(objects), unknown) == set(objects)
    assert sweep(Bucket(objects), Known(), unknown) == set(objects)


@pytest.mark.parametrize(
    ("minutes", "suspend", "annotated", "goes"),
    [
        (6, True, True, True),
        (4, True, True, False),
        (6, False, True, False),
        (6, True, False, False),
    ],
)
def test_a_half_made_job_goes_after_five_minutes(
    minutes: float, *, suspend: bool, annotated: bool, goes: bool
) -> None:
    body = job("half", minutes=minutes, suspend=suspend)
    body["metadata"]["annotations"] = {"cijob.dev/awaits-secret": "true"} if annotated else {}
    known = Known(body)
    asyncio.run(half_made_jobs(cast("Watch[CIJob]", known), cast("Jobs", known), NOW))
    assert known.removed == (["half"] if goes else [])
