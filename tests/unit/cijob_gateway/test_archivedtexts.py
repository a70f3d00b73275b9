"""The text of a job that has ended is all its attempts' logs, whatever its status still names."""

import asyncio
from typing import Any

import pytest

from cijob_api.objects import CIJob
from cijob_gateway.logs.archivedtexts import ArchivedText, archived_text
from kit.kubelet import stamp
from kit.objects import Archive, MemoryStore
from unit.cijob_gateway.notifying import ARCHIVED, attempt, job


def ended(*numbers: int, **more: Any) -> CIJob:
    """A job that has ended, whose status names these attempts."""
    attempts = [attempt(number, 1) for number in numbers]
    return job(status={"phase": "Failed", "attempts": attempts, **ARCHIVED, **more})


async def stored(store: MemoryStore, *numbers: int) -> None:
    """One line each of these attempts."""
    for number in numbers:
        archive = Archive(store, "team", "u-1", number)
        await archive.add((stamp(number), b"attempt %d\n" % number))
        await archive.finish()


async def read(text: ArchivedText) -> bytes:
    return b"".join([piece async for piece in text.read(0, text.size)])


@pytest.mark.parametrize("named", [(1, 2, 3), (3,), (2, 3)])
def test_attempts_that_a_status_names_no_more_are_in_the_text(named: tuple[int, ...]) -> None:
    async def run() -> None:
        store = MemoryStore()
        await stored(store, 1, 2, 3)
        text = await archived_text(store, ended(*named), None)
        assert text
        assert await read(text) == b"attempt 1\nattempt 2\nattempt 3\n"
        second = await archived_text(store, ended(*named), 2)
        assert second
        assert (await read(second), second.complete) == (b"attempt 2\n", True)

    asyncio.run(run())


def test_an_attempt_without_a_log_is_left_out() -> None:
    async def run() -> None:
        store = MemoryStore()
        await stored(store, 2, 10, 11)
        text = await archived_text(store, ended(11), None)
        assert text
        assert await read(text) == b"attempt 2\nattempt 10\nattempt 11\n"
        assert await archived_text(store, ended(11), 3) is None

    asyncio.run(run())


def test_what_may_grow_or_cannot_be_known_is_no_text() -> None:
    async def run() -> None:
        store = MemoryStore()
        await stored(store, 1, 2)
        assert await archived_text(store, ended(2, phase="Running"), None) is None
        assert await archived_text(store, ended(2, results=None), None) is None
        assert await archived_text(store, ended(1, 2, results=None), None)
        assert await archived_text(store, ended(1, 2, 3), None) is None
        store.trouble = "the object store cannot be reached"
        assert await archived_text(store, ended(2), None) is None

    asyncio.run(run())
