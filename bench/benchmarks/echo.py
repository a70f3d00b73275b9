"""`echo`, side by side: a bare Pod, a CIJob and a batch Job, each from its creation to its end.

They alternate in random order with random gaps: with regular ones the kubelet's relist of once a
second would lock the phase, and favour one of them in every run.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from time import perf_counter

from benchmarks import manifests
from benchmarks.api import JOBS, Api, Json, watching
from benchmarks.figures import Figure, Result, spread

GAP_SECONDS = (0.3, 1.3)
TARGET_RATIO = 0.45
TARGET_ADDED_MS = 50
LIMIT_SECONDS = 60


class Ends:
    """When the end of each object was first seen by a watch."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], float] = {}
        self._events: dict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    def follow(self, kind: str, has_ended: Callable[[Json], bool]) -> Callable[..., None]:
        """A watcher that notes the first time `has_ended` is true of an object."""

        def seen(_: str, body: Json, now: float) -> None:
            key = (kind, body["metadata"]["name"])
            if key not in self.seen and has_ended(body.get("status") or {}):
                self.seen[key] = now
                self._events[key].set()

        return seen

    async def of(self, kind: str, name: str) -> float:
        """The moment of that end, once it has come."""
        async with asyncio.timeout(LIMIT_SECONDS):
            await self._events[kind, name].wait()
        return self.seen[kind, name]


async def run(api: Api, namespace: str, rounds: int) -> Result:
    """Measure `rounds` of each kind in a namespace that an operator looks after."""
    ends = Ends()
    core, batch = f"/api/v1/namespaces/{namespace}", f"/apis/batch/v1/namespaces/{namespace}"
    kinds = {
        "pod": (f"{core}/pods", manifests.pod),
        "cijob": (f"{JOBS}/namespaces/{namespace}/cijobs", manifests.cijob),
        "job": (f"{batch}/jobs", manifests.batch_job),
    }
    succeeded, containers = ends.follow("pod", is_succeeded), ends.follow("container", is_over)

    def pods(kind: str, body: Json, now: float) -> None:
        succeeded(kind, body, now)
        containers(kind, body, now)

    watches = {
        kinds["pod"][0]: pods,
        kinds["cijob"][0]: ends.follow("cijob", is_finished),
        kinds["job"][0]: ends.follow("job", is_complete),
    }
    took: dict[str, list[float]] = defaultdict(list)
    async with watching(api, watches):
        for number in range(rounds + 1):
            for kind in random.sample(list(kinds), len(kinds)):
                path, manifest = kinds[kind]
                name = f"{kind}-{number}"
                began = perf_counter()
                await api.send("POST", path, manifest(name))
                seconds = await ends.of(kind, name) - began
                if number:  # the first round warms up
                    took[kind].append(seconds)
                await asyncio.sleep(random.uniform(*GAP_SECONDS))  # noqa: S311
    numbers = range(1, rounds + 1)
    at = ends.seen
    added = [at["cijob", f"cijob-{n}"] - at["container", f"cijob-{n}-1"] for n in numbers]
    return summary(took, added)


def summary(took: dict[str, list[float]], added: list[float]) -> Result:
    """The figures of all rounds."""
    ratio = median(took["cijob"]) / median(took["pod"])
    reference = median(took["job"]) / median(took["pod"])
    figures = [
        *spread("bare Pod, create → Succeeded", took["pod"]),
        *spread("CIJob, create → Finished", took["cijob"]),
        *spread("batch Job, create → Complete", took["job"]),
        Figure("CIJob ÷ bare Pod", ratio, "", TARGET_RATIO),
        Figure("batch Job ÷ bare Pod", reference),
        *spread("container's end seen → Finished seen", added, at_most=TARGET_ADDED_MS),
    ]
    return Result("echo", f"{len(added)} of each, interleaved", tuple(figures))


def is_succeeded(status: Json) -> bool:
    """A Pod's end, as its phase tells it."""
    return bool(status.get("phase") == "Succeeded")


def is_over(status: Json) -> bool:
    """A Pod's end, as its container's own state tells it."""
    return any("terminated" in c["state"] for c in status.get("containerStatuses", []))


def is_finished(status: Json) -> bool:
    """A CIJob's end."""
    return is_true(status, "Finished")


def is_complete(status: Json) -> bool:
    """A batch Job's end."""
    return is_true(status, "Complete")


def is_true(status: Json, kind: str) -> bool:
    """Whether a condition holds."""
    conditions = status.get("conditions") or []
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)
