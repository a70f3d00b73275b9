"""Which jobs are archived: those that there are when this process leads, and what comes then."""

import asyncio
from pathlib import Path

import pytest

from cijob_gateway.archiver.attempts import Tools
from cijob_gateway.archiver.dispatch import Dispatcher, Known
from cijob_gateway.archiver.spools import Spool
from cijob_gateway.archiver.uploads import Bucket
from cijob_gateway.logs.archive import final_name
from cijob_gateway.watches import Json
from kit.logserver import LogServer, PodLogs
from kit.objects import MemoryStore
from unit.cijob_gateway.notifying import body

pytestmark = pytest.mark.process


def job(number: int, version: int = 1) -> Json:
    """A job that ended without having run: to archive it is to write its record."""
    made = body(name=f"job-{number}", uid=f"u-{number}", status={"phase": "Cancelled"})
    made["metadata"]["resourceVersion"] = str(version)
    return made


def test_a_standby_keeps_no_news_and_archives_what_there_is_when_it_leads(tmp_path: Path) -> None:
    async def run() -> None:
        store = MemoryStore()
        async with LogServer.serving(PodLogs()) as server, asyncio.timeout(20):
            known = Known(server.api, ("team",))
            for version in range(1, 100):
                for number in range(3):
                    known.jobs.put(job(number, version))
            known.jobs.drop(("team", "job-2"), version=1000)
            assert known.news.empty()
            known.jobs._synced, known.pods.watch._synced = {"team"}, {"team"}
            bucket = Bucket(store, asyncio.Semaphore(2), lambda: None)
            tools = Tools(server.api, bucket, Spool(tmp_path / "spool", 2**20))
            leads = asyncio.create_task(Dispatcher(tools, known).run())
            await stored(store, 0, 1)
            known.jobs.put(job(3))
            await stored(store, 3)
            leads.cancel()
            await asyncio.wait({leads})
        assert final_name("team", "u-2") not in store.objects

    asyncio.run(run())


async def stored(store: MemoryStore, *numbers: int) -> None:
    """Wait for the records of these jobs."""
    while not {final_name("team", f"u-{n}") for n in numbers} <= set(store.objects):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
