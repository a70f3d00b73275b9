"""Many finished CIJobs: how large the operator gets, and how soon it is ready after a restart."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks import manifests
from benchmarks.api import JOBS, Api, Json
from benchmarks.figures import Figure, Result
from benchmarks.operator_process import OperatorProcess

TARGET_MEMORY_MB = 200
TARGET_READY_SECONDS = 15


async def forge(api: Api, namespace: str, count: int) -> None:
    """Make `count` CIJobs that have finished, without an operator and without Pods."""
    path = f"{JOBS}/namespaces/{namespace}/cijobs"
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = [f"run-{number:026d}" for number in range(count)]
    await api.send_all(("POST", path, manifests.cijob(name)) for name in names)

    def statuses() -> Iterator[tuple[str, str, Json]]:
        for number, name in enumerate(names):
            uid = f"00000000-0000-4000-8000-{number:012d}"
            status = {"status": manifests.finished_status(name, uid, moment)}
            yield "PATCH", f"{path}/{name}/status", status

    await api.send_all(statuses())


async def measure(operator: OperatorProcess, count: int) -> Result:
    """The figures of an operator that was started with all of them there."""
    at_ready = operator.memory_mb()
    await operator.settled()
    cpu = operator.cpu_seconds()
    await asyncio.sleep(10)
    figures = (
        Figure("start → ready", operator.ready_seconds, "s", TARGET_READY_SECONDS),
        Figure("operator RSS at ready", at_ready, "MB"),
        Figure("operator RSS, settled", operator.memory_mb(), "MB", TARGET_MEMORY_MB),
        Figure("operator RSS at most", operator.memory_mb("VmHWM"), "MB"),
        Figure("operator CPU until settled", cpu, "s"),
        Figure("operator CPU when idle", (operator.cpu_seconds() - cpu) * 10, "%"),
    )
    return Result("memory", f"{count} finished jobs", figures)
