"""The operator as a process on this machine: start, readiness, CPU and memory from /proc."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import aiohttp

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class OperatorProcess:
    """A running operator, ready."""

    pid: int
    port: int
    ready_seconds: float  # from its start
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Resident memory in MB (10^6 bytes); `VmHWM` for the highest ever."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"{what}:\s+(\d+) kB", text)
        return int(found[1]) * 1024 / 1e6 if found else 0.0

    async def metrics(self) -> str:
        """What /metrics says."""
        return await ask(self.port, "/metrics")

    async def settled(self, *, quiet_seconds: float = 3, limit_seconds: float = 120) -> None:
        """Wait until it leads and has hardly used any CPU for a while."""
        until = perf_counter() + limit_seconds
        while perf_counter() < until:
            before = self.cpu_seconds()
            await asyncio.sleep(quiet_seconds)
            quiet = self.cpu_seconds() - before < 0.02 * quiet_seconds
            if quiet and "cijob_leading 1.0" in await self.metrics():
                return


@asynccontextmanager
async def operator(
    kubeconfig: Path,
    namespace: str,
    log: Path,
    *,
    settings: Mapping[str, str] | None = None,
    profile: Path | None = None,
) -> AsyncIterator[OperatorProcess]:
    """Run an operator for one namespace while the block runs. Its output goes to `log`.

    With `profile`, cProfile writes there at the end; it doubles the CPU time that is measured.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "CIJOB_NAMESPACES": namespace,
        "CIJOB_SYSTEM_NAMESPACE": namespace,
        "CIJOB_PORT": str(port),
        **(settings or {}),
    }
    began = perf_counter()
    with log.open("wb") as output:
        profiler = ["-m", "cProfile", "-o", str(profile)] if profile else []
        command = [sys.executable, *profiler, "-m", "cijob_operator"]
        process = subprocess.Popen(  # noqa: ASYNC220
            command, env=environment, stdout=output, stderr=output
        )
    try:
        while await ask(port, "/readyz") != "ok\n":
            if process.poll() is not None:
                raise RuntimeError(f"the operator ended; its output is in {log}")
            await asyncio.sleep(0.02)
        yield OperatorProcess(process.pid, port, perf_counter() - began, log)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)


async def ask(port: int, path: str) -> str:
    """What an HTTP endpoint of the operator answers; empty while it does not."""
    try:
        url = f"http://127.0.0.1:{port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.text()
    except (aiohttp.ClientError, OSError):
        return ""


def writes(metrics: str) -> float:
    """The sum of all API writes in the text of /metrics."""
    found = re.findall(r"^cijob_api_writes_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    return sum(float(value) for value in found)
