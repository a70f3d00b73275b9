"""What the servers under test have in common: real processes, started, asked, measured and ended.

Used by the kits of operator, gateway and archiver.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from kit.cluster import Cluster

Process = subprocess.Popen[bytes]


def environment(cluster: Cluster, namespace: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server that looks after one namespace."""
    return {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig.resolve()),
        "CIJOB_NAMESPACES": namespace,
        "CIJOB_SYSTEM_NAMESPACE": namespace,
        **settings,
    }


def start(module: str, log: Path, variables: Mapping[str, str]) -> Process:
    """Start `python -m module`; its output is appended to a file."""
    with log.open("ab") as output:
        command = [sys.executable, "-m", module]
        return subprocess.Popen(command, stderr=output, stdout=output, env=dict(variables))


def must_run(process: Process | None, log: Path) -> None:
    """Fail, with the end of its log, if a server has ended."""
    assert process is not None
    assert process.poll() is None, log.read_text()[-3000:]


def stop(process: Process | None, number: signal.Signals, *, seconds: float) -> int:
    """Send a signal to a server that runs; its exit code."""
    assert process is not None
    if process.poll() is None:
        process.send_signal(number)
    return process.wait(timeout=seconds)


def ask(port: int, path: str) -> str:
    """What an HTTP endpoint answers; empty while it does not."""
    try:
        url = f"http://127.0.0.1:{port}{path}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            content: bytes = answer.read()
            return content.decode()
    except (urllib.error.URLError, OSError):
        return ""


def metric(text: str, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def resident_bytes(process: Process | None, *, peak: bool) -> int:
    """The memory that a server has now, or the most that it ever had."""
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    field = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now.

    From below the ports that Linux gives to connections, and of this pytest worker's own share: it
    is used some time later, and again after a restart.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _ in range(100):
        port = 12_000 + 2_000 * (worker % 8) + secrets.randbelow(2_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports were tried, and each is in use")
