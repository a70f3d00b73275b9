"""Plugs are pulled while jobs run: every job ends as it should, and no attempt has two Pods.

Short here; `make soak` (CIJOB_SOAK=1) runs the long versions.
"""

import os
import random
import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import chaos
from kit.cluster import Cluster
from kit.operator import Operator

LONG = os.environ.get("CIJOB_SOAK") == "1"
pytestmark = [pytest.mark.seam, pytest.mark.alone]


@pytest.fixture
def idle(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator that is not started yet, in a namespace of its own."""
    operator = Operator(cluster, namespace, tmp_path)
    yield operator
    if operator.process and operator.process.poll() is None:
        operator.stop(signal.SIGKILL)


def assert_one_pod_an_attempt(operator: Operator) -> None:
    """Names are deterministic, so two Pods of an attempt would be two creations of a name."""
    created = Counter(chaos.pods_created(operator.cluster, operator.namespace))
    assert created
    assert {name: count for name, count in created.items() if count > 1} == {}


def assert_nothing_is_left(operator: Operator) -> None:
    """Deleting the jobs takes everything of theirs along."""
    words = ("-n", operator.namespace)
    operator.cluster.kubectl("delete", "cij", *words, "--all", "--wait=false")
    operator.cluster.until(
        "the end of all Pods", lambda: not operator.cluster.get("pods", *words)["items"], 120
    )


def test_an_operator_killed_again_and_again_loses_and_doubles_nothing(idle: Operator) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    count, kills, victims = (200, 40, 40) if LONG else (24, 6, 4)
    run = secrets.token_hex(4)
    jobs: dict[str, dict[str, Any]] = {}
    expected: dict[str, tuple[str, str, int]] = {}
    for number in range(count):
        name = f"job-{number}"
        if number < victims:
            jobs[name] = {
                "command": ["python3", "-c", "import time; time.sleep(300)", f"{run}-{name}"]
            }
            expected[name] = ("Failed", "CommandFailed", 137)
            continue
        code = dice.choice([0, 0, 0, 3])
        jobs[name] = {"script": f"sleep {dice.uniform(0, 2):.2f}; exit {code}"}
        expected[name] = ("Failed", "CommandFailed", 3) if code else ("Succeeded", "Completed", 0)
    chaos.create_all(idle, jobs)
    left = {f"job-{number}" for number in range(victims)}

    def kill_and_look() -> bool:
        for name in sorted(left):
            if chaos.kill_processes(f"{run}-{name}"):
                left.discard(name)
        return not left and chaos.all_finished(idle, count) and supervised.kills >= kills

    between = (0.5, 4.0)  # a start takes about 2 s: some starts are cut short, some are not
    with chaos.Supervised(idle, seed=seed).running(kills=kills, kill_between=between) as supervised:
        idle.cluster.until(f"the end of {count} jobs", kill_and_look, 1200 if LONG else 240)
    assert supervised.kills >= kills
    assert chaos.ends(idle) == expected
    assert_one_pod_an_attempt(idle)
    assert_nothing_is_left(idle)


@pytest.mark.usefixtures("whole_again")
def test_restarts_of_api_server_and_kubelet_lose_and_double_nothing(idle: Operator) -> None:
    count, restarts, kubelets = (100, 5, 2) if LONG else (16, 2, 1)
    jobs = {f"job-{n}": {"script": f"sleep {n % 4}; exit {n % 2 * 5}"} for n in range(count)}
    expected = {
        f"job-{n}": ("Failed", "CommandFailed", 5) if n % 2 else ("Succeeded", "Completed", 0)
        for n in range(count)
    }
    with chaos.Supervised(idle, seed=1).running():
        chaos.create_all(idle, jobs)
        plan = ["kube-apiserver"] * restarts + ["kubelet"] * kubelets
        for done, component in enumerate(plan, 1):
            _await_start_of(idle, count * done // (len(plan) + 1))
            idle.cluster.kind("kill", "component", component)
            idle.cluster.kind("start", "component", component)
        idle.cluster.until(f"the end of {count} jobs", lambda: chaos.all_finished(idle, count), 600)
    assert chaos.ends(idle) == expected
    assert_one_pod_an_attempt(idle)
    assert_nothing_is_left(idle)


def _await_start_of(operator: Operator, share: int) -> None:
    words = ("get", "pods", "-n", operator.namespace, "-oname")

    def started() -> bool:
        return len(operator.cluster.kubectl(*words, check=False).stdout.split()) >= share

    operator.cluster.until(f"the start of {share} jobs", started, 240)


def test_a_leader_frozen_beyond_its_lease_starts_nothing_when_it_wakes(idle: Operator) -> None:
    quick = {"CIJOB_LEASE_SECONDS": "9"}
    first = Operator(idle.cluster, idle.namespace, idle.folder, quick, "first").start()
    first.submit("before", command=["true"])
    first.finished("before")
    second = Operator(idle.cluster, idle.namespace, idle.folder, quick, "second").start()
    try:
        first.send(signal.SIGSTOP)
        idle.submit("meanwhile", script="sleep 2")
        assert second.finished("meanwhile")["phase"] == "Succeeded"
        idle.submit("at-waking", script="sleep 2")
        first.send(signal.SIGCONT)
        assert first.process is not None
        assert first.process.wait(timeout=120) == 1
        assert second.finished("at-waking")["phase"] == "Succeeded"
        assert "ending, to be started afresh" in first.log.read_text()
        assert_one_pod_an_attempt(idle)
    finally:
        for operator in (first, second):
            operator.stop(signal.SIGKILL)
