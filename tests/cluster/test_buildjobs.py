"""The Build Job API by HTTP: repositories of a git server in the cluster, really compiled.

The servers are processes beside the cluster, without a login, as on a laptop.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from kit import servers
from kit.archiver import Archiver, running
from kit.chart import find, rendered
from kit.cluster import Cluster, fresh_namespace
from kit.gateway import Answer, Gateway, Minio, service_account
from kit.githost import hosting, trust
from kit.operator import SMALL, Operator
from localcluster.settings import HOST_ADDRESS

pytestmark = pytest.mark.seam
API = "/api/v1/infrastructure/build-jobs"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
REPOSITORIES = r"""
git init -q -b main /tmp/work
cd /tmp/work
cat > hello.c <<'END'
#include <stdio.h>
int main(void) { printf("hello from C\n"); return 0; }
END
printf 'dist/hello: hello.c\n\tmkdir -p dist\n\t$(CC) -o $@ hello.c\n\t./$@\n' > Makefile
git add . && git commit -qm first && git tag v1
git switch -q -c recipe
mkdir .cijob
printf '#!/bin/sh\necho own recipe\nexit 3\n' > .cijob/build
chmod +x .cijob/build
git add . && git commit -qm recipe
git switch -q -c slow main
printf 'all:\n\t@echo begun; sleep 300\n' > Makefile
git add . && git commit -qm slow
git switch -q --orphan bare && git commit -q --allow-empty -m nothing
git clone -q --bare /tmp/work /tmp/git/repositories/project.git
git rev-parse v1
"""


@dataclass
class Farm:
    """A gateway, an operator and an archiver that make builds."""

    operator: Operator
    gateway: Gateway
    archiver: Archiver
    repository: str = ""
    made: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str = "", body: Any = None, **options: Any) -> Answer:
        """A request of the API."""
        return self.gateway.ask(method, f"{API}{path}", body, **options)

    def submit(self, **fields: Any) -> str:
        """Have the repository built; the build job's id."""
        asked = {
            "source_repository": self.repository,
            "branch": "main",
            "target_architecture": "x86_64",
        }
        answer = self.ask("POST", "", {**asked, **fields})
        assert answer.status == 200, answer.body
        self.made.append(answer.json["id"])
        return self.made[-1]

    def until(self, identity: str, *states: str) -> dict[str, Any]:
        """The build job once it is in one of these states."""
        self.operator.cluster.until(
            f"{states} of {identity}", lambda: self.job(identity)["status"] in states, 120
        )
        return self.job(identity)

    def job(self, identity: str) -> dict[str, Any]:
        """The build job now."""
        found: dict[str, Any] = self.ask("GET", f"/{identity}").json
        return found

    def log(self, identity: str) -> list[str]:
        """Its log up to now, without the times."""
        return [
            line.split("] ", 1)[1] for line in self.ask("GET", f"/{identity}/logs").json["logs"]
        ]

    def cij(self, identity: str) -> dict[str, Any]:
        """Its CIJob."""
        cluster, namespace = self.operator.cluster, self.operator.namespace
        items = cluster.get("cij", "-n", namespace)["items"]
        [found] = [item for item in items if item["metadata"]["uid"] == identity]
        return dict(found)

    def stream(self, identity: str, *, until: str = "") -> tuple[list[str], int]:
        """The messages of its WebSocket, up to its end or to one; and how it was closed."""
        return asyncio.run(self._stream(identity, until))

    async def _stream(self, identity: str, until: str) -> tuple[list[str], int]:
        lines: list[str] = []
        async with connect(self.url(identity)) as socket:
            try:
                async with asyncio.timeout(120):
                    while not until or not lines or until not in lines[-1]:
                        lines.append(str(await socket.recv()))
            except ConnectionClosed as closed:
                return lines, closed.rcvd.code if closed.rcvd else 0
        return lines, 0

    def url(self, identity: str) -> str:
        """Where its log is streamed."""
        return f"ws://127.0.0.1:{self.gateway.port}{API}/{identity}/logs/stream"


