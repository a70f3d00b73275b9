"""Many CIJobs at once on fake nodes: when all are finished, and what it costs the operator."""

import asyncio
from collections import Counter
from time import perf_counter

from benchmarks import manifests
from benchmarks.api import JOBS, Api, Json, watching
from benchmarks.echo import is_finished
from benchmarks.figures import Figure, Result
from benchmarks.operator_process import OperatorProcess, writes

TARGET_CPU_MS = 10
TARGET_MEMORY_MB = 130
LIMIT_SECONDS = 600


async def run(api: Api, namespace: str, operator: OperatorProcess, count: int) -> Result:
    """Create `count` CIJobs and wait for the last; the operator's pool must have the nodes."""
    path = f"{JOBS}/namespaces/{namespace}/cijobs"
    finished: dict[str, float] = {}
    phases: Counter[str] = Counter()
    everything = asyncio.Event()

    def seen(_: str, body: Json, now: float) -> None:
        name, status = body["metadata"]["name"], body.get("status") or {}
        if name not in finished and is_finished(status):
            finished[name] = now
            phases[status["phase"]] += 1
        if len(finished) == count:
            everything.set()

    await operator.settled()
    cpu, memory = operator.cpu_seconds(), operator.memory_mb()
    async with watching(api, {path: seen}):
        began = perf_counter()
        jobs = (("POST", path, manifests.cijob(f"burst-{n}")) for n in range(count))
        await api.send_all(jobs)
        created = perf_counter()
        async with asyncio.timeout(LIMIT_SECONDS):
            await everything.wait()
    used = operator.cpu_seconds() - cpu
    written = writes(await operator.metrics())
    figures = (
        Figure("not Succeeded", count - phases["Succeeded"], "", 0),
        Figure("all created", created - began, "s"),
        Figure("all finished", max(finished.values()) - began, "s"),
        Figure("operator CPU per job", used / count * 1000, "ms", TARGET_CPU_MS),
        Figure("operator writes per job", written / count),
        Figure("operator RSS before", memory, "MB"),
        Figure("operator RSS after", operator.memory_mb(), "MB", TARGET_MEMORY_MB),
        Figure("operator RSS at most", operator.memory_mb("VmHWM"), "MB"),
    )
    return Result("burst", f"{count} jobs at once on fake nodes", figures)
