"""The operator under test: a real process, on one namespace of the real cluster.

It can be started, stopped, killed and frozen like any process; its log and metrics are at hand.
"""

import json
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit import servers
from kit.cluster import JOB_IMAGE, SYSTEM_IMAGE, Cluster

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

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 20) -> int:
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

    def finished(self, name: str, seconds: int = 60) -> dict[str, Any]:
        """The job's status once it has finished, as `kubectl wait` sees it."""
        self.cluster.wait(self.namespace, f"cij/{name}", "condition=Finished", seconds)
        return self.status(name)

    def until_reason(self, name: str, reason: str, seconds: float = 60) -> dict[str, Any]:
        """The job's status once it has that reason."""
        self.cluster.until(
            f"{reason} of {name}", lambda: self.status(name).get("reason") == reason, seconds
        )
        return self.status(name)

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