@pytest.fixture(scope="module")
def farm(
    cluster: Cluster, crds: None, minio: Minio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Farm]:
    with fresh_namespace(cluster) as namespace:
        folder = tmp_path_factory.mktemp("farm")
        gateway = Gateway(cluster, namespace, folder, minio)
        gateway.internal_port = servers.free_port()
        settings = {
            "CIJOB_CA_BUNDLE": "true",
            # Agents bring what is built to the machine that the cluster runs on.
            "CIJOB_GATEWAY": f"http://{HOST_ADDRESS}:{gateway.internal_port}",
        }
        operator = Operator(cluster, namespace, folder, settings)
        gateway.settings |= {"CIJOB_AUTH": "none", "CIJOB_BUILD_NAMESPACE": namespace}
        made = Farm(operator, gateway, Archiver(cluster, namespace, folder, minio))
        template = find(rendered(), "CIJobTemplate", "build")
        template["spec"]["resources"] = SMALL
        del template["metadata"]["namespace"]
        cluster.apply(namespace, template)
        with hosting(cluster, folder, REPOSITORIES) as host, running(made.archiver):
            trust(host, namespace)
            made.repository = f"{host.url}/project.git"
            operator.start()
            gateway.start()
            yield made
            assert gateway.stop() == 0, gateway.log.read_text()[-3000:]
            assert operator.stop() == 0, operator.log.read_text()[-3000:]


# -- builds ---------------------------------------------------------------------------------------


def test_a_repository_is_compiled(farm: Farm) -> None:
    identity = farm.submit(priority=7)
    done = farm.until(identity, "completed", "failed")
    assert done["status"] == "completed", farm.log(identity)
    assert done["server_id"] == "default"
    assert done["commit_hash"] == "HEAD"
    assert done["started_at"] <= done["completed_at"]
    assert (done["duration_seconds"] >= 0, done["error_message"]) == (True, None)
    assert farm.log(identity) == [
        "Build queued",
        "Build assigned to server default",
        "Build building",
        "mkdir -p dist",
        "cc -o dist/hello hello.c",
        "./dist/hello",
        "hello from C",
        "Build completed",
    ]
    results = farm.cij(identity)["status"]["results"]
    assert results["collection"]["state"] == "Complete"
    [artifact] = results["artifacts"]
    assert artifact["name"] == "dist"
    answer = farm.ask("GET", f"/{identity}/logs").json
    times = [line[1 : line.index("]")] for line in answer["logs"]]
    assert [time[:19] for time in times] == sorted(time[:19] for time in times)
    assert answer["streaming"] is False


def test_its_own_recipe_comes_first_and_what_it_says_counts(farm: Farm) -> None:
    identity = farm.submit(branch="recipe")
    done = farm.until(identity, "completed", "failed")
    assert (done["status"], done["error_message"]) == ("failed", "exit code 3")
    assert farm.log(identity)[3:] == ["own recipe", "Build failed: exit code 3"]


def test_without_a_recipe_the_message_says_so(farm: Farm) -> None:
    done = farm.until(farm.submit(branch="bare"), "completed", "failed")
    assert done["status"] == "failed"
    assert done["error_message"].startswith("exit code 66: NoBuildRecipe: there is neither")
    assert farm.cij(done["id"])["status"]["phase"] == "Failed"


def test_a_branch_that_is_not_there_is_a_failed_build(farm: Farm) -> None:
    done = farm.until(farm.submit(branch="nowhere"), "completed", "failed")
    assert done["status"] == "failed"
    assert "nowhere" in done["error_message"]
    assert farm.cij(done["id"])["status"]["reason"] == "GitRefNotFound"


def test_a_commit_is_built_and_kubectl_sees_the_job(farm: Farm) -> None:
    pods = farm.operator.cluster
    branch = farm.submit(branch="v1", commit_hash="HEAD", target_architecture="amd64")
    commit = farm.until(branch, "completed")["id"]
    found = farm.cij(commit)
    assert found["metadata"]["labels"]["cijob.dev/template"] == "build"
    assert found["spec"]["architecture"] == "amd64"
    shown = pods.kubectl("get", "cij", "-n", farm.operator.namespace).stdout
    assert found["metadata"]["name"] in shown


# -- the log as it is written ---------------------------------------------------------------------


def test_a_build_is_followed_and_cancelled_while_it_runs(farm: Farm) -> None:
    identity = farm.submit(branch="slow")
    lines, _ = farm.stream(identity, until="begun")
    assert [line.split("] ", 1)[1] for line in lines][-2:] == ["Build building", "begun"]
    assert farm.job(identity)["status"] == "building"
    answer = farm.ask("GET", f"/{identity}/logs").json
    assert answer["streaming"] is True
    assert answer["logs"] == lines
    cancelled = farm.ask("PUT", f"/{identity}/cancel")
    assert (cancelled.status, cancelled.json["success"]) == (200, True)
    done = farm.until(identity, "cancelled")
    assert done["error_message"] is None
    assert done["started_at"]
    rest, code = farm.stream(identity)
    assert code == 1000
    assert rest[: len(lines)] == lines
    assert rest[-1].endswith("] Build cancelled by user")
    assert farm.ask("GET", f"/{identity}/logs").json["logs"] == rest
    again = farm.ask("PUT", f"/{identity}/cancel")
    assert (again.status, again.slug) == (409, "job-finished")


