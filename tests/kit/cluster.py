"""The cluster under test as an object, and the smallest Pods to try it with.

Used by the tests in `tests/cluster`; made by the fixture `cluster` there.
"""

import contextlib
import fcntl
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
JOB_IMAGE = "cijob/python:dev"
# As `hack/build-images` names it: checkouts that share a cluster give their images tags.
IMAGE_TAG = os.environ.get("CIJOB_IMAGE_TAG") or "dev"
SYSTEM_IMAGE = f"cijob/cijob:{IMAGE_TAG}"
# How long to wait for what comes at once on an idle machine, and late on one that is not.
PATIENCE = 180


@dataclass(frozen=True)
class Cluster:
    """The cluster under test: kubectl with its kubeconfig, and the seams of `hack/kind`."""

    name: str
    kubeconfig: Path
    kubectl_path: Path
    provider: str

    def kubectl(
        self, *words: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl to its end. Raises CalledProcessError, with its output, if `check`."""
        command = [str(self.kubectl_path), f"--kubeconfig={self.kubeconfig}", *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=240)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}{done.stdout}")
        return done

    def get(self, *words: str) -> Any:
        """`kubectl get … -o json`, parsed."""
        return json.loads(self.kubectl("get", *words, "-ojson").stdout)

    def apply(self, namespace: str, *manifests: dict[str, Any]) -> None:
        """Apply manifests in a namespace."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(document))

    def kind(self, *words: str) -> str:
        """Run a command of `hack/kind` for this cluster and return what it prints."""
        return self._kind(*words, f"--name={self.name}")

    def in_node(self, *command: str, stdin: str = "") -> str:
        """Run a command in the local cluster's node and return what it prints."""
        return self._kind("exec", f"--name={self.name}", "--", *command, stdin=stdin)

    def _kind(self, *words: str, stdin: str = "") -> str:
        command = [str(ROOT / "hack" / "kind"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, input=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait(self, namespace: str, what: str, condition: str, seconds: int = PATIENCE) -> None:
        """`kubectl wait --for=…`, with a deadline."""
        timeout = f"--timeout={seconds}s"
        self.kubectl("wait", "-n", namespace, what, f"--for={condition}", timeout)

    def until(self, what: str, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Ask until `condition` is true. Fails, naming `what`, at the deadline."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
            time.sleep(0.1)

    def until_allowed(self, namespace: str, account: str, verb: str) -> None:
        """Wait until a ServiceAccount may do that to CIJobs: new rights do not count at once."""
        own = f"--as=system:serviceaccount:{namespace}:{account}"
        words = ("auth", "can-i", verb, "cijobs.cijob.dev", "-n", namespace, own)
        self.until(
            f"the right to {verb} of {account}",
            lambda: self.kubectl(*words, check=False).stdout == "yes\n",
        )


def pod(name: str, script: str, **container: Any) -> dict[str, Any]:
    """The smallest Pod that Pod Security `restricted` admits: one container that runs a script."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "job",
                    "image": JOB_IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-euc", script],
                    "securityContext": security,
                    **container,
                }
            ],
        },
    }


def terminated(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """The terminated state of a Pod's first container, once there is one."""

    def state() -> dict[str, Any] | None:
        statuses = cluster.get("pod", "-n", namespace, name)["status"].get("containerStatuses", [])
        return statuses[0]["state"].get("terminated") if statuses else None

    cluster.until(f"the end of {name}", state)
    ended = state()
    assert ended is not None
    return ended


def establish_resources(cluster: Cluster) -> None:
    """Put the custom resources of this tree into the cluster, and wait until they are served."""
    files = [f"-f{path}" for path in sorted((ROOT / "crds").glob("*.yaml"))]
    with (ROOT / ".local" / "crds.lock").open("w") as lock:
        # Several workers on a fresh cluster would create the same resource at the same moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster.kubectl("apply", "--server-side", "--force-conflicts", *files)
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=120s", *files)
        # Lists of a new kind answer 429 for about a second.
        listed = ("get", "cijobs,cijobtemplates,cipools", "--all-namespaces")
        cluster.until("lists", lambda: not cluster.kubectl(*listed, check=False).returncode)


@contextlib.contextmanager
def fresh_namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that enforces Pod Security `restricted`, gone afterwards."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    account = ("get", "serviceaccount", "default", "-n", name)
    cluster.until(
        "the ServiceAccount", lambda: not cluster.kubectl(*account, check=False).returncode
    )
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
