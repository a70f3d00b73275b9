"""Notifications on the real cluster: a real operator, a real archiver, and a sink beside them.

The sink listens on this machine's loopback, which the archiver under test is allowed to reach.
"""

import base64
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cijob_gateway.notifications.cursors import cursor_name
from kit import gates, notifications
from kit.archiver import Archiver, Bucket, running
from kit.gateway import Minio
from kit.operator import Operator
from kit.sink import Sink

pytestmark = pytest.mark.seam
KEY = b"a long secret of both sides"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SETTINGS = {"CIJOB_NOTIFY_ALLOW": "127.0.0.1/32"}
CHAT = {"notify": [{"name": "chat"}]}
QUEUED, RUNS = [("pending", "queued")], [("pending", "attempt 1 runs")]
ENDS_WELL = ["queued", "started", "succeeded"]


@pytest.fixture
def sink(operator: Operator) -> Iterator[Sink]:
    """A sink that the namespace knows as `chat`, and by other names as other things."""
    found = Sink().start()
    webhook = f"kind: webhook\nurl: {found.url}\n"
    sinks = {
        "chat": webhook,
        "failures": webhook + "events: [failed]\n",
        "commit": f"kind: github-status\nurl: {found.url}\nrepository: team/app\n",
        "inside": "kind: webhook\nurl: https://10.96.0.1/\n",
        "broken": "kind: webhook\n",
    }
    keys = {"chat": KEY.decode(), "commit": "ghp_token"}
    notifications.configure(operator.cluster, operator.namespace, sinks, keys)
    yield found
    found.stop()


@pytest.fixture
def archiver(operator: Operator, minio: Minio, sink: Sink, tmp_path: Path) -> Iterator[Archiver]:
    made = Archiver(operator.cluster, operator.namespace, tmp_path, minio, SETTINGS)
    with running(made):
        yield made


def kinds(sink: Sink, job: str) -> list[str]:
    """What was accepted of a job: the ends of the events' types, in order."""
    told = [request.json for request in sink.accepted]
    return [each["type"].rpartition(".")[2] for each in told if each["subject"] == job]


def until_told(operator: Operator, sink: Sink, job: str, wanted: list[str]) -> None:
    operator.cluster.until(f"{wanted} of {job}", lambda: kinds(sink, job)[-1:] == wanted[-1:])
    assert kinds(sink, job) == wanted


def events(operator: Operator, job: str) -> dict[str, dict[str, Any]]:
    """The Events of a job, by reason."""
    return notifications.events(operator.cluster, operator.namespace, job)


def settled(operator: Operator, minio: Minio, job: str) -> set[str]:
    """What the archiver remembers of a job as accepted by `chat`."""
    metadata = operator.cluster.get("cij", "-n", operator.namespace, job)["metadata"]
    bucket, name = (
        Bucket(minio, operator.namespace),
        cursor_name(operator.namespace, metadata["uid"]),
    )
    found = json.loads(bucket.read(name)) if bucket.names(name) else {}
    assert set(found.get("chat", {}).values()) <= {"accepted"}
    return set(found.get("chat", {}))


def test_a_job_is_told_of_once_in_order_and_signed(
    operator: Operator, archiver: Archiver, sink: Sink, minio: Minio
) -> None:
    job = operator.submit("told", script="sleep 3", **CHAT)
    until_told(operator, sink, job, ENDS_WELL)
    uid = operator.cluster.get("cij", "-n", operator.namespace, job)["metadata"]["uid"]
    assert sink.ids == [f"{uid}.{place}" for place in ("queued", "started.1", "finished")]
    for request in sink.accepted:
        assert request.headers["content-type"].startswith("application/cloudevents+json")
        assert request.headers["webhook-id"] == request.json["id"]
        assert request.json["specversion"] == "1.0"
        assert request.is_signed(KEY)
        assert not request.is_signed(b"another key")
    told = {"queued", "started.1", "finished"}
    operator.cluster.until("the cursor", lambda: settled(operator, minio, job) == told)
    archiver.archived(job)
    assert len(sink.requests) == 3  # nothing was tried twice