def test_a_gateway_that_ends_says_so_on_its_streams(farm: Farm) -> None:
    identity = farm.submit(branch="slow")

    async def through_an_end() -> int:
        async with connect(farm.url(identity)) as socket:
            async with asyncio.timeout(120):
                while "begun" not in str(await socket.recv()):
                    pass
                stopping = asyncio.create_task(asyncio.to_thread(farm.gateway.stop))
                try:
                    while True:
                        await socket.recv()
                except ConnectionClosed as closed:
                    await stopping
                    return closed.rcvd.code if closed.rcvd else 0

    try:
        assert asyncio.run(through_an_end()) == 1012
    finally:
        farm.gateway.start()
    assert farm.job(identity)["status"] == "building"
    assert farm.ask("PUT", f"/{identity}/cancel").status == 200


# -- what lasts -----------------------------------------------------------------------------------


def test_an_id_answers_when_the_cijob_is_gone(farm: Farm) -> None:
    identity = farm.submit()
    done = farm.until(identity, "completed")
    log = farm.ask("GET", f"/{identity}/logs").json
    name = farm.cij(identity)["metadata"]["name"]
    farm.archiver.archived(name)
    farm.operator.cluster.kubectl("delete", "cij", "-n", farm.operator.namespace, name)
    assert farm.job(identity) == done
    assert farm.ask("GET", f"/{identity}/logs").json == log
    assert farm.stream(identity) == (log["logs"], 1000)
    assert identity in [job["id"] for job in farm.ask("GET").json]
    assert farm.ask("PUT", f"/{identity}/cancel").slug == "job-finished"


def test_lists_are_arrays_newest_first_and_filtered(farm: Farm) -> None:
    farm.submit(branch="bare", target_architecture="aarch64", server_id="nowhere")
    farm.until(farm.submit(branch="recipe"), "failed")
    everything = farm.ask("GET").json
    assert {job["id"] for job in everything} == set(farm.made)
    created = [job["created_at"] for job in everything]
    assert created == sorted(created, reverse=True)
    for query, key, value in (
        ("status=failed", "status", "failed"),
        ("status=queued", "status", "queued"),
        ("target_architecture=arm64", "target_architecture", "aarch64"),
        ("server_id=default", "server_id", "default"),
    ):
        found = farm.ask("GET", f"?{query}").json
        assert found == [job for job in everything if job[key] == value], query
        assert found
    assert farm.ask("GET", "?limit=2&offset=1").json == everything[1:3]
    assert farm.ask("GET", "?offset=1000").json == []


@pytest.mark.parametrize(
    "more", [{}, {"commit_hash": "abcd1234", "toolchain": "gcc", "priority": 3}]
)
def test_what_is_posted_can_be_applied(farm: Farm, more: dict[str, Any]) -> None:
    """The spec is the same, and so is what the API shows of it."""
    posted = farm.submit(server_id="nowhere", **more)
    git = {"url": farm.repository, "ref": "main"}
    spec: dict[str, Any] = {
        "templateRef": {"name": "build"},
        "source": {"git": git},
        "architecture": "x86_64",
        "pool": "nowhere",
    }
    if more:
        git["commit"] = "abcd1234"
        spec |= {"toolchains": ["gcc"], "priority": 3}
    metadata = {"name": f"applied-{len(more)}"}
    manifest = {"apiVersion": "cijob.dev/v1alpha1", "kind": "CIJob", "metadata": metadata}
    farm.operator.cluster.apply(farm.operator.namespace, {**manifest, "spec": spec})
    words = ("cij", "-n", farm.operator.namespace, metadata["name"])
    applied = farm.operator.cluster.get(*words)["metadata"]["uid"]
    assert farm.cij(posted)["spec"] == farm.cij(applied)["spec"]
    volatile = {"id", "created_at"}
    shown = [farm.job(identity) for identity in (posted, applied)]
    one, other = ({k: v for k, v in job.items() if k not in volatile} for job in shown)
    assert one == other
    farm.made.append(applied)
    for identity in (posted, applied):
        assert farm.ask("PUT", f"/{identity}/cancel").status == 200
        assert farm.job(identity)["status"] == "cancelled"
        [line] = farm.log(identity)
        assert line == "Build cancelled by user"


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("source_repository", "ftp://example.com/a", "must be an https:// or ssh:// URL"),
        ("source_repository", "https://me:hunter2@example.com/a", "must not hold a password"),
        ("target_architecture", "z80", "is no processor"),
        ("commit_hash", "the last one", "is no commit"),
        ("branch", "", "branch"),
        ("branch", "--upload-pack=x", "branch"),
        ("priority", 5000, "priority"),
        ("build_config", {"build_mode": "kernel"}, "how to build stands in the repository"),
        ("builld_config", {}, "builld_config"),
    ],
)
def test_what_cannot_be_built_is_422(farm: Farm, *, field: str, value: Any, words: str) -> None:
    asked = {"source_repository": farm.repository, "branch": "main"}
    answer = farm.ask("POST", "", {**asked, "target_architecture": "x86_64", field: value})
    assert (answer.status, answer.slug) == (422, "invalid")
    assert words in answer.json["detail"]
    assert "hunter2" not in answer.body.decode()


