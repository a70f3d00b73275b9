"""The gateway as a real process: against the real API server, with a real S3 beside it."""

import hashlib
import io
import json
import os
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import JOB_IMAGE, Cluster, fresh_namespace
from kit.gateway import Answer, Gateway, Minio, service_account
from kit.operator import SMALL, Operator

pytestmark = pytest.mark.seam
VERBS = ("create", "get", "list", "patch", "delete")
SAYS = {"image": JOB_IMAGE, "command": ["echo", "hello"], "resources": SMALL}
LASTS = {**SAYS, "command": None, "script": "trap 'exit 3' TERM; echo begun; sleep 300 & wait"}


def spec(**fields: Any) -> dict[str, Any]:
    """The spec of a small job."""
    return {key: value for key, value in {**SAYS, **fields}.items() if value is not None}


def archive(content: bytes = b"print('hello')\n") -> bytes:
    """A zip with one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr(zipfile.ZipInfo("main.py"), content)
    return made.getvalue()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def gateway(operator: Operator, minio: Minio) -> Iterator[Gateway]:
    """A gateway beside an operator, in the same namespace, and a token with all rights there."""
    made = Gateway(operator.cluster, operator.namespace, operator.folder, minio)
    made.settings["CIJOB_MAX_SOURCE_BYTES"] = str(2 << 20)
    made.start()
    made.token = service_account(operator.cluster, operator.namespace, "user", *VERBS)
    yield made
    assert made.stop() == 0, made.log.read_text()[-3000:]


def submitted(gateway: Gateway, **fields: Any) -> str:
    """Submit a job; its name."""
    answer = gateway.ask("POST", gateway.jobs(), {"spec": spec(**fields)})
    assert answer.status == 201, answer.body
    name: str = answer.json["metadata"]["name"]
    return name


def upload(gateway: Gateway, content: bytes, name: str = "", *, token: str | None = None) -> Answer:
    path = f"/v1/namespaces/{gateway.namespace}/sources/{name or digest(content)}"
    return gateway.ask("PUT", path, content, token=token)


# -- who may what ------------------------------------------------------------------------------


def test_without_a_token_nothing_but_the_version_is_told(gateway: Gateway) -> None:
    for path in (gateway.jobs(), gateway.jobs("/x"), "/v1/whoami"):
        answer = gateway.ask("GET", path, token="")
        assert (answer.status, answer.slug) == (401, "unauthenticated")
    assert gateway.ask("GET", "/v1/version", token="").json["auth"] == "kubernetes"


def test_a_made_up_token_is_refused(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/v1/whoami", token="made.up.token").slug == "unauthenticated"


def test_whoami_is_the_tokens_user(gateway: Gateway) -> None:
    user = gateway.ask("GET", "/v1/whoami").json["user"]
    assert user == f"system:serviceaccount:{gateway.namespace}:user"


def test_a_right_that_is_missing_is_named(cluster: Cluster, gateway: Gateway) -> None:
    token = service_account(cluster, gateway.namespace, "reader", "get", "list")
    answer = gateway.ask("POST", gateway.jobs(), {"spec": spec()}, token=token)
    assert (answer.status, answer.slug) == (403, "forbidden")
    assert "may not create cijob.dev cijobs" in answer.json["detail"]
    assert upload(gateway, archive(), token=token).slug == "forbidden"


def test_another_tenants_job_is_not_there(cluster: Cluster, gateway: Gateway) -> None:
    name = submitted(gateway)
    token = service_account(cluster, gateway.namespace, "stranger")
    there = gateway.ask("GET", gateway.jobs(f"/{name}"), token=token)
    nowhere = gateway.ask("GET", gateway.jobs("/nowhere"), token=token)
    assert (there.status, there.slug) == (nowhere.status, nowhere.slug) == (404, "not-found")
    for path in (f"/{name}/logs", f"/{name}/cancel", f"/{name}/retry"):
        method = "GET" if path.endswith("logs") else "POST"
        assert gateway.ask(method, gateway.jobs(path), token=token).status == 404


def test_users_tokens_open_nothing_internal(gateway: Gateway) -> None:
    path = f"/internal/v1/namespaces/{gateway.namespace}/jobs/any/source"
    assert gateway.ask("GET", path, internal=True).slug == "unauthenticated"
    assert gateway.ask("GET", path).status == 404


def test_an_agents_token_opens_nothing_else(cluster: Cluster, gateway: Gateway) -> None:
    words = ("create", "token", "user", "-n", gateway.namespace, "--audience=cijob-agent")
    token = cluster.kubectl(*words).stdout.strip()
    assert gateway.ask("GET", gateway.jobs(), token=token).slug == "unauthenticated"
    path = f"/internal/v1/namespaces/{gateway.namespace}/jobs/{submitted(gateway)}/source"
    # An agent's audience, but no Pod of the job.
    assert gateway.ask("GET", path, token=token, internal=True).slug == "forbidden"


@pytest.mark.parametrize("path", ["/v1/namespaces/a%2F..%2Fb/jobs", "/v1/namespaces/A/jobs"])
def test_no_path_of_the_api_server_can_be_forged(gateway: Gateway, path: str) -> None:
    assert gateway.ask("GET", path).status in {400, 404}


# -- sources -----------------------------------------------------------------------------------


def test_a_source_is_uploaded_once(gateway: Gateway) -> None:
    content = archive(os.urandom(1000))
    path = f"/v1/namespaces/{gateway.namespace}/sources/{digest(content)}"
    assert gateway.ask("HEAD", path).status == 404
    assert upload(gateway, content).status == 201
    assert gateway.ask("HEAD", path).status == 200
    again = upload(gateway, content)
    assert (again.status, again.json) == (
        200,
        {"sha256": digest(content), "sizeBytes": len(content)},
    )


def test_a_source_over_the_limit_is_refused_before_anything_is_stored(gateway: Gateway) -> None:
    before = gateway.minio.objects(gateway.namespace)
    answer = upload(gateway, os.urandom((2 << 20) + 1))
    assert (answer.status, answer.slug) == (413, "source-too-large")
    assert answer.json["limitBytes"] == 2 << 20
    assert ".ciignore" in answer.json["detail"]
    assert gateway.minio.objects(gateway.namespace) == before


def test_a_body_of_unknown_size_is_held_to_the_limit_too(gateway: Gateway) -> None:
    before = gateway.minio.objects(gateway.namespace)
    for size, status in ((1 << 20, 201), ((2 << 20) + 1, 413)):
        content = os.urandom(size)
        assert chunked(gateway, content, digest(content)) == status
    assert len(gateway.minio.objects(gateway.namespace)) == len(before) + 1


def chunked(gateway: Gateway, content: bytes, name: str) -> int:
    """PUT a source without saying its size; the status."""
    url = f"http://127.0.0.1:{gateway.port}/v1/namespaces/{gateway.namespace}/sources/{name}"
    head = ["-H", f"Authorization: Bearer {gateway.token}", "-H", "Transfer-Encoding: chunked"]
    done = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", "-", *head, url],
        input=content,
        capture_output=True,
        check=True,
        timeout=180,
    )
    return int(done.stdout)


def test_other_bytes_than_named_are_refused_and_not_stored(gateway: Gateway) -> None:
    before = gateway.minio.objects(gateway.namespace)
    content = archive(os.urandom(100))
    answer = upload(gateway, content, name=digest(b"other"))
    assert (answer.status, answer.slug) == (422, "digest-mismatch")
    assert digest(content) in answer.json["detail"]
    assert gateway.minio.objects(gateway.namespace) == before


def test_an_upload_that_is_cut_leaves_nothing(gateway: Gateway) -> None:
    before = gateway.minio.objects(gateway.namespace)
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        head = (
            f"PUT /v1/namespaces/{gateway.namespace}/sources/{'0' * 64} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {gateway.token}\r\nContent-Length: 1000000\r\n\r\n"
        )
        client.sendall(head.encode() + b"x" * 500_000)
    assert upload(gateway, archive(os.urandom(10))).status == 201  # served after it
    assert len(gateway.minio.objects(gateway.namespace)) == len(before) + 1


def test_an_upload_that_is_cut_is_counted_as_its_clients_doing(gateway: Gateway) -> None:
    def counted(status: str) -> float:
        text = gateway.ask("GET", "/metrics", internal=True).body.decode()
        uploads = 'cijob_gateway_requests_total{method="PUT"'
        lines = [line for line in text.splitlines() if line.startswith(uploads)]
        return sum(float(line.split()[-1]) for line in lines if f'status="{status}"' in line)

    before = counted("400")
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        head = (
            f"PUT /v1/namespaces/{gateway.namespace}/sources/{'0' * 64} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {gateway.token}\r\nContent-Length: 1000000\r\n\r\n"
        )
        client.sendall(head.encode() + b"x" * 500_000)
    gateway.cluster.until("its count", lambda: counted("400") == before + 1)
    assert counted("500") == 0
    log = gateway.log.read_text()
    assert "the client went away before all of its body was there" in log
    assert "a request failed" not in log


def test_a_job_with_a_source_that_is_not_there_is_told_to_upload_it(gateway: Gateway) -> None:
    content = archive(os.urandom(10))
    source = {"archive": {"sha256": digest(content), "sizeBytes": len(content)}}
    answer = gateway.ask("POST", gateway.jobs(), {"spec": spec(source=source)})
    assert (answer.status, answer.slug) == (409, "source-missing")
    assert upload(gateway, content).status == 201
    assert gateway.ask("POST", gateway.jobs(), {"spec": spec(source=source)}).status == 201


def test_a_known_digest_opens_no_other_namespaces_source(
    cluster: Cluster, gateway: Gateway
) -> None:
    content = archive(os.urandom(10))
    assert upload(gateway, content).status == 201
    with fresh_namespace(cluster) as other:
        token = service_account(cluster, other, "user", *VERBS)
        path = f"/v1/namespaces/{other}/sources/{digest(content)}"
        assert gateway.ask("HEAD", path, token=token).status == 404


# -- jobs --------------------------------------------------------------------------------------


def test_a_submitted_job_says_who_and_runs(operator: Operator, gateway: Gateway) -> None:
    name = submitted(gateway)
    job = gateway.ask("GET", gateway.jobs(f"/{name}")).json
    user = f"system:serviceaccount:{gateway.namespace}:user"
    assert job["metadata"]["annotations"]["cijob.dev/submitter"] == user
    assert name.startswith("run-")
    assert operator.finished(name)["reason"] == "Completed"
    until_it_knows(gateway, name)
    log = gateway.ask("GET", gateway.jobs(f"/{name}/logs"))
    assert log.body == b"hello\n"


def test_the_same_key_gives_the_same_job(gateway: Gateway) -> None:
    body = {"spec": spec(priority=3)}
    for key in ("01jd0000000000000000000000", "any text of a caller's own"):
        first = gateway.ask("POST", gateway.jobs(), body, headers={"Idempotency-Key": key})
        again = gateway.ask("POST", gateway.jobs(), body, headers={"Idempotency-Key": key})
        assert (first.status, again.status) == (201, 200)
        assert first.json["metadata"]["uid"] == again.json["metadata"]["uid"]
        other = gateway.ask(
            "POST", gateway.jobs(), {"spec": spec()}, headers={"Idempotency-Key": key}
        )
        assert (other.status, other.slug) == (422, "idempotency-mismatch")


def test_a_taken_name_is_said(gateway: Gateway) -> None:
    body = {"name": "mine", "spec": spec()}
    assert gateway.ask("POST", gateway.jobs(), body).status == 201
    answer = gateway.ask("POST", gateway.jobs(), body)
    assert (answer.status, answer.slug) == (409, "name-taken")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"spec": spec(imagge="x")}, 422, "imagge"),
        ({"spec": spec(timeoutSeconds=-1)}, 422, "timeoutSeconds"),
        ({"spec": spec(timeoutSeconds="soon")}, 422, "timeoutSeconds"),
        ({"name": "Not A Name", "spec": spec()}, 422, "Not A Name"),
        ({"name": "x" * 60, "spec": spec()}, 422, "52"),
        ({"spec": spec(script="echo")}, 422, "command or script"),
        ({"spec": spec(templateRef={"name": "tset"})}, 422, "there is no template 'tset'"),
        ({"spec": spec(), "secret": {}}, 400, "secret"),
        ({"spec": "text"}, 400, "spec"),
        ({}, 400, "spec"),
        ({"spec": spec(), "secrets": {"no name": "x"}}, 400, "secrets"),
    ],
)
def test_bad_input_is_refused_in_words(
    gateway: Gateway, body: dict[str, Any], status: int, words: str
) -> None:
    answer = gateway.ask("POST", gateway.jobs(), body)
    assert answer.status == status, answer.body
    assert words in answer.json["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_dry_run_is_checked_and_stores_nothing(gateway: Gateway) -> None:
    before = {j["metadata"]["name"] for j in gateway.ask("GET", gateway.jobs()).json["items"]}
    good = gateway.ask("POST", gateway.jobs("?dryRun=true"), {"name": "dry", "spec": spec()})
    bad = gateway.ask("POST", gateway.jobs("?dryRun=true"), {"spec": spec(priority=5000)})
    assert (good.status, good.json["spec"]["desiredState"], bad.status) == (200, "Run", 422)
    after = {j["metadata"]["name"] for j in gateway.ask("GET", gateway.jobs()).json["items"]}
    assert after == before


def test_a_template_that_is_being_replaced_is_waited_for(gateway: Gateway) -> None:
    template = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJobTemplate",
        "metadata": {"name": "replaced"},
        "spec": {"image": JOB_IMAGE},
    }
    named = {"spec": {**spec(), "templateRef": {"name": "replaced"}}}

    def ask() -> int:
        return gateway.ask("POST", gateway.jobs("?dryRun=true"), named).status

    def known() -> bool:
        listed = gateway.ask("GET", f"/v1/namespaces/{gateway.namespace}/templates").json
        return "replaced" in [one["name"] for one in listed["items"]]

    gateway.cluster.apply(gateway.namespace, template)
    gateway.cluster.until("the template", known)
    words = ("delete", "cijobtemplate", "replaced", "-n", gateway.namespace)
    gateway.cluster.kubectl(*words)
    gateway.cluster.until("its end", lambda: not known())
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask)
        gateway.cluster.apply(gateway.namespace, template)
        assert asked.result() == 200
    gateway.cluster.kubectl(*words)


def test_jobs_are_listed_newest_first_in_pages_and_by_filter(gateway: Gateway) -> None:
    names = [submitted(gateway, priority=7) for _ in range(3)]
    listed, token = [], ""
    while True:
        page = gateway.ask("GET", gateway.jobs(f"?limit=2&continue={token}")).json
        listed += [job["metadata"]["name"] for job in page["items"]]
        token = page["continue"]
        if not token:
            break
    assert len(listed) == len(set(listed))
    assert set(names) <= set(listed[:6])
    matched = gateway.ask("GET", gateway.jobs(f"?match={names[0][-8:]}")).json["items"]
    assert [job["metadata"]["name"] for job in matched] == [names[0]]
    assert gateway.ask("GET", gateway.jobs("?template=none")).json["items"] == []
    assert gateway.ask("GET", gateway.jobs("?phase=Nonsense")).status == 400
    assert gateway.ask("GET", gateway.jobs("?continue=nonsense")).status == 400


def test_cancelling_twice_is_no_error_and_an_ended_job_says_so(
    operator: Operator, gateway: Gateway
) -> None:
    name = submitted(gateway, **LASTS)
    operator.until_reason(name, "Running")
    for _ in range(2):
        assert gateway.ask("POST", gateway.jobs(f"/{name}/cancel")).status == 200
    assert operator.finished(name)["phase"] == "Cancelled"
    assert gateway.ask("POST", gateway.jobs(f"/{name}/cancel")).status == 200
    done = submitted(gateway)
    operator.finished(done)
    gateway.cluster.until("the news", lambda: phase(gateway, done) == "Succeeded")
    assert gateway.ask("POST", gateway.jobs(f"/{done}/cancel")).slug == "job-finished"


def phase(gateway: Gateway, name: str) -> str:
    job = gateway.ask("GET", gateway.jobs(f"/{name}")).json
    return str((job.get("status") or {}).get("phase", "gone"))


def until_it_knows(gateway: Gateway, name: str) -> None:
    """Wait until the gateway, too, has heard that a job has succeeded."""
    gateway.cluster.until(f"the news of {name}", lambda: phase(gateway, name) == "Succeeded")


def test_a_retry_is_a_new_job_of_the_same_source(operator: Operator, gateway: Gateway) -> None:
    name = submitted(gateway)
    operator.finished(name)
    uploads = gateway.metric("cijob_gateway_uploads_total")
    answer = gateway.ask("POST", gateway.jobs(f"/{name}/retry"))
    assert answer.status == 201
    again = answer.json
    assert again["metadata"]["annotations"]["cijob.dev/retry-of"] == name
    assert again["spec"] == gateway.ask("GET", gateway.jobs(f"/{name}")).json["spec"]
    assert operator.finished(again["metadata"]["name"])["reason"] == "Completed"
    assert gateway.metric("cijob_gateway_uploads_total") == uploads


def test_deleting_a_running_job_ends_it_first(operator: Operator, gateway: Gateway) -> None:
    name = submitted(gateway, **LASTS)
    operator.until_reason(name, "Running")
    assert gateway.ask("DELETE", gateway.jobs(f"/{name}")).status == 204
    assert gateway.ask("GET", gateway.jobs(f"/{name}")).status == 404
    gateway.cluster.until("the end of its Pod", lambda: not operator.pods(name))


# -- secrets -----------------------------------------------------------------------------------


def test_a_secret_reaches_the_job_and_nothing_else(operator: Operator, gateway: Gateway) -> None:
    value = "s3cr3t-" + os.urandom(8).hex()
    body = {
        "spec": spec(command=["sh", "-c", 'echo "${#TOKEN} letters"']),
        "secrets": {"TOKEN": value},
    }
    answer = gateway.ask("POST", gateway.jobs(), body)
    assert answer.status == 201, answer.body
    name = answer.json["metadata"]["name"]
    assert operator.finished(name)["reason"] == "Completed"
    until_it_knows(gateway, name)
    log = gateway.ask("GET", gateway.jobs(f"/{name}/logs"))
    assert log.body == f"{len(value)} letters\n".encode()
    everything = operator.cluster.kubectl(
        "get", "cij,pods,events", "-n", gateway.namespace, "-oyaml"
    )
    for text in (everything.stdout, gateway.log.read_text(), operator.log.read_text()):
        assert value not in text
    owners = operator.cluster.get("secret", "-n", gateway.namespace, f"cijob-{name}")["metadata"]
    assert owners["ownerReferences"][0]["uid"] == answer.json["metadata"]["uid"]
    retried = gateway.ask("POST", gateway.jobs(f"/{name}/retry"))
    assert (retried.status, retried.json["missing"]) == (400, ["TOKEN"])
    given = gateway.ask("POST", gateway.jobs(f"/{name}/retry"), {"secrets": {"TOKEN": "1234"}})
    second = given.json["metadata"]["name"]
    assert operator.finished(second)["reason"] == "Completed"
    until_it_knows(gateway, second)
    assert gateway.ask("GET", gateway.jobs(f"/{second}/logs")).body == b"4 letters\n"


# -- following ---------------------------------------------------------------------------------


def events(answer: bytes) -> list[tuple[str, Any, str]]:
    """Kind, data and id of every event of a stream."""
    found = []
    for block in answer.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"]), fields.get("id", "")))
    return found


STREAM = {"Accept": "text/event-stream"}


def test_one_request_submits_and_watches(gateway: Gateway) -> None:
    answer = gateway.ask("POST", gateway.jobs("?follow=true"), {"spec": spec()}, headers=STREAM)
    seen = events(answer.body)
    assert seen[0][0] == "job"
    assert [data["lines"] for kind, data, _ in seen if kind == "log"] == [["hello\n"]]
    kind, end, _ = seen[-1]
    assert kind == "end"
    assert (end["phase"], end["exitCode"], end["lines"], end["bytes"]) == ("Succeeded", 0, 1, 6)
    assert end["sha256"] == digest(b"hello\n")
    assert end["complete"] is True


def test_a_zip_can_be_submitted_and_watched_with_one_curl(gateway: Gateway) -> None:
    url = f"http://127.0.0.1:{gateway.port}{gateway.jobs('?follow=true&')}"
    query = f"image={JOB_IMAGE}&script=true&cpu=100m&memory=64Mi&name=by-curl&dryRun=true"
    head = ["-H", f"Authorization: Bearer {gateway.token}", "-H", "Content-Type: application/zip"]
    done = subprocess.run(
        ["curl", "-sN", "--data-binary", "@-", *head, url + query],
        input=archive(),
        capture_output=True,
        check=True,
        timeout=180,
    )
    job = json.loads(done.stdout)
    assert job["spec"]["source"]["archive"]["sha256"] == digest(archive())
    assert job["spec"]["resources"]["limits"] == {"cpu": "100m", "memory": "64Mi"}


def test_a_follow_resumes_behind_a_line(gateway: Gateway) -> None:
    script = "for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done"
    name = submitted(gateway, command=None, script=script)
    path = gateway.jobs(f"/{name}/logs?follow=true")
    whole = [e for e in events(gateway.ask("GET", path, headers=STREAM).body) if e[0] == "log"]
    lines = [line for _, data, _ in whole for line in data["lines"]]
    assert lines == [f"line {i}\n" for i in range(1, 6)]
    _, first, identity = whole[0]
    rest = events(gateway.ask("GET", path, headers={**STREAM, "Last-Event-ID": identity}).body)
    resumed = [line for kind, data, _ in rest if kind == "log" for line in data["lines"]]
    assert first["lines"] + resumed == lines
    assert rest[-1][1]["sha256"] is None
    assert gateway.ask("GET", path, headers={**STREAM, "Last-Event-ID": "nonsense"}).status == 400


def test_bytes_that_are_no_text_arrive_as_they_were(gateway: Gateway) -> None:
    script = r"printf 'a\377b\rc\n\000d'"
    name = submitted(gateway, command=None, script=script)
    answer = gateway.ask("GET", gateway.jobs(f"/{name}/logs?follow=true"), headers=STREAM)
    lines = [
        line for kind, data, _ in events(answer.body) if kind == "log" for line in data["lines"]
    ]
    assert "".join(lines).encode("utf-8", "surrogateescape") == b"a\xffb\rc\n\x00d"


def test_clients_that_leave_take_their_streams_along(operator: Operator, gateway: Gateway) -> None:
    name = submitted(gateway, **LASTS)
    operator.until_reason(name, "Running")
    clients = []
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", gateway.port))
        head = f"GET {gateway.jobs(f'/{name}/logs?follow=true')} HTTP/1.1\r\nHost: x\r\n"
        auth = f"Authorization: Bearer {gateway.token}\r\nAccept: text/event-stream\r\n\r\n"
        client.sendall((head + auth).encode())
        clients.append(client)
    open_streams = "cijob_gateway_streams"
    gateway.cluster.until("20 streams", lambda: gateway.metric(open_streams) == 20)
    for client in clients:
        client.close()
    gateway.cluster.until("no stream", lambda: gateway.metric(open_streams) == 0)
    gateway.ask("POST", gateway.jobs(f"/{name}/cancel"))
    operator.finished(name)


def test_a_jobs_events_are_the_same_however_often_they_are_read(gateway: Gateway) -> None:
    script = """echo plain; echo '{"type": "step", "n": 1}'; exit 3"""
    retry = {"limit": 1, "backoffSeconds": 0}
    name = submitted(gateway, command=None, script=script, retry=retry)
    path = gateway.jobs(f"/{name}/events")
    live = [data for _, data, _ in events(gateway.ask("GET", path, headers=STREAM).body)]
    kinds = [event["type"].removeprefix("dev.cijob.job.") for event in live]
    attempt = ["started", "log", "output"]
    assert kinds == ["queued", *attempt, "retrying", *attempt, "failed"]
    assert live[3]["data"] == {"type": "step", "n": 1}
    assert live[-1]["data"]["exit_code"] == 3
    assert live[-1]["data"]["details"] == ["plain", '{"type": "step", "n": 1}']
    again = gateway.ask("GET", path, headers=STREAM).body
    assert [data for _, data, _ in events(again)] == live
    for place, event in enumerate(live):
        resumed = gateway.ask("GET", path, headers={**STREAM, "Last-Event-ID": event["id"]}).body
        assert [data for _, data, _ in events(resumed)] == live[place + 1 :]
    assert gateway.ask("GET", path, headers={"Last-Event-ID": "other"}).status == 400


# -- pulling plugs -----------------------------------------------------------------------------


def test_s3_away_is_said_and_passes(gateway: Gateway) -> None:
    gateway.minio.kill()
    gateway.cluster.until("unreadiness", lambda: not gateway.is_ready())
    answer = upload(gateway, archive(os.urandom(10)))
    assert (answer.status, answer.slug) == (503, "unavailable")
    assert answer.headers["retry-after"] == "2"
    name = submitted(gateway)  # a job without a source needs no S3
    gateway.minio.start()
    gateway.cluster.until("readiness", gateway.is_ready)
    assert upload(gateway, archive(os.urandom(10))).status == 201
    assert gateway.ask("GET", gateway.jobs(f"/{name}")).status == 200


def test_a_gateway_that_ends_tells_its_streams_to_reconnect(
    operator: Operator, gateway: Gateway, tmp_path: Path
) -> None:
    second = Gateway(gateway.cluster, gateway.namespace, tmp_path, gateway.minio)
    second.token = gateway.token
    second.start()
    name = submitted(gateway, **LASTS)
    operator.until_reason(name, "Running")
    url = f"http://127.0.0.1:{second.port}{gateway.jobs(f'/{name}/logs?follow=true')}"
    head = ["-H", f"Authorization: Bearer {gateway.token}", "-H", "Accept: text/event-stream"]
    with subprocess.Popen(["curl", "-sN", *head, url], stdout=subprocess.PIPE) as client:
        gateway.cluster.until("the stream", lambda: second.metric("cijob_gateway_streams") == 1)
        assert second.stop() == 0
        output, _ = client.communicate(timeout=120)
    kind, _, _ = events(output)[-1]
    assert kind == "reconnect"
    gateway.ask("POST", gateway.jobs(f"/{name}/cancel"))
    operator.finished(name)


@pytest.mark.alone
@pytest.mark.usefixtures("whole_again")
def test_the_api_server_away_is_said_and_passes(operator: Operator, gateway: Gateway) -> None:
    cluster = gateway.cluster
    cluster.kind("kill", "component", "kube-apiserver")
    try:
        cluster.until("unreadiness", lambda: not gateway.is_ready())
        answer = gateway.ask("POST", gateway.jobs(), {"spec": spec()})
        assert (answer.status, answer.slug) == (503, "unavailable")
    finally:
        cluster.kind("start", "component", "kube-apiserver")
    cluster.until("readiness", gateway.is_ready)
    submitted(gateway)
    cluster.until("the operator's return", operator.leads_again)


def test_a_job_whose_making_was_cut_short_never_runs_without_its_secret(
    operator: Operator, gateway: Gateway
) -> None:
    """As if the gateway had been killed between making the job and making its Secret."""
    body = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJob",
        "metadata": {"name": "half-made", "annotations": {"cijob.dev/awaits-secret": "true"}},
        "spec": {**spec(), "suspend": True, "secretEnv": [{"secretName": "cijob-half-made"}]},
    }
    operator.cluster.apply(gateway.namespace, body)
    operator.until_reason("half-made", "Suspended")
    assert operator.pods("half-made") == []
    assert phase(gateway, "half-made") == "Queued"
