"""The operator under test: a real process, on one namespace of the real cluster.

It can be started, stopped, killed and frozen like any process; its log and metrics are at hand.
"""

import json
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit import gates, servers
from kit.cluster import JOB_IMAGE, PATIENCE, SYSTEM_IMAGE, Cluster

SMALL = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}}


@dataclass
class Operator:
    """An operator process and the namespace it looks after."""

    cluster: Cluster
    namespace: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    identity: str = "operator"
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    @property
    def log(self) -> Path:
        """Its output: one JSON object a line."""
        return self.folder / f"{self.identity}.log"

    def start(self, *, wait: bool = True) -> "Operator":
        """Start it; it is ready when its first full list is in."""
        self.port = servers.free_port()
        own = {"CIJOB_PORT": str(self.port), "POD_NAME": self.identity}
        own |= {"CIJOB_AGENT_IMAGE": SYSTEM_IMAGE, **self.settings}
        variables = servers.environment(self.cluster, self.namespace, own)
        self.process = servers.start("cijob_operator", self.log, variables)
        if wait:
            self.cluster.until(f"readiness of {self.identity}", self.is_ready)
        return self

    def is_ready(self) -> bool:
        """Whether /readyz says so; fails if the process has ended."""
        servers.must_run(self.process, self.log)
        return self.ask("/readyz") == "ok\n"

    def ask(self, path: str) -> str:
        """What an HTTP endpoint of it answers; empty while it does not."""
        return servers.ask(self.port, path)

    def leads_again(self) -> bool:
        """Whether it leads; started anew first if it has ended, as a kubelet does.

        For after an outage of the API server that may have been longer than its lease.
        """
        assert self.process is not None
        if self.process.poll() is not None:
            self.start(wait=False)
        return "cijob_leading 1.0" in self.ask("/metrics")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 60) -> int:
        """End it and return its exit code."""
        return servers.stop(self.process, number, seconds=seconds)

    def lines(self) -> list[dict[str, Any]]:
        """Its log, parsed."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    # -- jobs in its namespace ------------------------------------------------------------------

    def submit(self, name: str, **spec: Any) -> str:
        """Create a CIJob by kubectl; a small image and small resources unless it says others."""
        manifest = job(name, **spec)
        self.cluster.kubectl("create", "-n", self.namespace, "-f", "-", stdin=json.dumps(manifest))
        return name

    def patch(self, name: str, **spec: Any) -> None:
        """Change fields of a job's spec."""
        change = json.dumps({"spec": spec})
        self.cluster.kubectl(
            "patch", "cij", "-n", self.namespace, name, "--type=merge", "-p", change
        )

    def status(self, name: str) -> dict[str, Any]:
        """The job's status now."""
        status: dict[str, Any] = self.cluster.get("cij", "-n", self.namespace, name)["status"]
        return status

    def finished(self, name: str, seconds: int = PATIENCE) -> dict[str, Any]:
        """The job's status once it has finished, as `kubectl wait` sees it."""
        self.cluster.wait(self.namespace, f"cij/{name}", "condition=Finished", seconds)
        return self.status(name)

    def until_reason(self, name: str, reason: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The job's status as it was when it had that reason, which may have gone since."""
        found: dict[str, Any] = {}

        def has_it() -> bool:
            found.clear()
            found.update(self.status(name))
            return found.get("reason") == reason

        self.cluster.until(f"{reason} of {name}", has_it, seconds)
        return found

    def send_on(self, name: str, attempt: int = 1) -> None:
        """Let a job go on that waits for it (`gates.WAITS`)."""
        gates.send_on(self.cluster, self.namespace, name, attempt)

    def late_starts(self, name: str) -> list[int]:
        """The attempts of a job whose start took so long that its status told of it."""
        return late_starts(self.lines(), f"{self.namespace}/{name}")

    def pods_ever(self, name: str) -> list[str]:
        """The names of all Pods that it has created for a job, those that are gone included."""
        told = f"{self.namespace}/{name}"
        made = [line for line in self.lines() if line["message"] == "created a Pod"]
        return [line["pod"] for line in made if line["job"] == told]

    def forge(self, pod: str, **status: Any) -> None:
        """Change a Pod's status as a kubelet or controller would, on the real API server."""
        words = ("patch", "pod", "-n", self.namespace, pod, "--subresource=status")
        self.cluster.kubectl(*words, "--type=strategic", "-p", json.dumps({"status": status}))

    def delete_pod(self, pod: str) -> None:
        """Force a Pod out of the API server: nobody hears how its container ended."""
        self.cluster.kubectl(
            "delete", "pod", "-n", self.namespace, pod, "--force", "--grace-period=0"
        )

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The job's Pods, by attempt."""
        found = self.cluster.get("pods", "-n", self.namespace, "-l", f"cijob.dev/job={name}")
        items: list[dict[str, Any]] = found["items"]
        return sorted(items, key=lambda pod: int(pod["metadata"]["labels"]["cijob.dev/attempt"]))


def late_starts(log: list[dict[str, Any]], job: str) -> list[int]:
    """By an operator's log: the attempts of a job whose start its status told of.

    Of a Pod that starts within 5 s nothing is written until it runs.
    """
    attempt, late = 0, []
    for line in log:
        if line.get("job") == job:
            attempt += line["message"] == "created a Pod"
            if line.get("reason") in {"Starting", "PullingImage"}:
                late.append(attempt)
    return late


def job(name: str, **spec: Any) -> dict[str, Any]:
    """A CIJob manifest with a small image and small resources unless it says others."""
    base: dict[str, Any] = {"resources": SMALL}
    if "templateRef" not in spec:
        base["image"] = JOB_IMAGE
    return {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJob",
        "metadata": {"name": name},
        "spec": {**base, **spec},
    }
