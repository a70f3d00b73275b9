"""The chart under test: rendered as text, or installed in a namespace of the cluster under test.

An installed release looks after its own namespace only, so that it shares the cluster with other
operators; the custom resources are the session's.
"""

import subprocess
from dataclasses import dataclass
from typing import Any

import yaml

from kit.cluster import IMAGE_TAG, ROOT, Cluster

CHART = ROOT / "charts" / "cijob"
HELM = ROOT / ".local" / "bin" / "helm"


def helm(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run helm to its end. Fails, with its output, if `check`."""
    done = subprocess.run([str(HELM), *words], capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done


def rendered(*options: str, release: str = "cijob") -> list[dict[str, Any]]:
    """The manifests of the chart with these options, for a cluster that never saw it."""
    words = ("template", release, str(CHART), "--namespace=system", "--kube-version=1.34.0")
    documents = yaml.safe_load_all(helm(*words, *options).stdout)
    return [document for document in documents if document]


def refusal(*options: str) -> str:
    """Helm's words when it refuses to render the chart with these options."""
    words = ("template", "cijob", str(CHART), "--namespace=system", "--kube-version=1.34.0")
    done = helm(*words, *options, check=False)
    assert done.returncode != 0, f"{options} was accepted"
    return done.stderr


def find(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The one manifest of that kind and name."""
    (found,) = [d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    return found


@dataclass(frozen=True)
class Release:
    """The release `cijob` in a namespace of its own."""

    cluster: Cluster
    namespace: str

    def install(self, *options: str) -> None:
        """Install it and wait until all of it is ready."""
        self._helm("install", "cijob", str(CHART), *self._options(), *options)

    def upgrade(self, *options: str) -> None:
        """Upgrade it and wait until all of it is ready."""
        self._helm("upgrade", "cijob", str(CHART), *self._options(), *options)

    def test(self) -> str:
        """Run `helm test`; what it says, the log of its Pod included."""
        return self._helm("test", "cijob", "--timeout=180s")

    def uninstall(self) -> None:
        """Uninstall it and wait until nothing of it runs."""
        self._helm("uninstall", "cijob", "--wait", "--timeout=180s")

    def installed(self) -> bool:
        """Whether there is such a release."""
        return "cijob" in self._helm("list", "--all", "--short").split()

    def _options(self) -> tuple[str, ...]:
        only_here = f"--set=operator.namespaces={{{self.namespace}}}"
        tag = f"--set=image.tag={IMAGE_TAG}"
        return ("--set=crds.install=false", only_here, tag, "--wait", "--timeout=180s")

    def _helm(self, *words: str) -> str:
        common = (f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={self.namespace}")
        return helm(*words, *common).stdout
