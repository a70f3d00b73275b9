"""The gateway's endpoints for results, asked directly: a Pod's own token, ranges, limits, memory.

The Pod is one that no node takes; its token is real. The gateway is a process beside a MinIO one.
"""

import hashlib
import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kit.cluster import Cluster, fresh_namespace, pod
from kit.gateway import Answer, Gateway, Minio, service_account
from kit.operator import job

MIB = 1 << 20
CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GREATEST = 64 * MIB
SETTINGS = {
    "CIJOB_MAX_ARTIFACT_BYTES": str(GREATEST),
    "CIJOB_MAX_ARTIFACTS_BYTES": str(GREATEST + 1000),
}
VERBS = ("create", "get", "list")
HUGE = {"requests": {"cpu": "1000"}}


@pytest.fixture(scope="module")
def gateway(
    cluster: Cluster, crds: None, minio: Minio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with fresh_namespace(cluster) as namespace:
        folder = tmp_path_factory.mktemp("gateway")
        made = Gateway(cluster, namespace, folder, minio, SETTINGS).start()
        made.token = service_account(cluster, namespace, "user", *VERBS)
        yield made
        assert made.stop() == 0, made.log.read_text()[-3000:]


class Agent:
    """A job, a Pod of it, and the token that the Pod's agent would have."""

    def __init__(self, gateway: Gateway, name: str, attempt: int = 1) -> None:
        self.gateway, self.name = gateway, name
        cluster, namespace = gateway.cluster, gateway.namespace
        words = ("-n", namespace, "-f", "-")
        if attempt == 1:
            cluster.kubectl("create", *words, stdin=json.dumps(job(name, script="true")))
        uid = cluster.get("cij", "-n", namespace, name)["metadata"]["uid"]
        self.pod = f"{name}-{attempt}"
        body = pod(self.pod, "true", resources=HUGE)
        owner = {"apiVersion": "cijob.dev/v1alpha1", "kind": "CIJob", "name": name, "uid": uid}
        labels = {"cijob.dev/job": name, "cijob.dev/attempt": str(attempt)}
        body["metadata"] |= {"labels": labels, "ownerReferences": [owner]}
        cluster.kubectl("create", *words, stdin=json.dumps(body))
        token = ("create", "token", "default", "-n", namespace, "--audience=cijob-agent")
        bound = ("--bound-object-kind=Pod", f"--bound-object-name={self.pod}")
        self.token = cluster.kubectl(*token, *bound).stdout.strip()

    def ask(self, method: str, path: str, body: Any = None, job: str = "") -> Answer:
        where = f"/internal{self.gateway.jobs(f'/{job or self.name}/{path}')}"
        return self.gateway.ask(method, where, body, token=self.token, internal=True)

    def finish(self, *artifacts: dict[str, Any], state: str = "Complete") -> Answer:
        said = {"artifacts": artifacts, "reports": [], "state": state, "message": ""}
        return self.ask("POST", "collection", said)

    def stream(self, path: str, mebibytes: int, *, whole: bool = True) -> int:
        """Send a body in chunks, as agents do; the status, 0 if there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.internal_port, timeout=60)
        connection.putrequest("PUT", f"/internal{self.gateway.jobs(f'/{self.name}/{path}')}")
        connection.putheader("Authorization", f"Bearer {self.token}")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        piece = b"%x\r\n%b\r\n" % (MIB, bytes(MIB))
        try:
            for _ in range(mebibytes):
                connection.send(piece)
            if whole:
                connection.send(b"0\r\n\r\n")
                return connection.getresponse().status
        except (BrokenPipeError, ConnectionResetError):
            return connection.getresponse().status
        finally:
            connection.close()
        return 0


def kept(name: str, content: bytes = CONTENT, file: str = "") -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "file": file or name, "sizeBytes": len(content), "sha256": digest}


@pytest.fixture(scope="module")
def left(gateway: Gateway) -> Agent:
    """A job with one artifact."""
    agent = Agent(gateway, "left")
    answer = agent.ask("PUT", "artifacts/wheel", CONTENT)
    assert (answer.status, answer.json) == (201, {"sizeBytes": len(CONTENT), "sha256": SHA256})
    assert agent.finish(kept("wheel", file="a 1.0\n.whl")).status == 200
    return agent


def get(gateway: Gateway, path: str = "/wheel", method: str = "GET", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.ask(method, gateway.jobs(f"/left/artifacts{path}"), headers=named)


def test_the_list_and_the_bytes(gateway: Gateway, left: Agent) -> None:
    assert get(gateway, "").json["artifacts"] == [kept("wheel", file="a 1.0\n.whl")]
    whole = get(gateway)
    assert (whole.status, whole.body) == (200, CONTENT)
    headers = {name.lower(): value for name, value in whole.headers.items()}
    assert headers["etag"] == f'"{SHA256}"'
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''a%201.0%0A.whl"
    assert headers["x-content-type-options"] == "nosniff"
    assert get(gateway, method="HEAD").headers["content-length"] == str(len(CONTENT))
    status = gateway.cluster.get("cij", "-n", gateway.namespace, "left")["status"]
    assert status["results"]["collection"] == {"attempt": 1, "state": "Complete"}


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({"Range": "bytes=0-9"}, 206, CONTENT[:10]),
        ({"Range": "bytes=255990-"}, 206, CONTENT[255990:]),
        ({"Range": "bytes=-5"}, 206, CONTENT[-5:]),
        ({"Range": "bytes=0-1,4-5"}, 200, CONTENT),
        ({"Range": "bytes=256000-"}, 416, None),
        ({"Range": "bytes=5-9", "If-Range": f'"{SHA256}"'}, 206, CONTENT[5:10]),
        ({"Range": "bytes=5-9", "If-Range": '"other"'}, 200, CONTENT),
        ({"If-None-Match": f'"other", "{SHA256}"'}, 304, b""),
        ({"If-None-Match": '"other"'}, 200, CONTENT),
    ],
)
@pytest.mark.usefixtures("left")
def test_ranges_and_conditions(
    gateway: Gateway, headers: dict[str, str], status: int, part: bytes | None
) -> None:
    answer = get(gateway, **headers)
    assert answer.status == status
    if part is not None:
        assert answer.body == part
    if status == 206:
        assert answer.headers["content-range"].endswith(f"/{len(CONTENT)}")


def test_what_is_not_there_is_named(gateway: Gateway, left: Agent) -> None:
    answer = get(gateway, "/docs")
    assert answer.slug == "not-found"
    assert answer.json["detail"] == "job left has no artifact 'docs'; it has: wheel"
    assert get(gateway, "/..%2fwheel").status in {400, 404}
    nothing = Agent(gateway, "nothing")
    answer = gateway.ask("GET", gateway.jobs("/nothing/artifacts"))
    assert answer.slug == "not-found"
    assert "nothing is collected before its end" in answer.json["detail"]
    assert nothing.finish().status == 200
    assert gateway.ask("GET", gateway.jobs("/nothing/artifacts")).json["artifacts"] == []


def test_only_who_may_read_the_log_may_read_artifacts(gateway: Gateway, left: Agent) -> None:
    account = ("create", "serviceaccount", "nobody", "-n", gateway.namespace)
    gateway.cluster.kubectl(*account)
    words = ("create", "token", "nobody", "-n", gateway.namespace, "--audience=cijob-gateway")
    token = gateway.cluster.kubectl(*words).stdout.strip()
    for path in ("", "/wheel"):
        answer = gateway.ask("GET", gateway.jobs(f"/left/artifacts{path}"), token=token)
        assert answer.slug == "not-found"
        assert gateway.ask("GET", gateway.jobs(f"/left/artifacts{path}"), token="").status == 401


def test_an_agent_reaches_its_own_job_only(gateway: Gateway, left: Agent) -> None:
    other = Agent(gateway, "other")
    tries: list[Callable[[], Answer]] = [
        lambda: other.ask("GET", "collection", job="left"),
        lambda: other.ask("PUT", "artifacts/wheel", b"forged", job="left"),
        lambda: other.ask("PUT", "reports/0", b"forged", job="left"),
        lambda: other.ask("POST", "collection", {"state": "Complete"}, job="left"),
    ]
    assert [ask().slug for ask in tries] == ["forbidden"] * 4
    assert get(gateway).body == CONTENT
    user = gateway.ask("PUT", f"/internal{gateway.jobs('/left/artifacts/a')}", b"", internal=True)
    assert user.slug == "unauthenticated"


def test_attempts_are_kept_apart(gateway: Gateway) -> None:
    for attempt in (1, 2):
        content = b"%d" % attempt
        agent = Agent(gateway, "twice", attempt)
        agent.ask("PUT", "artifacts/n", content)
        agent.finish(kept("n", content))
    path = gateway.jobs("/twice/artifacts/n")
    assert gateway.ask("GET", path).body == b"2"
    assert gateway.ask("GET", f"{path}?attempt=1").body == b"1"
    assert gateway.ask("GET", f"{path}?attempt=3").slug == "not-found"


@pytest.mark.parametrize("path", ["artifacts/Up", "artifacts/a%2fb", "reports/100", "reports/x"])
def test_names_are_held_to_the_contract(gateway: Gateway, left: Agent, path: str) -> None:
    assert left.ask("PUT", path, b"x").status in {400, 404}


def test_limits_are_told_and_held(gateway: Gateway) -> None:
    agent = Agent(gateway, "greedy")
    told = agent.ask("GET", "collection").json
    assert (told["artifactBytes"], told["totalBytes"]) == (GREATEST, GREATEST + 1000)
    assert agent.stream("artifacts/one", 65) == 413
    assert agent.stream("reports/0", 17) == 413
    assert agent.stream("artifacts/one", 64) == 201
    refused = agent.ask("PUT", "artifacts/two", bytes(1001))
    assert (refused.status, refused.slug) == (413, "result-too-large")
    assert agent.ask("PUT", "artifacts/two", bytes(1000)).status == 201
    assert agent.ask("PUT", "artifacts/two", bytes(999)).status == 201  # in place of it


def test_a_body_that_breaks_off_leaves_nothing(gateway: Gateway, minio: Minio) -> None:
    agent = Agent(gateway, "broken")
    assert agent.stream("artifacts/one", 12, whole=False) == 0
    said = kept("one", bytes(12 * MIB))
    assert agent.finish(said).status == 200
    found = gateway.ask("GET", gateway.jobs("/broken/artifacts")).json
    assert (found["artifacts"], found["state"]) == ([], "Partial")
    uid = gateway.cluster.get("cij", "-n", gateway.namespace, "broken")["metadata"]["uid"]
    assert [name for name in minio.objects(gateway.namespace) if f"{uid}/artifacts" in name] == []


def test_many_large_bodies_at_once_need_little_memory(gateway: Gateway) -> None:
    agents = [Agent(gateway, f"large-{number}") for number in range(4)]
    before = gateway.resident_bytes(peak=True)
    with ThreadPoolExecutor(4) as threads:
        sent = list(threads.map(lambda agent: agent.stream("artifacts/one", 64), agents))
    assert sent == [201] * 4
    assert gateway.resident_bytes(peak=True) - before < 100 * MIB


def test_the_gateway_counts_what_it_stores(gateway: Gateway, left: Agent) -> None:
    assert gateway.metric('cijob_gateway_result_bytes_total{kind="artifacts"}') >= len(CONTENT)
    assert gateway.metric("cijob_gateway_collections_total") >= 1


def test_the_folder_of_the_bucket_is_the_jobs_own(gateway: Gateway, left: Agent) -> None:
    uid = gateway.cluster.get("cij", "-n", gateway.namespace, "left")["metadata"]["uid"]
    own = f"{gateway.namespace}/job/{uid}/"
    found = [name.removeprefix(own) for name in gateway.minio.objects(gateway.namespace)
             if name.startswith(own)]  # fmt: skip
    assert found == ["artifacts/1/wheel", "collections/1.json"]