def test_what_is_missing_or_no_json_is_422_too(farm: Farm) -> None:
    assert farm.ask("POST", "", {"branch": "main"}).status == 422
    assert farm.ask("POST", "", b"{").status == 422
    assert farm.ask("GET", "?status=sleeping").status == 422
    assert farm.ask("GET", "?limit=0").status == 422


def test_an_unknown_id_is_404(farm: Farm) -> None:
    for identity in (UNKNOWN, "nonsense"):
        for method, path in (("GET", ""), ("GET", "/logs"), ("PUT", "/cancel")):
            answer = farm.ask(method, f"/{identity}{path}")
            assert (answer.status, answer.slug) == (404, "not-found"), path
        with pytest.raises(InvalidStatus) as refused:
            farm.stream(identity)
        assert refused.value.response.status_code == 404


def test_pages_of_other_sites_may_not_read_along(farm: Farm) -> None:
    async def opened(origin: str) -> str:
        async with connect(farm.url(farm.made[0]), origin=Origin(origin)) as socket:
            return str(await asyncio.wait_for(socket.recv(), 60))

    assert asyncio.run(opened(f"http://127.0.0.1:{farm.gateway.port}"))
    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(opened("https://evil.example"))
    assert refused.value.response.status_code == 403
    before = farm.ask("GET").json
    answer = farm.ask("POST", body={}, headers={"Origin": "https://evil.example"})
    assert (answer.status, answer.slug) == (403, "forbidden")
    assert farm.ask("GET").json == before


def test_other_jobs_are_no_build_jobs(farm: Farm) -> None:
    name = farm.operator.submit("other", command=["true"])
    uid = farm.operator.cluster.get("cij", "-n", farm.operator.namespace, name)["metadata"]["uid"]
    assert farm.ask("GET", f"/{uid}").status == 404
    assert uid not in [job["id"] for job in farm.ask("GET").json]


def test_with_a_login_rights_are_those_on_cijobs(farm: Farm, tmp_path: Path) -> None:
    cluster, namespace = farm.operator.cluster, farm.operator.namespace
    gateway = Gateway(cluster, namespace, tmp_path, farm.gateway.minio)
    gateway.settings["CIJOB_BUILD_NAMESPACE"] = namespace
    gateway.start()
    reader = service_account(cluster, namespace, "reader", "get", "list")
    nobody = service_account(cluster, namespace, "nobody")
    identity = farm.made[0]
    asked = {"source_repository": farm.repository, "branch": "main"}
    body = {**asked, "target_architecture": "x86_64"}
    assert gateway.ask("GET", API, token="").status == 401
    assert gateway.ask("GET", f"{API}/{identity}", token=reader).status == 200
    assert gateway.ask("POST", API, body, token=reader).status == 403
    assert gateway.ask("PUT", f"{API}/{identity}/cancel", token=reader).status == 409
    assert gateway.ask("GET", API, token=nobody).status == 403
    assert gateway.ask("GET", f"{API}/{identity}", token=nobody).status == 404

    async def streamed(token: str) -> str:
        url = f"ws://127.0.0.1:{gateway.port}{API}/{identity}/logs/stream"
        headers = {"Authorization": f"Bearer {token}"}
        async with connect(url, additional_headers=headers) as socket:
            return str(await asyncio.wait_for(socket.recv(), 60))

    assert asyncio.run(streamed(reader)).endswith("] Build queued")
    for token, status in ((nobody, 404), ("made.up.token", 401)):
        with pytest.raises(InvalidStatus) as refused:
            asyncio.run(streamed(token))
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"")["status"] == status
    assert gateway.stop() == 0
