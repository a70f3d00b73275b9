"""What a collection becomes in the bucket and in the job's status."""

import asyncio
import json
from typing import Any, cast

import pytest

from cijob_api.objects import CIJob
from cijob_api.statuses import CIJobStatus, CollectionState
from cijob_api.trimming import GATEWAY_BYTES, size_bytes
from cijob_gateway.archiver.retention import job_of
from cijob_gateway.artifacts import (
    MOST_REPORTS,
    MOST_WORDS,
    Artifact,
    Collected,
    Report,
    artifact_name,
    collected_name,
    read_collected,
    report_name,
)
from cijob_gateway.collecting import finish, read_reports
from cijob_gateway.errors import Down
from cijob_gateway.store import Content
from cijob_kube.api import Api
from kit.objects import MemoryStore

Json = dict[str, Any]
JOB = CIJob.parse({"metadata": {"name": "tests", "namespace": "ci", "uid": "u1"}, "spec": {}})
GOOD = b'<testsuite><testcase classname="c" name="good"/></testsuite>'
BAD = b'<testsuite><testcase name="bad"><failure message="1 != 2"/></testcase></testsuite>'


class Server:
    """An API server that merges patches as RFC 7396 says."""

    def __init__(self, status: Json | None = None) -> None:
        self.status: Json = status or {}
        self.patches: list[Json] = []

    async def patch(self, path: str, body: Json, *, manager: str) -> Json:
        assert path == "/apis/cijob.dev/v1alpha1/namespaces/ci/cijobs/tests/status"
        assert manager == "cijob-gateway"
        assert body["metadata"] == {"uid": "u1"}
        self.patches.append(body["status"])
        self.status = merged(self.status, body["status"])
        CIJobStatus.model_validate(self.status)
        return {"status": self.status}

    @property
    def results(self) -> Json:
        found: Json = self.status["results"]
        return found


def merged(old: object, patch: Json) -> Json:
    whole = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            whole.pop(key, None)
        else:
            whole[key] = merged(whole.get(key), value) if isinstance(value, dict) else value
    return whole


class Ground:
    def __init__(self, status: Json | None = None) -> None:
        self.store, self.server = MemoryStore(), Server(status)
        self.artifacts: list[Artifact] = []
        self.reports: list[Report] = []
        self.fetch_seconds = 0

    def artifact(self, name: str, content: bytes = b"x", attempt: int = 1) -> None:
        self.store.objects[artifact_name(JOB, attempt, name)] = Content(content, {})
        self.artifacts.append(
            Artifact(name=name, file=name, size_bytes=len(content), sha256="0" * 64)
        )

    def report(self, content: bytes, attempt: int = 1) -> None:
        number = len(self.reports)
        self.store.objects[report_name(JOB, attempt, number)] = Content(content, {})
        path = f"r{number}.xml"
        self.reports.append(Report(number=number, path=path, size_bytes=len(content)))

    def finish(self, state: str = "Complete", message: str = "", attempt: int = 1) -> Json:
        said = Collected(
            attempt=attempt,
            artifacts=self.artifacts,
            reports=self.reports,
            state=CollectionState(state),
            message=message,
            fetch_seconds=self.fetch_seconds,
        )
        asyncio.run(finish(cast("Api", self.server), self.store, JOB, said))
        return self.server.results


def test_one_patch_has_tests_artifacts_and_how_it_went() -> None:
    ground = Ground()
    ground.artifact("dist", b"wheel")
    ground.report(GOOD)
    ground.report(BAD)
    results = ground.finish()
    assert len(ground.server.patches) == 1
    assert results["collection"] == {"attempt": 1, "state": "Complete"}
    assert results["artifacts"] == [{"name": "dist", "sizeBytes": 5, "sha256": "0" * 64}]
    assert results["tests"]["total"] == 2
    assert results["tests"]["firstFailures"][0]["message"] == "1 != 2"


def test_what_the_agent_says_of_the_fetch_is_the_operators_to_use() -> None:
    ground = Ground()
    ground.fetch_seconds = 7
    assert ground.finish()["collection"]["fetchSeconds"] == 7
    ground.fetch_seconds = 0
    assert "fetchSeconds" not in ground.finish(attempt=2)["collection"]


def test_the_whole_list_is_in_the_bucket_beside_the_log() -> None:
    ground = Ground()
    ground.artifact("dist")
    ground.report(GOOD)
    ground.finish("Partial", "artifact docs: there is no 'docs'")
    name = collected_name(JOB, 1)
    assert name == "ci/job/u1/collections/1.json"
    stored = json.loads(ground.store.objects[name].content)
    assert stored["artifacts"][0]["file"] == "dist"
    assert stored["reports"] == [{"number": 0, "path": "r0.xml", "sizeBytes": len(GOOD)}]
    assert stored["message"] == "artifact docs: there is no 'docs'"
    assert {job_of(name) for name in ground.store.objects} == {"u1"}


def test_nothing_of_an_earlier_attempt_stays_in_the_status() -> None:
    logs = {"lines": 3}
    ground = Ground({"results": {"logs": logs}})
    ground.artifact("dist")
    ground.report(BAD)
    ground.finish("Partial", "words")
    ground.artifacts, ground.reports = [], []
    ground.report(GOOD, attempt=2)
    results = ground.finish(attempt=2)
    assert results["logs"] == logs
    assert "artifacts" not in results
    assert "firstFailures" not in results["tests"]
    assert results["collection"] == {"attempt": 2, "state": "Complete"}
    ground.reports = []
    assert "tests" not in ground.finish(attempt=3)


