"""All failures come from the reports in the bucket, and a job of only these is made of them."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest

from cijob_api.objects import CIJob
from cijob_api.statuses import CollectionState
from cijob_gateway.artifacts import Collected, Report, collected_name, report_name
from cijob_gateway.errors import BadRequest, Down
from cijob_gateway.failures import all_failures, can_retry, failed_only, failures_now
from cijob_gateway.parts import Parts
from cijob_gateway.store import Content
from kit.objects import MemoryStore

Json = dict[str, Any]
CASE = '<testcase name="test_{0}" classname="test_a" file="test_a.py"><failure message="m{0}"/>'
SCRIPT = {"spec": {"script": "echo $CIJOB_TESTS"}}


def job(failed: int, **spec: Any) -> CIJob:
    tests = {
        "total": 99,
        "failed": failed,
        "errors": 0,
        "firstFailures": [{"name": "test_a.py::test_0", "message": "m0"}],
    }
    results = {"tests": tests, "collection": {"attempt": 1, "state": "Complete"}}
    metadata = {"name": "a", "namespace": "ci", "uid": "u1"}
    return CIJob.parse({"metadata": metadata, "spec": spec, "status": {"results": results}})


def stored(found: CIJob, failed: int) -> MemoryStore:
    store = MemoryStore()
    cases = "".join(f"{CASE.format(number)}</testcase>" for number in range(failed))
    report = f"<testsuite>{cases}</testsuite>".encode()
    kept = Collected(
        attempt=1,
        reports=[Report(number=0, path="r.xml", size_bytes=len(report))],
        state=CollectionState.COMPLETE,
    )
    store.objects[collected_name(found, 1)] = Content(kept.model_dump_json().encode(), {})
    store.objects[report_name(found, 1, 0)] = Content(report, {})
    return store


@dataclass
class Templates:
    """The jobs of a gateway that knows one template."""

    body: Json | None

    def template(self, namespace: str, name: str) -> Json | None:
        return self.body


def parts(store: MemoryStore, template: Json | None = None) -> Parts:
    body = template and {"metadata": {"name": "test"}, **template}
    return cast("Parts", _Parts(store, Templates(body)))


@dataclass
class _Parts:
    store: MemoryStore
    jobs: Templates


class Away(MemoryStore):
    """A bucket that cannot be reached."""

    async def get(self, name: str) -> Content:
        raise Down("away")


def test_the_status_has_the_first_failures_and_the_bucket_all() -> None:
    found = job(25)
    failures = asyncio.run(all_failures(cast("Any", stored(found, 25)), found))
    assert [one.node_id for one in failures] == [f"test_a.py::test_{n}" for n in range(25)]
    assert failures[24].message == "m24"


def test_where_nothing_failed_the_bucket_is_not_asked() -> None:
    assert asyncio.run(all_failures(cast("Any", Away()), job(0))) == []


@pytest.mark.parametrize("store", [Away(), MemoryStore()])
def test_without_the_bucket_the_failures_of_the_status_have_to_do(store: MemoryStore) -> None:
    [known] = asyncio.run(failures_now(cast("Any", store), job(25)))
    assert (known.name, known.message, known.node_id) == ("test_a.py::test_0", "m0", "")


def test_only_the_failed_tests_run_by_the_template_as_it_is_now() -> None:
    found = job(2, templateRef={"name": "test"}, args=["-x"])
    given = parts(stored(found, 2), SCRIPT)
    spec, tests = asyncio.run(failed_only(given, found, {"args": ["-x"]}))
    assert tests == 2
    value = "test_a.py::test_0\ntest_a.py::test_1"
    assert spec == {"args": ["-x"], "env": [{"name": "CIJOB_TESTS", "value": value}]}


def test_a_test_that_failed_in_two_reports_runs_once() -> None:
    found = job(2, command=["pytest"])
    store = stored(found, 2)
    twice = store.objects[report_name(found, 1, 0)].content.replace(b"test_1", b"test_0")
    store.objects[report_name(found, 1, 0)] = Content(twice, {})
    spec, tests = asyncio.run(failed_only(parts(store), found, {}))
    assert (spec["args"], tests) == (["test_a.py::test_0"], 1)


def test_without_names_that_pytest_takes_nothing_is_run() -> None:
    with pytest.raises(BadRequest, match="run the whole job again, without --failed"):
        asyncio.run(failed_only(parts(MemoryStore()), job(25), {}))


@pytest.mark.parametrize(
    ("spec", "can"), [({"command": ["pytest"]}, True), ({"command": ["make"]}, False)]
)
def test_what_can_be_run_again_in_part_is_known_before(spec: Json, *, can: bool) -> None:
    found = job(2, **spec)
    given = parts(stored(found, 2))
    failures = asyncio.run(all_failures(cast("Any", given.store), found))
    assert can_retry(given, found, failures) is can
    assert can_retry(given, found, []) is False


def test_where_not_all_that_failed_are_known_the_others_are_not_forgotten() -> None:
    found = job(3, command=["pytest"])
    given = parts(stored(found, 2))
    with pytest.raises(BadRequest, match="only 2 of the tests that failed"):
        asyncio.run(failed_only(given, found, {}))
    assert can_retry(given, found, asyncio.run(all_failures(given.store, found))) is False
