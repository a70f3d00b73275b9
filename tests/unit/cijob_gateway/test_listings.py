"""Lists of jobs, of those that are there and of those that are gone; records found by name."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, cast

import pytest

from cijob_api.objects import CIJob
from cijob_gateway import listings
from cijob_gateway.errors import BadRequest, Down
from cijob_gateway.listings import Filter
from cijob_gateway.logs.archive import Entry, final_name
from cijob_gateway.records import Records
from cijob_gateway.watches import Json, Watch
from cijob_kube.api import Api
from kit.objects import MemoryStore

ULID_AT_NOON = "01kjmma2g0"  # 2026-03-01T12:00:00Z, the part of a ULID that says when


def created(second: int) -> str:
    return f"2026-03-01T12:{second // 60:02}:{second % 60:02}Z"


def body(name: str, second: int = 0, *, phase: str = "Succeeded", uid: int = 0) -> Json:
    metadata = {
        "name": name,
        "namespace": "team",
        "uid": f"00000000-0000-0000-0000-{uid or abs(hash((name, second))) % 10**12:012d}",
        "creationTimestamp": created(second),
        "resourceVersion": "1",
    }
    return {"metadata": metadata, "spec": {"image": "x"}, "status": {"phase": phase}}


class Scene:
    """A namespace with jobs that are there, and an archive with jobs that have ended."""

    def __init__(self) -> None:
        self.watch: Watch[CIJob] = Watch(cast("Api", None), CIJob, "cijobs", [])
        self.store = MemoryStore()
        self.records = Records(self.store)

    def there(self, *jobs: Json) -> None:
        for job in jobs:
            self.watch.put(job)

    async def archived(self, *jobs: Json) -> None:
        for job in jobs:
            meta = job["metadata"]
            when = datetime.fromisoformat(meta["creationTimestamp"])
            entry = Entry.of("team", meta["name"], meta["uid"], when)
            await self.store.put(entry.object_name, b"", kind="x")
            content = json.dumps(job).encode()
            await self.store.put(final_name("team", meta["uid"]), content, kind="x")

    async def pages(self, **wanted: Any) -> list[list[str]]:
        """The names on each page."""
        pages = []
        token = ""
        while True:
            query = Filter.model_validate({"all": True, **wanted, "continue": token})
            items, next_token = await listings.page_of_all(self.watch, self.records, "team", query)
            pages.append([job["metadata"]["name"] for job in items])
            if not next_token:
                return pages
            token = next_token


def play(script: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(script(Scene()))


def test_what_is_there_and_what_is_gone_is_one_list_each_job_once() -> None:
    both = [body(f"job-{n}", n) for n in range(4)]

    async def script(scene: Scene) -> None:
        scene.there(body("newest", 100), *both)
        await scene.archived(*both, body("between", 2), body("oldest", 0))
        names = ["newest", "job-3", "job-2", "between", "job-1", "oldest", "job-0"]
        assert await scene.pages() == [names]

    play(script)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("at_once", [1, 2, 50])
def test_pages_follow_each_other_without_loss_or_repetition(
    monkeypatch: pytest.MonkeyPatch, limit: int, at_once: int
) -> None:
    monkeypatch.setattr(listings, "RECORDS_AT_ONCE", at_once)
    # Some created in the same second: those are sorted by name.
    jobs = [body(f"job-{n:02}", n // 3) for n in range(20)]

    async def script(scene: Scene) -> None:
        scene.there(*jobs[::3])
        await scene.archived(*jobs[1:])
        pages = await scene.pages(limit=limit)
        assert [name for page in pages for name in page] == [
            job["metadata"]["name"] for job in reversed(jobs)
        ]
        assert all(len(page) == limit for page in pages[:-1])

    play(script)


def test_a_filter_that_fits_few_reads_a_bounded_number_of_records_for_a_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listings, "RECORDS_AT_ONCE", 5)
    monkeypatch.setattr(listings, "RECORDS_A_PAGE", 10)
    jobs = [body(f"job-{n:02}", n, phase="Failed" if n == 3 else "Succeeded") for n in range(40)]

    async def script(scene: Scene) -> None:
        await scene.archived(*jobs)
        scene.there(body("live", 20, phase="Failed"), body("first", 0, phase="Failed"))
        pages = await scene.pages(phase=["Failed"])
        assert [name for page in pages for name in page] == ["live", "job-03", "first"]
        assert len(pages) > 2
        scene.store.asked.clear()
        await scene.pages(match="job-3")
        assert sum("final" in asked for asked in scene.store.asked) == 10  # by name: not even read

    play(script)


def test_a_record_that_was_swept_is_not_listed() -> None:
    async def script(scene: Scene) -> None:
        kept, swept = body("kept", 1), body("swept", 2)
        await scene.archived(kept, swept)
        await scene.store.remove(final_name("team", swept["metadata"]["uid"]))
        assert await scene.pages() == [["kept"]]
        assert await scene.records.find("team", "swept") is None

    play(script)


def test_a_token_that_is_none_is_refused() -> None:
    async def script(scene: Scene) -> None:
        wanted = Filter.model_validate({"continue": "nonsense", "all": True})
        with pytest.raises(BadRequest):
            await listings.page_of_all(scene.watch, scene.records, "team", wanted)

    play(script)


def test_a_record_is_found_by_name_the_newest_of_several() -> None:
    async def script(scene: Scene) -> None:
        await scene.archived(body("again", 1, uid=1), body("again", 5, uid=2), body("other", 9))
        found = await scene.records.find("team", "again")
        assert found
        assert found["metadata"]["creationTimestamp"] == created(5)
        assert await scene.records.find("team", "agai") is None
        assert await scene.records.find("elsewhere", "again") is None

    play(script)


def test_a_name_with_a_ulid_is_looked_for_where_it_was_made() -> None:
    async def script(scene: Scene) -> None:
        name = f"test-{ULID_AT_NOON}0123456789abcdef"
        await scene.archived(body(name, 2), *(body(f"job-{n}", n) for n in range(9)))
        scene.store.asked.clear()
        assert await scene.records.find("team", name)
        assert sum(asked.startswith("list") for asked in scene.store.asked) == 1
        # Made with a clock that is far off, or named so by a person: found all the same.
        late = f"test-{ULID_AT_NOON}0123456789abcdeg"
        far = body(late, 3)
        far["metadata"]["creationTimestamp"] = "2026-05-01T00:00:00Z"
        await scene.archived(far)
        assert await scene.records.find("team", late)

    play(script)


def test_an_archive_that_is_away_is_said() -> None:
    async def script(scene: Scene) -> None:
        scene.store.trouble = "the object store cannot be reached"
        with pytest.raises(Down):
            await scene.records.find("team", "any")
        with pytest.raises(Down):
            await scene.pages()

    play(script)


def test_a_record_is_found_by_its_uid() -> None:
    async def script(scene: Scene) -> None:
        await scene.archived(body("one", uid=1))
        uid = "00000000-0000-0000-0000-00000000000{}".format
        found = await scene.records.of_uid("team", uid(1))
        assert found == body("one", uid=1)
        assert await scene.records.of_uid("team", uid(2)) is None
        assert await scene.records.of_uid("other", uid(1)) is None
        scene.store.trouble = "S3 is away"
        with pytest.raises(Down):
            await scene.records.of_uid("team", uid(1))

    play(script)
