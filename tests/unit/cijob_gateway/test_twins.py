"""Jobs by what they ran: found in the bucket by one short list, also when they are gone."""

import asyncio
import copy
from typing import Any

import pytest

from cijob_api.reasons import Phase
from cijob_gateway.repeats import Same, contradiction, same_before
from cijob_gateway.store import Content
from cijob_gateway.twins import Twin, newest_before, same_now
from kit.objects import MemoryStore

Json = dict[str, Any]
UID = "d6a1a3e{}-6a0e-4b7e-9d0e-0a6f0c5a2b11"
BASE: Json = {
    "metadata": {"namespace": "ci"},
    "spec": {
        "templateRef": {"name": "test"},
        "source": {"archive": {"sha256": "a" * 64, "sizeBytes": 7}},
    },
    "status": {"attempts": [{"number": 1, "template": "test/3"}]},
}


def job(name: str, minute: int, phase: str, **spec: Any) -> Json:
    body = copy.deepcopy(BASE)
    created = f"2026-01-01T12:{minute:02}:00Z"
    body["metadata"] |= {"name": name, "creationTimestamp": created, "uid": UID.format(minute % 10)}
    body["status"]["phase"] = phase
    body["spec"] |= spec
    return body


def bucket(*bodies: Json) -> MemoryStore:
    made = MemoryStore()
    for body in bodies:
        twin = Twin.of(body)
        assert twin
        made.objects[twin.object_name] = Content(b"", {})
    return made


def newest(store: MemoryStore, body: Json) -> str | None:
    found = asyncio.run(newest_before(store, body))
    return found.entry.name if found else None


def test_an_entry_is_read_from_its_name_as_it_was_written() -> None:
    twin = Twin.of(job("test-Succeeded-1", 3, "Failed"))
    assert twin
    assert Twin.parse(twin.object_name) == twin
    assert (twin.entry.namespace, twin.phase) == ("ci", Phase.FAILED)


@pytest.mark.parametrize(
    "name",
    [
        "ci/index/8232000000000-a-d6a1a3e1-6a0e-4b7e-9d0e-0a6f0c5a2b11",
        f"ci/same/{'a' * 64}/8232000000000-a-Failed",
        f"ci/same/{'a' * 63}/8232000000000-a-{UID.format(1)}-Failed",
        f"ci/same/{'a' * 64}/8232000000000-a-{UID.format(1)}-Error",
    ],
)
def test_anything_else_is_none(name: str) -> None:
    assert Twin.parse(name) is None


@pytest.mark.parametrize("phase", ["Error", "Cancelled", "Running"])
def test_only_a_job_with_a_verdict_has_one(phase: str) -> None:
    assert Twin.of(job("a", 1, phase)) is None


def test_the_newest_before_it_is_found_by_one_list_of_its_kind() -> None:
    others = [job(f"other-{n}", n, "Failed", args=[str(n)]) for n in range(20)]
    red, green, now = (
        job("red", 1, "Failed"),
        job("green", 5, "Succeeded"),
        job("now", 9, "Failed"),
    )
    store = bucket(*others, red, green, now, job("later", 11, "Succeeded"))
    assert newest(store, now) == "green"
    assert len(store.asked) == 1
    assert newest(store, green) == "red"
    assert newest(store, red) is None
    assert newest(bucket(now, job("then", 9, "Succeeded")), now) is None


def test_another_namespaces_job_is_none_of_ours() -> None:
    green = job("green", 5, "Succeeded")
    green["metadata"]["namespace"] = "other"
    assert newest(bucket(green), job("now", 9, "Failed")) is None


def test_a_job_that_is_gone_says_that_one_is_flaky() -> None:
    gone, now = job("gone", 5, "Succeeded"), job("now", 9, "Failed")
    found = asyncio.run(same_now(bucket(gone), now))
    assert found == Same("2026-01-01T12:05:00Z", "gone", "Succeeded")
    assert contradiction(now, [None, found]) == found
    there = same_before(now, [job("there", 7, "Failed")])
    assert contradiction(now, [there, found]) is None  # the newer one counts


def test_without_the_bucket_nothing_is_said_and_nothing_fails() -> None:
    store = bucket(job("gone", 5, "Succeeded"))
    store.trouble = "away"
    assert asyncio.run(same_now(store, job("now", 9, "Failed"))) is None
    assert store.asked == []
