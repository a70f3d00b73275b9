"""Pools, limits and groups, as `kubectl` shows them; on fake nodes of two architectures."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import Cluster, fresh_namespace
from kit.operator import Operator, job

KEY = "test.cijob.dev/pool"
LASTS = {"script": "trap 'exit 3' TERM; sleep 300 & wait", "terminationGracePeriodSeconds": 5}


@dataclass
class Pools:
    """CIPools that serve the operator's namespace only, and are gone afterwards."""

    cluster: Cluster
    operator: Operator
    names: list[str] = field(default_factory=list)

    def name(self, short: str) -> str:
        """A pool has no namespace: its name must be this test's own."""
        return f"{self.operator.namespace}-{short}"

    def put(self, short: str, places: int, **spec: Any) -> str:
        """Create or replace a pool; its name."""
        name = self.name(short)
        body = {
            "apiVersion": "cijob.dev/v1alpha1",
            "kind": "CIPool",
            "metadata": {"name": name},
            "spec": {
                "maxConcurrent": places,
                "namespaces": [self.operator.namespace],
                **spec,
            },
        }
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        self.names.append(name)
        return name

    def add(self, short: str, places: int, **spec: Any) -> str:
        """Create a pool that the operator knows before any job that is made now; its name."""
        name = self.put(short, places, **spec)
        self.cluster.until(f"a status of {name}", lambda: "conditions" in self.status(name))
        return name

    def status(self, name: str) -> dict[str, Any]:
        """What its status says."""
        found: dict[str, Any] = self.cluster.get("cipool", name).get("status", {})
        return found

    def until(self, name: str, **wanted: int) -> None:
        """Wait until its status says so."""
        self.cluster.until(
            f"{wanted} in {self.status(name)}",
            lambda: wanted.items() <= self.status(name).items(),
        )

    def remove(self) -> None:
        """Delete all of them."""
        for name in set(self.names):
            self.cluster.kubectl("delete", "cipool", name, "--ignore-not-found")


@pytest.fixture
def own(cluster: Cluster, crds: None, tmp_path: Path) -> Iterator[Operator]:
    """An operator and a namespace for one test: pools are told apart by namespace."""
    with fresh_namespace(cluster) as namespace:
        operator = Operator(cluster, namespace, tmp_path).start()
        yield operator
        assert operator.stop() == 0, operator.log.read_text()[-3000:]


@pytest.fixture
def pools(cluster: Cluster, own: Operator) -> Iterator[Pools]:
    """Pools of that namespace."""
    found = Pools(cluster, own)
    yield found
    found.remove()


@pytest.fixture(scope="module")
def fake_nodes(cluster: Cluster) -> Iterator[dict[str, str]]:
    """Nodes of two architectures that exist in the API only; architecture → name."""
    if cluster.provider != "local":
        pytest.skip("fake nodes are a seam that only the local cluster has")
    found = {}
    for architecture in ("amd64", "arm64"):
        (name,) = cluster.kind("create", "nodes", "--count=1", f"--arch={architecture}").split()
        cluster.kubectl("taint", "node", name, f"{KEY}=here:NoSchedule")
        cluster.kubectl("label", "node", name, f"{KEY}=here")
        found[architecture] = name
    yield found
    for name in found.values():
        cluster.kubectl("delete", "node", name)


FAKE: dict[str, Any] = {
    "nodeSelector": {KEY: "here"},
    "tolerations": [
        {"key": KEY, "operator": "Exists"},
        {"key": "kwok.x-k8s.io/node", "operator": "Exists"},
    ],
}


def submit_all(operator: Operator, *jobs: dict[str, Any]) -> None:
    """Create many jobs by one request each, of one kubectl."""
    body = {"apiVersion": "v1", "kind": "List", "items": list(jobs)}
    operator.cluster.kubectl("create", "-n", operator.namespace, "-f", "-", stdin=json.dumps(body))


def placed(operator: Operator) -> dict[str, str]:
    """The pool of every Pod, by its job."""
    found = operator.cluster.get("pods", "-n", operator.namespace)["items"]
    return {
        pod["metadata"]["labels"]["cijob.dev/job"]: pod["metadata"]["annotations"]["cijob.dev/pool"]
        for pod in found
    }


