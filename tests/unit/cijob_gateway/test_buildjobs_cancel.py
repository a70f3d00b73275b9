"""What the cancel of a build job is answered with, by what became of it meanwhile."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cijob_gateway.routes.buildjobs import LATE, Builds, cancel

Json = dict[str, Any]


class Cancelling:
    """The build jobs of a caller who has all rights: one, which ends in time or does not."""

    def __init__(self, phase: str, *, ends: bool) -> None:
        self.metadata = {"name": "b1", "namespace": "ci", "uid": "u1", "resourceVersion": "1"}
        self.phase, self.ends = phase, ends
        self.cancelled: list[str] = []
        self.patience: list[float] = []
        self.parts = SimpleNamespace(jobs=self)

    async def find(self, _: str) -> Json:
        metadata = {**self.metadata, "creationTimestamp": "2026-01-01T00:00:00Z"}
        return {"metadata": metadata, "spec": {"image": "x"}, "status": {"phase": self.phase}}

    async def require(self, verb: str, name: str) -> None:
        assert (verb, name) == ("patch", "b1")

    async def cancel(self, job: Json) -> None:
        self.cancelled.append(job["metadata"]["name"])

    async def ended(self, _: Json, *, patience_seconds: float) -> bool:
        self.patience.append(patience_seconds)
        return self.ends


@pytest.mark.parametrize(
    ("phase", "ends", "waited", "words"),
    [
        ("Queued", True, [30.0], "cancelled successfully"),
        ("Queued", False, [30.0], f"will be cancelled; {LATE}"),
        ("Running", False, [], "cancelled successfully"),
    ],
)
def test_one_that_waits_is_said_to_be_cancelled_once_it_is(
    phase: str, *, ends: bool, waited: list[float], words: str
) -> None:
    jobs = Cancelling(phase, ends=ends)
    answer = asyncio.run(cancel("u1", cast("Builds", jobs)))
    assert answer.message == f"Build job u1 {words}"
    assert (jobs.cancelled, jobs.patience) == (["b1"], waited)