def test_what_was_said_and_is_not_there_is_not_listed() -> None:
    ground = Ground()
    ground.artifact("there")
    ground.artifact("gone")
    ground.artifact("cut", b"whole")
    ground.report(GOOD)
    del ground.store.objects[artifact_name(JOB, 1, "gone")]
    ground.store.objects[artifact_name(JOB, 1, "cut")] = Content(b"who", {})
    del ground.store.objects[report_name(JOB, 1, 0)]
    results = ground.finish()
    assert [one["name"] for one in results["artifacts"]] == ["there"]
    assert "tests" not in results
    assert results["collection"]["state"] == "Partial"
    assert "not stored" in results["collection"]["message"]


def test_a_report_that_cannot_be_read_is_said_and_no_error() -> None:
    ground = Ground()
    ground.report(GOOD)
    ground.report(b'<!DOCTYPE x [<!ENTITY y "z">]><testsuite/>')
    results = ground.finish()
    assert results["tests"]["total"] == 1
    assert results["collection"]["state"] == "Partial"
    assert "r1.xml" in results["collection"]["message"]


@pytest.mark.parametrize("many", [64, 20])
def test_the_status_stays_in_its_budget_and_the_bucket_has_the_rest(many: int) -> None:
    ground = Ground()
    for number in range(many):
        ground.artifact(f"{'a' * 58}-{number:02}")
    ground.report(b"<testsuite>" + b"<testcase name='t'><failure message='m'/></testcase>" * 50 +
                  b"</testsuite>")  # fmt: skip
    results = ground.finish("Partial", "words " * 1000)
    status = CIJobStatus.model_validate({"results": results})
    assert size_bytes(status) <= GATEWAY_BYTES
    assert results["collection"]["state"] == "Partial"
    found = asyncio.run(read_collected(ground.store, JOB))
    assert found is not None
    assert len(found.artifacts) == many


def test_the_last_attempt_that_left_anything_is_found() -> None:
    ground = Ground()
    assert asyncio.run(read_collected(ground.store, JOB)) is None
    for attempt in (1, 9, 10):
        ground.finish(attempt=attempt)
    for asked, expected in ((None, 10), (9, 9), (2, None)):
        found = asyncio.run(read_collected(ground.store, JOB, asked))
        assert (found.attempt if found else None) == expected


class Held(MemoryStore):
    """A bucket that gives no report before it is let go."""

    def __init__(self, objects: dict[str, Content]) -> None:
        super().__init__()
        self.objects = objects
        self.asked_once, self.let_go = asyncio.Event(), asyncio.Event()

    async def get(self, name: str) -> Content:
        self.asked_once.set()
        await self.let_go.wait()
        return await super().get(name)


def reported(*reports: bytes) -> tuple[Held, Collected]:
    ground = Ground()
    for report in reports:
        ground.report(report)
    kept = Collected(attempt=1, reports=ground.reports, state=CollectionState.COMPLETE)
    return Held(ground.store.objects), kept


def test_reports_are_read_once_for_all_who_ask_meanwhile() -> None:
    async def go() -> None:
        store, kept = reported(BAD)
        asking = [asyncio.create_task(read_reports(store, JOB, kept)) for _ in range(3)]
        await store.asked_once.wait()
        asking.append(asyncio.create_task(read_reports(store, JOB, kept.model_copy())))
        await asyncio.sleep(0)
        store.let_go.set()
        first, *others = await asyncio.gather(*asking)
        assert all(other is first for other in others)
        assert store.asked == [f"get {report_name(JOB, 1, 0)}"]
        assert await read_reports(store, JOB, kept) is not first  # nothing is kept

    asyncio.run(go())


def test_who_gives_up_waiting_ends_no_reading() -> None:
    async def go() -> None:
        store, kept = reported(BAD)
        impatient = asyncio.create_task(read_reports(store, JOB, kept))
        await store.asked_once.wait()
        impatient.cancel()
        await asyncio.wait([impatient])
        patient = asyncio.create_task(read_reports(store, JOB, kept))
        await asyncio.sleep(0)
        store.let_go.set()
        assert len((await patient).failures) == 1
        assert store.asked == [f"get {report_name(JOB, 1, 0)}"]

    asyncio.run(go())


def test_a_reading_that_failed_is_begun_anew_by_the_next() -> None:
    async def go() -> None:
        store, kept = reported(BAD)
        store.let_go.set()
        store.failures = 1
        with pytest.raises(Down):
            await read_reports(store, JOB, kept)
        assert len((await read_reports(store, JOB, kept)).failures) == 1

    asyncio.run(go())


def test_a_report_that_is_gone_hides_no_other() -> None:
    async def go() -> None:
        store, kept = reported(BAD, BAD)
        store.let_go.set()
        await store.remove(report_name(JOB, 1, 0))
        parsed = await read_reports(store, JOB, kept)
        assert (len(parsed.failures), parsed.message) == (1, "r0.xml: it is empty")

    asyncio.run(go())


def test_a_hundred_bad_reports_do_not_hide_the_artifacts() -> None:
    ground = Ground()
    ground.artifact("dist")
    for number in range(MOST_REPORTS):
        ground.report(b"<html/>")
        ground.reports[-1].path = f"{'p' * 1000}{number}"
    ground.finish()
    found = asyncio.run(read_collected(ground.store, JOB))
    assert found is not None
    assert [one.name for one in found.artifacts] == ["dist"]
    assert len(found.message) == MOST_WORDS