def until_placed(operator: Operator, count: int) -> None:
    """Wait for so many Pods: a job runs for its pool from its admission, before it has one."""
    operator.cluster.until(f"{count} Pods", lambda: len(placed(operator)) == count)


def created(operator: Operator) -> int:
    """How many Pods the operator says that it has created."""
    return operator.log.read_text().count("created a Pod")


def test_jobs_go_to_the_pool_of_their_processor(
    own: Operator, pools: Pools, fake_nodes: dict[str, str]
) -> None:
    intel = pools.add("intel", 4, architecture="amd64", toolchains=["gcc"], **FAKE)
    arm = pools.add("arm", 3, architecture="arm64", toolchains=["gcc", "rust"], **FAKE)
    submit_all(
        own,
        job("on-intel", script="true", architecture="x86_64"),
        job("on-arm", script="true", architecture="arm64"),
        job("with-rust", script="true", toolchains=["rust"]),
    )
    until_placed(own, 3)
    own.submit("anywhere", script="true", pool="auto")
    until_placed(own, 4)
    assert placed(own) == {"on-intel": intel, "on-arm": arm, "with-rust": arm, "anywhere": intel}
    nodes = {
        pod["metadata"]["labels"]["cijob.dev/job"]: pod["spec"].get("nodeName")
        for pod in own.cluster.get("pods", "-n", own.namespace)["items"]
    }
    own.cluster.until("Running", lambda: own.status("on-arm").get("reason") == "Running")
    assert nodes["on-intel"] in {None, fake_nodes["amd64"]}
    assert nodes["on-arm"] in {None, fake_nodes["arm64"]}
    assert own.status("on-arm")["pool"] == arm
    pools.until(intel, running=2, queued=0, nodes=1)
    pools.until(arm, running=2, queued=0, nodes=1)
    shown = own.cluster.kubectl("get", "cipool", intel).stdout
    assert intel in shown


def test_a_job_that_no_pool_can_run_says_so_at_once_and_a_new_pool_takes_it(
    own: Operator, pools: Pools
) -> None:
    pools.add("plain", 1, toolchains=["gcc"])
    own.submit("needs-rust", script="true", toolchains=["rust"])
    status = own.until_reason("needs-rust", "NoFittingPool")
    assert status["phase"] == "Queued"
    plain = pools.name("plain")
    assert status["message"] == f"pool {plain} lacks toolchains rust; it offers gcc"
    rust = pools.put("rust", 1, toolchains=["rust"])
    assert own.finished("needs-rust")["reason"] == "Completed"
    assert own.status("needs-rust")["pool"] == rust


def test_a_pool_is_obeyed_while_it_changes_and_lowering_kills_nobody(
    own: Operator, pools: Pools
) -> None:
    name = pools.add("only", 2)
    submit_all(own, *(job(f"lasts-{n}", **LASTS) for n in range(4)))
    pools.until(name, running=2, queued=2)
    until_placed(own, 2)
    pools.put("only", 0)
    waits = next(n for n in ("lasts-2", "lasts-3", "lasts-1", "lasts-0") if n not in placed(own))
    status = own.until_reason(waits, "WaitingForCapacity")
    assert status["message"].startswith(("all 2 places", "all 0 places"))
    pools.until(name, running=2, queued=2)
    pools.put("only", 3)
    pools.until(name, running=3, queued=1)
    until_placed(own, 3)
    for n in range(4):
        own.patch(f"lasts-{n}", desiredState="Cancelled")
    for n in range(4):
        assert own.finished(f"lasts-{n}")["reason"] == "Cancelled"
    pools.until(name, running=0, queued=0)


def test_limits_hold_for_submitters_and_namespaces(own: Operator, pools: Pools) -> None:
    name = pools.add("only", 10, limits={"perSubmitter": 1, "perNamespace": 2})
    jobs = []
    for who, number in (("ann", 1), ("ann", 2), ("bob", 1), ("zoe", 1)):
        manifest = job(f"{who}-{number}", **LASTS)
        manifest["metadata"]["annotations"] = {"cijob.dev/submitter": who}
        jobs.append(manifest)
    submit_all(own, *jobs)
    pools.until(name, running=2, queued=2)
    until_placed(own, 2)
    running = set(placed(own))
    assert len(running & {"ann-1", "ann-2"}) <= 1
    waits = next(n for n in ("zoe-1", "bob-1", "ann-2", "ann-1") if n not in running)
    status = own.until_reason(waits, "WaitingForCapacity")
    assert "holds all 2 places" in status["message"]


