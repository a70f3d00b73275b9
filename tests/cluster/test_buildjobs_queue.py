"""The queue, explained: the ten exchanges of the Build Job API, `/v1/queue`, and what `ci` says.

No place is free until a test makes one: an operator is started anew with more.
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit.chart import find, rendered
from kit.cluster import PATIENCE, Cluster, fresh_namespace
from kit.gateway import Gateway, Minio, service_account
from kit.installed import CI
from kit.operator import Operator

pytestmark = pytest.mark.seam
API = "/api/v1/infrastructure/build-jobs"
GOLDEN = sorted((Path(__file__).parent / "golden" / "buildjobs").glob("*.json"))
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass
class Full:
    """An operator with as many places as it is told, and a gateway that knows of them."""

    operator: Operator
    gateway: Gateway

    def start(self, places: int, **limits: int) -> None:
        """Start both, with so many places."""
        pool = {"CIJOB_DEFAULT_POOL": json.dumps({"maxConcurrent": places, "limits": limits})}
        self.operator.settings |= pool
        self.gateway.settings |= pool
        self.operator.start()
        self.gateway.start()

    def stop(self) -> None:
        """End both."""
        assert self.gateway.stop() == 0, self.gateway.log.read_text()[-3000:]
        assert self.operator.stop() == 0, self.operator.log.read_text()[-3000:]

    def queue(self, query: str = "", **options: Any) -> dict[str, Any]:
        """What `/v1/queue` says."""
        found: dict[str, Any] = self.gateway.ask("GET", f"/v1/queue{query}", **options).json
        return found

    def until_queued(self, *names: str) -> list[dict[str, Any]]:
        """The queue, once it has just these jobs in it."""
        self.operator.cluster.until(
            f"{names} in the queue",
            lambda: {job["name"] for job in self.queue()["jobs"]} == set(names),
        )
        jobs: list[dict[str, Any]] = self.queue()["jobs"]
        return jobs

    def ci(self, *words: str) -> subprocess.Popen[str]:
        """Start `ci` against this gateway."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.gateway.folder),
            "CI_GATEWAY": f"http://127.0.0.1:{self.gateway.port}",
            "CI_NAMESPACE": self.gateway.namespace,
        }
        pipe = subprocess.PIPE
        command = [sys.executable, str(CI), *words]
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def full(cluster: Cluster, crds: None, minio: Minio, tmp_path: Path) -> Iterator[Full]:
    with fresh_namespace(cluster) as namespace:
        operator = Operator(cluster, namespace, tmp_path)
        gateway = Gateway(cluster, namespace, tmp_path, minio)
        gateway.settings |= {"CIJOB_AUTH": "none", "CIJOB_BUILD_NAMESPACE": namespace}
        made = Full(operator, gateway)
        template = find(rendered(), "CIJobTemplate", "build")
        del template["metadata"]["namespace"]
        cluster.apply(namespace, template)
        made.start(0)
        yield made
        made.stop()


# -- the Build Job API ----------------------------------------------------------------------------


def test_the_ten_exchanges_of_the_predecessor_as_they_were_typed(full: Full) -> None:
    """In each golden file a curl line and its answer; only ids, times and the port are others."""
    ids: dict[str, str] = {}
    for path in GOLDEN:
        exchange = json.loads(path.read_text())
        line = exchange["curl"].replace("localhost:8000", f"localhost:{full.gateway.port}")
        status, answer = curl(line.replace("<first>", ids.get("<first>", "")))
        if not ids:
            ids = {"<first>": answer["id"], "<second>": curl(line)[1]["id"]}
        assert status == exchange["status"], path.name
        assert generalised(answer, ids) == exchange["answer"], path.name
    assert len(GOLDEN) == 10
    shown = full.operator.cluster.kubectl("get", "cij", "-n", full.operator.namespace).stdout
    phases = sorted(line.split()[1] for line in shown.splitlines()[1:])
    assert phases == ["Cancelled", "Queued"]


