"""What is old is removed, and above all what is not."""

import asyncio
from datetime import timedelta

from cijob_gateway.archiver.retention import sweep
from cijob_gateway.store import Content
from kit.objects import WHEN, MemoryStore

OLD, NEW, ALIVE = (f"{n}d6a1a3e-6a0e-4b7e-9d0e-0a6f0c5a2b11" for n in "123")
DAY = timedelta(days=1)


def bucket(**days: float) -> MemoryStore:
    """An archive of each job, of so many days ago, and a source that is older than all."""
    made = MemoryStore()
    uids = {"old": OLD, "new": NEW, "alive": ALIVE}
    for word, age in days.items():
        uid = uids[word]
        for name in (
            f"ci/job/{uid}/log/1/{0:016d}",
            f"ci/job/{uid}/log/1/end.json",
            f"ci/job/{uid}/final.json",
            f"ci/index/8232000000000-{word}-{uid}",
            f"ci/same/{'a' * 64}/8232000000000-{word}-{uid}-Failed",
        ):
            made.objects[name] = Content(b"x", {})
            made.used[name] = WHEN - timedelta(days=age)
    made.objects["ci/source/aa.zip"] = Content(b"x", {})
    made.used["ci/source/aa.zip"] = WHEN - timedelta(days=999)
    return made


def swept(made: MemoryStore, *alive: str) -> set[str]:
    """Which jobs have something left."""
    asyncio.run(sweep(made, set(alive), WHEN, retention=30 * DAY))
    return {uid for uid in (OLD, NEW, ALIVE) if any(uid in name for name in made.objects)}


def test_old_archives_go_and_younger_ones_stay() -> None:
    assert swept(bucket(old=31, new=29)) == {NEW}


def test_nothing_is_left_of_an_old_job_and_sources_are_not_touched() -> None:
    made = bucket(old=31)
    swept(made)
    assert list(made.objects) == ["ci/source/aa.zip"]


def test_a_job_that_is_there_keeps_its_archive() -> None:
    assert swept(bucket(old=31, alive=300), ALIVE) == {ALIVE}


def test_the_age_of_an_archive_is_that_of_its_youngest_part() -> None:
    made = bucket(old=31)
    made.used[f"ci/job/{OLD}/final.json"] = WHEN - DAY
    assert swept(made) == {OLD}


def test_an_archive_without_an_index_entry_goes_as_well() -> None:
    made = bucket(old=31)
    for name in [name for name in made.objects if name.startswith(("ci/index", "ci/same"))]:
        del made.objects[name]
    assert swept(made) == set()