def test_one_of_a_group_runs_at_a_time(own: Operator) -> None:
    group = {"concurrency": {"group": "deploy"}}
    own.submit("first", **LASTS, **group)
    own.until_reason("first", "Running")
    own.submit("second", script="true", **group)
    status = own.until_reason("second", "WaitingForCapacity")
    assert status["message"].startswith("1 of at most 1 jobs of group deploy run")
    own.patch("first", desiredState="Cancelled")
    assert own.finished("second")["reason"] == "Completed"


def test_a_newer_job_supersedes_those_of_its_group(own: Operator) -> None:
    group = {"concurrency": {"group": "deploy", "supersede": True}}
    own.submit("1-runs", **LASTS, **group)
    own.until_reason("1-runs", "Running")
    own.submit("2-waits", **LASTS, concurrency={"group": "deploy"})
    own.until_reason("2-waits", "WaitingForCapacity")
    own.submit("3-newest", script="true", **group)
    assert own.finished("3-newest")["reason"] == "Completed"
    for name, ran in (("1-runs", True), ("2-waits", False)):
        status = own.finished(name)
        assert (status["phase"], status["reason"]) == ("Cancelled", "Superseded")
        assert bool(status.get("attempts")) == ran
    assert own.status("2-waits")["message"] == "job 3-newest of its group took its place"


def test_an_older_one_does_not_come_back_after_a_newer_one_is_done(own: Operator) -> None:
    """It fails, and would be tried again after a while; the newer one does not last that long."""
    group = {"concurrency": {"group": "deploy", "supersede": True}}
    own.submit("1-fails", script="exit 1", retry={"limit": 1, "backoffSeconds": 300}, **group)
    own.submit("2-held", script="true", suspend=True, **group)
    own.until_reason("2-held", "Suspended")
    own.until_reason("1-fails", "BackingOff")
    own.submit("3-newest", script="true", **group)
    assert own.finished("3-newest")["reason"] == "Completed"
    for name, attempts in (("1-fails", 1), ("2-held", 0)):
        assert own.finished(name)["reason"] == "Superseded"
        assert len(own.pods_ever(name)) == attempts


def test_killed_in_the_middle_of_a_hundred_admissions_no_limit_is_passed(
    own: Operator, pools: Pools, fake_nodes: dict[str, str]
) -> None:
    """Pods on a fake node never end: whoever was ever admitted is still there to be counted."""
    limits = {"perNamespace": 100, "perSubmitter": 60}
    own.stop()
    name = pools.put("only", 110, architecture="amd64", limits=limits, **FAKE)
    jobs = []
    for number in range(140):
        manifest = job(f"job-{number:03}", script="true", startTimeoutSeconds=3600)
        who = "ann" if number % 2 else "bob"
        manifest["metadata"]["annotations"] = {"cijob.dev/submitter": who}
        jobs.append(manifest)
    submit_all(own, *jobs)
    own.settings["CIJOB_WORKERS"] = "1"  # one at a time: there is a middle to be killed in
    kills = before = 0
    for so_many in range(10, 90, 10):
        own.start()
        own.cluster.until(f"{so_many} Pods", lambda most=so_many: created(own) >= most)  # type: ignore[misc]
        own.stop(signal.SIGKILL)
        there = len(placed(own))
        kills += before < there < 100
        before = there
    own.start()
    pools.until(name, running=100, queued=40)
    until_placed(own, 100)
    found = own.cluster.get("pods", "-n", own.namespace)["items"]
    owners = [pod["metadata"]["annotations"]["cijob.dev/submitter"] for pod in found]
    assert len(found) == 100
    assert max(owners.count("ann"), owners.count("bob")) <= 60
    assert kills >= 2, "it was never killed in the middle"
