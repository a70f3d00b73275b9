"""What is written: only what changed, only what is ours, and what stood against it."""

import asyncio
from typing import Any, cast

import pytest

from cijob_api.objects import CIJob
from cijob_api.reasons import Reason
from cijob_api.statuses import CIJobStatus
from cijob_kube.api import Api
from cijob_kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Denied,
    Gone,
    Invalid,
    LeaseLost,
    Unavailable,
)
from cijob_kube.leases import Leadership
from cijob_operator.act import Actor, status_patch
from cijob_operator.cache import Cache
from cijob_operator.decisions import Decision, Observation, Obstacle, Stop
from unit.cijob_operator.builders import NOON, after, attempt, job, look, running

PLAIN = {"by_alias": True, "mode": "json", "exclude_none": True}


def status(**fields: Any) -> CIJobStatus:
    return CIJobStatus.model_validate(fields)


def merged(target: Any, patch: Any) -> Any:
    """A merge patch applied, as RFC 7386 says."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


# -- the patch of a status --------------------------------------------------------------------


def test_nothing_changed_is_nothing_to_write() -> None:
    same = status(phase="Running", reason="Running", attempts=[attempt(1)])
    assert status_patch(same, same.model_copy()) == {}


def test_only_what_changed_is_written() -> None:
    before = status(phase="Queued", reason="WaitingForCapacity", message="full", pool="default")
    after_ = status(phase="Running", reason="Running", message="runs", pool="default")
    assert status_patch(before, after_) == {
        "phase": "Running",
        "reason": "Running",
        "message": "runs",
    }


def test_what_is_no_more_is_null() -> None:
    before = status(phase="Queued", exitCode=3, duration="1s")
    assert status_patch(before, status(phase="Queued", duration="1s")) == {"exitCode": None}


def test_an_exit_code_of_0_is_something() -> None:
    patch = status_patch(status(), status(phase="Succeeded", exitCode=0))
    assert patch == {"phase": "Succeeded", "exitCode": 0}


@pytest.mark.parametrize("kept", [True, False])
def test_the_results_are_others_to_write(*, kept: bool) -> None:
    results = {"logs": {"lines": 7}}
    after_ = status(phase="Succeeded", results=results if kept else None)
    patch = status_patch(status(results=results), after_)
    assert "results" not in patch


def test_of_the_results_the_source_is_written_once_and_nothing_else() -> None:
    logs, source = {"lines": 7}, {"commit": "c0ffee"}
    known = status(results={"logs": logs, "source": source})
    assert status_patch(status(results={"logs": logs}), known) == {"results": {"source": source}}
    assert status_patch(status(), known) == {"results": {"source": source}}
    assert status_patch(known, known) == {}


def test_a_list_is_written_as_a_whole() -> None:
    patch = status_patch(status(attempts=[attempt(1)]), status(attempts=[attempt(1), attempt(2)]))
    assert [a["number"] for a in patch["attempts"]] == [1, 2]
    assert patch["attempts"][0]["podUID"] == "pod-uid-1"


def test_the_names_are_those_of_kubernetes() -> None:
    patch = status_patch(status(), status(observedGeneration=2, startTime="2026-01-01T12:00:00Z"))
    assert patch.keys() == {"observedGeneration", "startTime"}


def test_a_long_status_is_trimmed_to_the_operator_s_part() -> None:
    attempts = [attempt(n, "PodLost", message="x" * 4000) for n in range(1, 11)]
    patch = status_patch(status(), status(phase="Error", message="y" * 4000, attempts=attempts))
    assert len(str(patch)) < 4096
    assert patch["phase"] == "Error"


def test_the_clock_that_is_stopped_stands_after_the_patch() -> None:
    runs = status(waited={"seconds": 10, "since": "2026-01-01T11:00:00Z"})
    stands = status(waited={"seconds": 70})
    stored = merged(runs.model_dump(by_alias=True, exclude_none=True, mode="json"),
                    status_patch(runs, stands))  # fmt: skip
    assert stored["waited"] == {"seconds": 70}


# -- carrying out -----------------------------------------------------------------------------


class Server:
    """An API server that answers one error, or with what it was sent; remembers all calls."""

    def __init__(self, error: ApiError | None = None, there: dict[str, Any] | None = None) -> None:
        self.error = error
        self.there = there
        self.calls: list[tuple[str, str, Any]] = []

    async def get(self, path: str) -> dict[str, Any]:
        self.calls.append(("get", path, None))
        if self.there is None:
            raise Gone(404, "NotFound", "not there")
        return self.there

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer("create", path, body)

    async def patch(self, path: str, body: dict[str, Any], *, manager: str) -> dict[str, Any]:
        return self._answer("patch", path, body)

    async def delete(self, path: str, *, uid: str) -> dict[str, Any]:
        answer = self.there or {"metadata": {"uid": uid}}
        return self._answer("delete", path, answer)

    def _answer(self, verb: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((verb, path, body))
        if self.error:
            raise self.error
        name = path.removesuffix("/status").rpartition("/")[2]
        known = {"name": name, "namespace": "team", "uid": "u", **body.get("metadata", {})}
        return {**body, "metadata": known, "spec": {"image": "i"}}


class Leads:
    """A process that leads, or does not."""

    def __init__(self, *, leads: bool = True) -> None:
        self.leads = leads

    def check(self) -> None:
        if not self.leads:
            raise LeaseLost("another process leads")


def act(
    server: Server, decision: Decision, what: CIJob | None = None, *, leads: bool = True
) -> Obstacle | None:
    actor = Actor(cast("Api", server), Cache(), cast("Leadership", Leads(leads=leads)))
    return asyncio.run(actor.act(Observation(what or job()), decision, NOON))


def creation() -> Decision:
    return look(job(), admitted=True)


ERRORS = [
    ("the quota is used up", Denied(403, "Forbidden", "pods is forbidden: exceeded quota: team"),
     Reason.QUOTA_EXCEEDED, after(15)),
    ("Pod Security refuses it", Denied(403, "Forbidden", 'violates PodSecurity "restricted"'),
     Reason.ADMISSION_DENIED, None),
    ("the namespace goes", Denied(403, "Forbidden", "because it is being terminated"),
     Reason.ADMISSION_DENIED, after(15)),
    ("it is invalid", Invalid(422, "Invalid", "spec.containers[0].image: Required value"),
     Reason.ADMISSION_DENIED, None),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "error", "reason", "again"), ERRORS)
def test_what_stands_against_a_pod(seen: str, error: ApiError, reason: Reason, again: Any) -> None:
    assert act(Server(error), creation()) == Obstacle(reason, error.message, again)


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(503, "ServiceUnavailable", "restarting"),
        Conflict(409, "Conflict", "quota changed"),
        Gone(404, "NotFound", "namespace gone"),
    ],
)
def test_an_api_server_that_is_away_is_never_a_verdict(error: ApiError) -> None:
    with pytest.raises(type(error)):
        act(Server(error), creation())


def test_credentials_that_are_refused_are_never_a_verdict() -> None:
    obstacle = act(Server(Denied(401, "Unauthorized", "Unauthorized")), creation())
    assert obstacle is None or obstacle.again is not None


def test_a_service_account_that_is_not_there_yet_is_waited_for() -> None:
    words = 'error looking up service account team/default: serviceaccount "default" not found'
    obstacle = act(Server(Denied(403, "Forbidden", words)), creation())
    assert obstacle
    assert obstacle.again is not None


def test_our_own_earlier_create_won() -> None:
    decision = creation()
    server = Server(AlreadyExists(409, "AlreadyExists", "there"), there=decision.create)
    assert act(server, decision) is None


def test_somebody_else_s_pod_has_the_name() -> None:
    there = {"metadata": {"name": "tests-1", "namespace": "team"}}
    obstacle = act(Server(AlreadyExists(409, "AlreadyExists", "there"), there=there), creation())
    assert obstacle
    assert (obstacle.reason, obstacle.again) == (Reason.NAME_CONFLICT, None)


def test_nothing_decided_is_nothing_done() -> None:
    server = Server()
    assert act(server, Decision(holds_place=True, again=after(9))) is None
    assert server.calls == []


def test_a_status_is_written_against_the_version_it_was_decided_for() -> None:
    server = Server()
    act(server, look(job(), running()))
    (verb, path, body) = server.calls[0]
    assert (verb, path.rpartition("/")[2]) == ("patch", "status")
    assert body["metadata"]["resourceVersion"] == "7"


def test_a_status_that_is_there_already_is_not_written() -> None:
    server = Server()
    act(server, Decision(status=job().status))
    assert server.calls == []


def test_stopping_lowers_the_deadline_and_says_why_in_the_same_patch() -> None:
    server = Server()
    act(server, Decision(stops=(Stop(running(), Reason.TIMED_OUT),)))
    [(verb, path, body)] = server.calls
    assert (verb, path) == ("patch", "/api/v1/namespaces/team/pods/tests-1")
    assert body["spec"] == {"activeDeadlineSeconds": 1}
    mark = body["metadata"]["annotations"]["cijob.dev/stop-reason"]
    assert mark == "TimedOut 2026-01-01T12:00:00Z"
    assert body["metadata"]["uid"] == "pod-uid-1"


@pytest.mark.parametrize("error", [Gone(404, "NotFound", ""), Conflict(409, "Conflict", "")])
def test_what_is_gone_already_need_not_go(error: ApiError) -> None:
    decision = Decision(
        stops=(Stop(running(), Reason.CANCELLED),), delete_pods=(running(),), delete_job=True
    )
    assert act(Server(error), decision) is None


@pytest.mark.parametrize(
    "decision",
    [
        creation(),
        look(job(), running()),
        Decision(stops=(Stop(running(), Reason.CANCELLED),)),
        Decision(delete_pods=(running(),)),
        Decision(delete_job=True),
    ],
    ids=["create", "status", "stop", "delete Pod", "delete job"],
)
def test_who_leads_no_more_writes_nothing(decision: Decision) -> None:
    server = Server()
    with pytest.raises(LeaseLost):
        act(server, decision, leads=False)
    assert server.calls == []


def test_a_second_attempt_asks_once_more_before_it_starts() -> None:
    again = look(job(), admitted=True).create
    assert again
    again["metadata"]["labels"]["cijob.dev/attempt"] = "2"
    changed = {"metadata": {"name": "tests", "namespace": "team", "uid": "job-uid",
                            "resourceVersion": "8"}, "spec": {"image": "i"}}  # fmt: skip
    server = Server(there=changed)
    with pytest.raises(Conflict):
        act(server, Decision(create=again))
    assert [verb for verb, _, _ in server.calls] == ["get"]
    unchanged = {**changed, "metadata": {**changed["metadata"], "resourceVersion": "7"}}
    assert act(Server(there=unchanged), Decision(create=again)) is None


# -- malformed jobs ---------------------------------------------------------------------------


def mark(server: Server) -> None:
    actor = Actor(cast("Api", server), Cache(), cast("Leadership", Leads()))
    asyncio.run(actor.mark_malformed(("team", "tests"), "spec.image: too short", NOON))


def test_a_malformed_job_is_told_so() -> None:
    server = Server()
    mark(server)
    written = server.calls[0][2]["status"]
    assert written["phase"] == "Error"
    assert written["reason"] == "Malformed"
    assert written["message"] == "spec.image: too short"


def test_one_that_cannot_even_be_told_disturbs_nobody() -> None:
    mark(Server(Invalid(422, "Invalid", "no")))


def test_a_pod_is_deleted_once_however_late_the_watch_is() -> None:
    manifest = creation().create
    assert manifest
    manifest["metadata"] |= {"uid": "u", "creationTimestamp": "2026-01-01T11:59:00Z"}
    cache = Cache()
    cache.put_pod(manifest)
    goes = {**manifest["metadata"], "deletionTimestamp": "2026-01-01T12:00:30Z"}
    server = Server(there={**manifest, "metadata": goes})
    finished = job(status={"phase": "Error", "reason": "Unschedulable"})
    actor = Actor(cast("Api", server), cache, cast("Leadership", Leads()))
    for _ in range(3):
        pods = cache.pods_of(("team", "tests"), "job-uid")
        seen = Observation(finished, pods=pods)
        asyncio.run(actor.act(seen, look(finished, *pods), NOON))
    assert [verb for verb, _, _ in server.calls] == ["delete"]


def test_a_pod_that_is_gone_is_not_deleted_again() -> None:
    manifest = creation().create
    assert manifest
    manifest["metadata"] |= {"uid": "u", "creationTimestamp": "2026-01-01T11:59:00Z"}
    cache = Cache()
    cache.put_job({"metadata": {"name": "tests", "namespace": "team", "uid": "job-uid"}})
    cache.put_pod(manifest)
    server = Server(Gone(404, "NotFound", "not there"))
    finished = job(status={"phase": "Error", "reason": "Unschedulable"})
    actor = Actor(cast("Api", server), cache, cast("Leadership", Leads()))
    for _ in range(3):
        pods = cache.pods_of(("team", "tests"), "job-uid")
        seen = Observation(finished, pods=pods)
        asyncio.run(actor.act(seen, look(finished, *pods), NOON))
    assert [verb for verb, _, _ in server.calls] == ["delete", "get"]


@pytest.mark.parametrize("decision", [
    Decision(stops=(Stop(running(), Reason.CANCELLED),)), Decision(delete_pods=(running(),)),
], ids=["stop", "delete"])  # fmt: skip
def test_a_pod_that_is_there_whatever_was_answered_is_asked_again_later(decision: Decision) -> None:
    there = {"metadata": {"name": "tests-1", "namespace": "team", "uid": running().uid}}
    with pytest.raises(Conflict):
        act(Server(Conflict(409, "Conflict", "busy"), there=there), decision)
