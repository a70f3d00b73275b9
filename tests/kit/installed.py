"""The product as its users have it: the chart in a cluster, and the real `ci` on their machine.

The release has a system namespace of its own and serves two teams' namespaces; `ci` finds it by the
kubeconfig, as it does for a person who has configured nothing.
"""

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.chart import Release
from kit.cluster import PATIENCE, ROOT, Cluster, fresh_namespace

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
CI = ROOT / ".venv" / "bin" / "ci"


@dataclass(frozen=True)
class Installed:
    """An installed release and a person's machine."""

    cluster: Cluster
    system: str
    namespace: str
    other: str  # another team's namespace
    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a person who has a kubeconfig and nothing else."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CI_")}
        return {
            **kept,
            "PATH": f"{self.cluster.kubectl_path.parent.resolve()}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "KUBECONFIG": str(self.cluster.kubeconfig.resolve()),
            "CI_SYSTEM_NAMESPACE": self.system,
            "CI_NAMESPACE": self.namespace,
            **self.settings,
            **more,
        }

    def ci(
        self, *words: str, cwd: Path | None = None, timeout: float = 600, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `ci` to its end; its output as it was, carriage returns and all."""
        done = subprocess.run(
            [str(CI), *words],
            cwd=cwd or self.home,
            env=self.environment(**env),
            capture_output=True,
            timeout=timeout,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def start(self, *words: str, cwd: Path | None = None, **env: str) -> "Started":
        """Start `ci`, to be read line by line."""
        return Started(
            subprocess.Popen(
                [str(CI), *words],
                cwd=cwd or self.home,
                env=self.environment(**env),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # What is read ahead by `line` would be lost to `rest`.
                bufsize=0,
            )
        )

    def job(self, name: str, namespace: str = "") -> dict[str, Any]:
        """A job as the API server has it."""
        found: dict[str, Any] = self.cluster.get("cij", "-n", namespace or self.namespace, name)
        return found

    def until_phase(self, name: str, phase: str) -> None:
        """Wait until a job is in a phase."""
        self.cluster.until(
            f"{phase} of {name}", lambda: self.job(name).get("status", {}).get("phase") == phase
        )


@dataclass(frozen=True)
class Started:
    """A `ci` that runs."""

    process: subprocess.Popen[bytes]

    def line(self) -> str:
        """The next line of its stdout."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert ready, f"no line came in {PATIENCE} s"
        return self.process.stdout.readline().decode()

    def rest(self, seconds: float = 300) -> tuple[str, str]:
        """What else it prints on stdout, and all of stderr, at its end."""
        out, err = self.process.communicate(timeout=seconds)
        return out.decode(), err.decode()

    @property
    def code(self) -> int | None:
        """Its exit code."""
        return self.process.returncode


@contextmanager
def installation(cluster: Cluster, home: Path) -> Iterator[Installed]:
    """The chart, installed for two teams; gone afterwards."""
    with (
        fresh_namespace(cluster) as system,
        fresh_namespace(cluster) as team,
        fresh_namespace(cluster) as other,
    ):
        release = Release(cluster, system)
        teams = f"{{{team},{other}}}"
        options = [f"--set=operator.namespaces={teams}", f"--set=jobNamespaces={teams}"]
        if CA_BUNDLE.exists():  # where this machine reaches its package index through its own CA
            options.append(f"--set-file=caBundle={CA_BUNDLE}")
        release.install(*options)
        yield Installed(cluster, system, team, other, home)
        release.uninstall()


@contextmanager
def forwarded(installed: Installed) -> Iterator[str]:
    """A port-forward to the gateway, as a person without `ci` makes it; its address."""
    words = ["port-forward", "-n", installed.system, "svc/cijob-gateway", ":80"]
    command = [str(installed.cluster.kubectl_path), f"--kubeconfig={installed.cluster.kubeconfig}"]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        try:
            yield "http://" + line.split()[2]
        finally:
            process.terminate()
