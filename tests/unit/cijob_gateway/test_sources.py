"""A source that a job is about to name, and a sweep that is about to remove it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from cijob_api.specs import CIJobSpec
from cijob_gateway.errors import Invalid, SourceMissing
from cijob_gateway.sources import Sources
from cijob_gateway.store import Stored, source_name

NOW = datetime(2026, 1, 10, tzinfo=UTC)
A = "a" * 64
NAME = source_name("team", A)


class Bucket:
    """One source, used so many days ago."""

    def __init__(self, days: float) -> None:
        self.objects = {NAME: Stored(NAME, 7, NOW - timedelta(days=days))}
        self.ageing = asyncio.Lock()
        self.touched = 0

    async def find(self, name: str) -> Stored | None:
        return self.objects.get(name)

    async def touch(self, name: str) -> None:
        if name not in self.objects:
            raise FileNotFoundError(name)
        self.touched += 1


def spec(size: int = 7) -> CIJobSpec:
    archive = {"sha256": A, "sizeBytes": size}
    return CIJobSpec.model_validate({"image": "alpine", "source": {"archive": archive}})


async def use(bucket: Bucket, namespace: str = "team", size: int = 7) -> None:
    await Sources(cast("Any", bucket), now=lambda: NOW).use(spec(size), namespace)


def test_one_of_another_namespace_or_size_is_refused() -> None:
    with pytest.raises(SourceMissing):
        asyncio.run(use(Bucket(0), "other"))
    with pytest.raises(Invalid, match="has 7 bytes, not 8"):
        asyncio.run(use(Bucket(0), size=8))


@pytest.mark.parametrize(("days", "touched"), [(0.5, 0), (2, 1)])
def test_one_that_was_not_used_for_a_day_is_in_use_anew(days: float, touched: int) -> None:
    bucket = Bucket(days)
    asyncio.run(use(bucket))
    assert bucket.touched == touched


def test_one_that_a_sweep_is_removing_is_missing_rather_than_touched() -> None:
    async def main() -> None:
        bucket = Bucket(8)
        async with bucket.ageing:  # the sweep has looked: it is old
            submit = asyncio.create_task(use(bucket))
            await asyncio.sleep(0)  # it finds the source, and waits
            del bucket.objects[NAME]
        with pytest.raises(SourceMissing, match="just removed"):
            await submit

    asyncio.run(main())