def curl(line: str) -> tuple[int, Any]:
    """Run a curl line in a shell, as it would be typed; the status and the answer."""
    shown = f"{line} -sS -w '\n%{{http_code}}'"
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, timeout=180)
    body, _, status = done.stdout.rpartition("\n")
    assert done.returncode == 0, done.stderr
    return int(status), json.loads(body)


def generalised(answer: Any, ids: dict[str, str]) -> Any:
    """An answer with names in place of the ids and times that are others each time."""
    text = json.dumps(answer)
    for name, identity in ids.items():
        text = text.replace(identity, name)
    return json.loads(TIME.sub("<time>", text))


def test_both_spellings_of_a_processor_are_one(full: Full) -> None:
    for name in ("arm64", "aarch64", "amd64"):
        body = {"source_repository": "https://a.example/b", "branch": "main"}
        answer = full.gateway.ask("POST", API, {**body, "target_architecture": name})
        assert answer.status == 200, answer.body
    status = full.gateway.ask("GET", f"{API}/queue/status").json
    assert status["jobs_by_architecture"] == {"arm64": 2, "amd64": 1}


# -- /v1/queue ------------------------------------------------------------------------------------


def test_the_queue_is_in_order_and_says_what_is_waited_for(full: Full) -> None:
    for name, more in (("low", {"priority": -1}), ("high", {"priority": 1}), ("middle", {})):
        full.operator.submit(name, command=["true"], **more)
    full.operator.submit("nowhere", command=["true"], pool="moon")
    full.operator.submit("held", command=["true"], suspend=True)
    jobs = full.until_queued("high", "middle", "low", "nowhere", "held")
    assert [job["name"] for job in jobs] == ["high", "middle", "low", "held", "nowhere"]
    assert [job["ahead"] for job in jobs] == [0, 1, 2, None, None]
    assert [job["waitSeconds"] for job in jobs] == [300, 600, 900, None, None]
    assert jobs[0]["message"] == "all 0 places of pool default are taken"
    assert jobs[3]["message"] == "suspend is true"
    assert jobs[4]["message"] == "there is no pool moon; there is default"
    [pool] = full.queue()["pools"]
    line = {"name": "default", "running": 0, "places": 0, "queued": 3, "waitSeconds": 1200}
    assert pool == line
    for name in ("high", "middle", "low"):
        words = ("patch", "cij", "-n", full.operator.namespace, name, "--type=merge")
        cancel = json.dumps({"spec": {"desiredState": "Cancelled"}})
        full.operator.cluster.kubectl(*words, "-p", cancel)
    full.until_queued("nowhere", "held")


def test_what_took_so_long_before_is_guessed_again(full: Full) -> None:
    full.stop()
    full.start(1)
    full.operator.submit("first", script="sleep 2")
    status = full.operator.finished("first")
    assert status["phase"] == "Succeeded"
    full.operator.submit("second", script="trap 'exit 3' TERM; sleep 300 & wait")
    full.operator.until_reason("second", "Running")
    full.operator.submit("third", script="true")
    [third] = full.until_queued("third")
    assert 0 < third["waitSeconds"] < 60
    [pool] = full.queue()["pools"]
    assert (pool["running"], pool["places"], pool["queued"]) == (1, 1, 1)
    full.operator.patch("second", desiredState="Cancelled")
    full.operator.finished("third")


def test_jobs_have_names_only_for_those_who_may_get_them(full: Full, tmp_path: Path) -> None:
    cluster, namespace = full.operator.cluster, full.operator.namespace
    full.operator.submit("secret-project", command=["true"])
    full.until_queued("secret-project")
    gateway = Gateway(cluster, namespace, tmp_path / "login", full.gateway.minio)
    gateway.folder.mkdir()
    gateway.settings["CIJOB_DEFAULT_POOL"] = full.gateway.settings["CIJOB_DEFAULT_POOL"]
    gateway.start()
    reader = service_account(cluster, namespace, "reader", "get")
    nobody = service_account(cluster, namespace, "nobody")
    assert gateway.ask("GET", "/v1/queue", token="").status == 401
    named = gateway.ask("GET", "/v1/queue", token=reader).json
    assert ([job["name"] for job in named["jobs"]], named["others"]) == (["secret-project"], 0)
    answer = gateway.ask("GET", "/v1/queue", token=nobody)
    assert (answer.json["jobs"], answer.json["others"]) == ([], 1)
    assert answer.json["pools"] == named["pools"]
    assert b"secret-project" not in answer.body
    assert gateway.stop() == 0


