"""Pulling plugs while work goes on: the operator is killed again and again, and jobs' processes.

`Supervised` does what a kubelet does: it starts the operator again whenever it has ended.
"""

import contextlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit import audit
from kit.cluster import Cluster
from kit.operator import Operator, job


class Supervised:
    """Keeps an operator running, and kills it at random moments if it is told to."""

    def __init__(self, operator: Operator, *, seed: int) -> None:
        self.operator = operator
        self.kills = 0
        self._random = random.Random(seed)
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def running(
        self, *, kills: int = 0, kill_between: tuple[float, float] = (0, 0)
    ) -> Iterator["Supervised"]:
        """Keep it running meanwhile; SIGKILL it so often, each time after so many seconds."""
        self.operator.start(wait=False)
        words = (kills, kill_between)
        self._thread = threading.Thread(target=self._supervise, args=words, daemon=True)
        self._thread.start()
        try:
            yield self
        finally:
            self._done.set()
            self._thread.join(timeout=30)
            self.operator.stop()

    def _supervise(self, kills: int, kill_between: tuple[float, float]) -> None:
        while not self._done.is_set():
            to_be_killed = self.kills < kills
            seconds = self._random.uniform(*kill_between) if to_be_killed else 0.2
            if self._done.wait(seconds):
                return
            process = self.operator.process
            assert process is not None
            if to_be_killed:
                process.kill()
                process.wait()
                self.kills += 1
            if process.poll() is not None:
                self.operator.start(wait=False)


def create_all(operator: Operator, jobs: dict[str, dict[str, Any]]) -> None:
    """Create many jobs with one command."""
    operator.cluster.apply(operator.namespace, *(job(name, **spec) for name, spec in jobs.items()))


def ends(operator: Operator) -> dict[str, tuple[str, str, int | None]]:
    """Phase, reason and exit code of every job of the namespace."""
    items = operator.cluster.get("cij", "-n", operator.namespace)["items"]
    return {
        item["metadata"]["name"]: (
            item["status"]["phase"],
            item["status"].get("reason", ""),
            item["status"].get("exitCode"),
        )
        for item in items
    }


def all_finished(operator: Operator, count: int) -> bool:
    """Whether so many jobs have finished; false also while the API server is away."""
    final = {"Succeeded", "Failed", "Error", "Cancelled"}
    path = '{range .items[*]}{.status.phase}{"\\n"}{end}'
    words = ("get", "cij", "-n", operator.namespace, f"-ojsonpath={path}")
    phases = operator.cluster.kubectl(*words, check=False).stdout.split()
    return sum(phase in final for phase in phases) == count


def kill_processes(marker: str) -> int:
    """SIGKILL every process of this machine that has the marker as a word of its command line.

    Containers of the local cluster are processes of this machine; the marker makes sure that they
    are a job of ours.
    """
    killed = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if marker.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    return killed


def pods_created(cluster: Cluster, namespace: str) -> list[str]:
    """The names of all Pods that were ever created in a namespace, one entry a creation."""
    created = []
    for event in audit.events(cluster, namespace):
        target = event["objectRef"]
        whole = target["resource"] == "pods" and "subresource" not in target
        if event["verb"] == "create" and whole and event["responseStatus"]["code"] == 201:
            created.append(target["name"])
    return created