def test_a_failure_brings_the_last_hundred_lines(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    script = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; done; exit 7"
    job = operator.submit("fails", script=script, notify=[{"name": "failures"}])
    until_told(operator, sink, job, ["failed"])
    (request,) = sink.accepted
    data = request.json["data"]
    assert (data["job_id"], data["exit_code"], data["reason"]) == (job, 7, "CommandFailed")
    assert data["details"] == [f"line {n}" for n in range(201, 301)]
    assert "webhook-signature" not in request.headers  # no key, no signature


def test_a_template_may_name_the_sink_and_each_attempt_is_told(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    spec = {"image": "cijob/python:dev", "script": "sleep 3; exit 1", **CHAT}
    again = {"limit": 1, "backoffSeconds": 1}
    template = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJobTemplate",
        "metadata": {"name": "telling"},
        "spec": {**spec, "retry": again},
    }
    operator.cluster.apply(operator.namespace, template)
    job = operator.submit("again", templateRef={"name": "telling"})
    until_told(operator, sink, job, ["queued", "started", "retrying", "started", "failed"])
    assert len(set(sink.ids)) == 5


def test_a_sink_that_is_down_delays_no_job_and_gets_all_of_it_later(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    sink.stop()
    job = operator.submit("undelayed", script="sleep 2", **CHAT)
    assert operator.finished(job)["reason"] == "Completed"
    assert archiver.archived(job)["logs"]["complete"]
    again = 'cijob_archiver_notifications_total{outcome="again"}'
    operator.cluster.until("two tries", lambda: archiver.metric(again) >= 2)
    assert sink.requests == []
    sink.start()
    until_told(operator, sink, job, ENDS_WELL)
    assert "NotificationGivenUp" not in events(operator, job)


def test_an_archiver_that_is_killed_loses_nothing_and_repeats_nothing(
    operator: Operator, archiver: Archiver, sink: Sink, minio: Minio
) -> None:
    job = operator.submit("survives", script=gates.WAITS, **CHAT)
    told = {"queued", "started.1"}
    operator.cluster.until("two events", lambda: settled(operator, minio, job) == told)
    archiver.stop(signal.SIGKILL)
    operator.send_on(job)
    assert operator.finished(job)["reason"] == "Completed"
    archiver.start()
    until_told(operator, sink, job, ENDS_WELL)
    assert archiver.stop() == 0
    archiver.start()
    archiver.archived(job)
    other = operator.submit("other", script="true", **CHAT)
    operator.cluster.until("the other job", lambda: kinds(sink, other)[-1:] == ["succeeded"])
    assert kinds(sink, job) == ENDS_WELL  # not told again by the third archiver


def test_an_archiver_that_is_down_all_the_time_tells_it_afterwards(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    archiver.stop(signal.SIGKILL)
    job = operator.submit("missed", script="exit 3", **CHAT)
    operator.finished(job)
    archiver.start()
    until_told(operator, sink, job, ["queued", "started", "failed"])


def test_what_the_sink_says_no_to_for_now_is_tried_again_by_the_same_id(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    sink.statuses = [503, 204, 500, 429]
    job = operator.submit("tried", script="true", **CHAT)
    operator.cluster.until("its end", lambda: kinds(sink, job)[-1:] == ["succeeded"])
    tried = [(r.status, r.json["type"].rpartition(".")[2]) for r in sink.requests]
    assert tried[:2] == [(503, "queued"), (204, "queued")]
    assert tried[2:5] == [(500, "started"), (429, "started"), (204, "started")]
    assert tried[5:] == [(204, "succeeded")]
    assert len(set(sink.ids)) == len(sink.ids)


def test_an_address_inside_is_refused_and_the_owner_is_told(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    job = operator.submit("inside", script="true", notify=[{"name": "inside"}])
    assert operator.finished(job)["reason"] == "Completed"
    operator.cluster.until("an Event", lambda: "NotificationFailed" in events(operator, job))
    told = events(operator, job)["NotificationFailed"]
    assert told["message"] == (
        "sink 'inside' was not told: the address 10.96.0.1 of 10.96.0.1 is not public (private); "
        "the chart's notifications.allow can name it"
    )
    assert told["source"]["component"] == "cijob-archiver"


def test_a_redirect_is_not_followed(operator: Operator, archiver: Archiver, sink: Sink) -> None:
    target = Sink().start()
    sink.statuses, sink.location = [307], target.url
    job = operator.submit("led-astray", script="true", **CHAT)
    until_told(operator, sink, job, ENDS_WELL)  # the second try is taken
    assert sink.requests[0].status == 307
    assert target.requests == []
    target.stop()
    operator.cluster.until("an Event", lambda: "NotificationFailed" in events(operator, job))
    assert "redirects are not followed" in events(operator, job)["NotificationFailed"]["message"]


def test_a_wrong_sink_is_told_on_the_job_which_runs_nevertheless(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    sinks = [{"name": "nobody"}, {"name": "broken"}, {"name": "chat"}]
    job = operator.submit("slip", script="true", notify=sinks)
    assert operator.finished(job)["reason"] == "Completed"
    until_told(operator, sink, job, ENDS_WELL)
    operator.cluster.until(
        "both Events", lambda: {"SinkUnknown", "SinkInvalid"} <= events(operator, job).keys()
    )
    described = operator.cluster.kubectl("describe", "cij", "-n", operator.namespace, job).stdout
    assert "there is no sink 'nobody' in ConfigMap cijob-notifications" in described
    assert "sink 'broken' of ConfigMap cijob-notifications: url: Field required" in described
    # Made right, it is told what it missed.
    config = json.dumps({"data": {"broken": f"kind: webhook\nurl: {sink.url}"}})
    words = ("patch", "configmap", "-n", operator.namespace, "cijob-notifications", "-p", config)
    operator.cluster.kubectl(*words)
    operator.cluster.until("six events", lambda: len(kinds(sink, job)) == 6, seconds=120)
    assert kinds(sink, job) == ENDS_WELL * 2


def statuses(sink: Sink) -> list[tuple[str, str]]:
    """The commit statuses that were accepted: state and description, in order."""
    return [(each.json["state"], each.json["description"]) for each in sink.accepted]


def test_a_commit_gets_a_status_for_each_step(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    source = {"git": {"url": "https://git.invalid/team/app.git", "commit": COMMIT}}
    spec = {"command": ["true"], "source": source, "retry": {"infrastructureLimit": 0}}
    job = operator.submit("commit", **spec, startTimeoutSeconds=10, notify=[{"name": "commit"}])
    # Nobody can clone that: SourceUnreachable, or Unschedulable on a node that is full just now.
    end = ("error", operator.finished(job, seconds=90)["reason"])
    operator.cluster.until("the end", lambda: end in statuses(sink))
    *before, last = statuses(sink)
    assert last == end
    # That it is queued may be overtaken before it is told.
    assert before in ([*QUEUED, *RUNS], RUNS, QUEUED)
    assert {r.path for r in sink.accepted} == {f"/hook/repos/team/app/statuses/{COMMIT}"}
    assert {r.headers["authorization"] for r in sink.accepted} == {"Bearer ghp_token"}
    assert {r.json["context"] for r in sink.accepted} == {"cijob"}


def test_the_commit_may_be_known_only_while_the_job_runs(
    operator: Operator, archiver: Archiver, sink: Sink
) -> None:
    # As if its ref had been resolved: what wrote that is another test's business.
    job = operator.submit("resolved", script=gates.WAITS, notify=[{"name": "commit"}])
    operator.until_reason(job, "Running")
    assert sink.requests == []
    results = json.dumps({"status": {"results": {"source": {"commit": COMMIT}}}})
    words = ("patch", "cij", "-n", operator.namespace, job, "--subresource=status")
    operator.cluster.kubectl(*words, "--type=merge", "-p", results)
    operator.send_on(job)
    operator.finished(job)
    operator.cluster.until("the end", lambda: len(sink.accepted) == 2)
    assert [state for state, _ in statuses(sink)] == ["pending", "success"]


def test_no_key_is_shown_anywhere(operator: Operator, archiver: Archiver, sink: Sink) -> None:
    job = operator.submit("discreet", script="true", **CHAT)
    until_told(operator, sink, job, ENDS_WELL)
    told = operator.cluster.kubectl("get", "events,cij", "-n", operator.namespace, "-oyaml").stdout
    for secret in (KEY, b"ghp_token"):
        for text in (archiver.log.read_text(), told):
            assert secret.decode() not in text
            assert base64.b64encode(secret).decode() not in text