# -- what a person sees ---------------------------------------------------------------------------


def test_ci_says_who_waits_and_for_how_long(full: Full) -> None:
    for name in ("one", "two"):
        full.operator.submit(name, command=["true"])
    full.until_queued("one", "two")
    out, err = full.ci("queue").communicate(timeout=180)
    pools, jobs = out.strip().split("\n\n")
    assert [line.split() for line in pools.splitlines()] == [
        ["POOL", "RUNNING", "PLACES", "QUEUED", "WAIT"],
        ["default", "0", "0", "2", "15m"],
    ]
    first, second = jobs.splitlines()[1:]
    assert first.split()[1:5] == ["one", "default", "0", "5m"]
    assert second.split()[1:5] == ["two", "default", "1", "10m"]
    assert second.endswith("all 0 places of pool default are taken")
    assert err == ""
    listed = full.ci("list").communicate(timeout=180)[0].splitlines()
    assert listed[0].split()[-1] == "QUEUE"
    assert listed[1].endswith("1 ahead, ~10m")
    assert listed[2].endswith("next, ~5m")
    found = json.loads(full.ci("queue", "-o", "json").communicate(timeout=180)[0])
    assert [job["name"] for job in found["jobs"]] == ["one", "two"]


def until_said(waiting: subprocess.Popen[str], words: str) -> str:
    """The first line with these words that it says on stderr."""
    assert waiting.stderr
    given_up = threading.Timer(PATIENCE, waiting.kill)
    given_up.daemon = True
    given_up.start()
    lines: list[str] = []
    while not lines or words not in lines[-1]:
        lines.append(waiting.stderr.readline())
        assert lines[-1], lines
    given_up.cancel()
    return lines[-1]


def test_ci_wait_says_where_the_job_stands_and_nothing_is_written(full: Full) -> None:
    for name in ("one", "two"):
        full.operator.submit(name, script="echo hello")
    full.operator.until_reason("two", "WaitingForCapacity")
    words = ("cij", "-n", full.operator.namespace, "two")
    before = full.operator.cluster.get(*words)["metadata"]["resourceVersion"]
    waiting = full.ci("wait", "two")
    said = until_said(waiting, " in pool ")
    assert said == "ci: queued: 1 job ahead in pool default, about 10m\n"
    assert full.operator.cluster.get(*words)["metadata"]["resourceVersion"] == before
    assert full.operator.stop() == 0
    full.operator.settings["CIJOB_DEFAULT_POOL"] = json.dumps({"maxConcurrent": 2})
    full.operator.start()
    out, err = waiting.communicate(timeout=120)
    assert (waiting.returncode, out) == (0, "hello\n"), err


def test_ci_wait_says_which_limit_holds_a_job_while_places_are_free(full: Full) -> None:
    full.stop()
    full.start(9)
    group = {"concurrency": {"group": "deploy"}}
    full.operator.submit("first", script="trap 'exit 3' TERM; sleep 300 & wait", **group)
    full.operator.until_reason("first", "Running")
    full.operator.submit("second", script="echo hello", **group)
    [second] = full.until_queued("second")
    assert (second["position"], second["waitSeconds"], second["limit"]) == (1, 300, "group")
    [pool] = full.queue()["pools"]
    assert (pool["queued"], pool["waitSeconds"]) == (1, 0)
    waiting = full.ci("wait", "second")
    words = "1 of at most 1 jobs of group deploy run; next, about 5m"
    assert until_said(waiting, ", about ") == f"ci: queued: {words}\n"
    full.operator.patch("first", desiredState="Cancelled")
    out, err = waiting.communicate(timeout=120)
    assert (waiting.returncode, out) == (0, "hello\n"), err
