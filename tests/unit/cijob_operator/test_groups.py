"""Who takes whose place in a group, from the first look at a job to its end."""

from typing import Any

from cijob_api.places import Holding, Waiting
from cijob_operator.groups import Groups, Key

A, B, C = ("team", "a"), ("team", "b"), ("team", "c")


class Deploys(Groups):
    """Groups that keep the keys they told to look at."""

    def __init__(self) -> None:
        self.looked_at: list[Key] = []
        super().__init__(self.looked_at.append)


def waits(key: Key, **what: Any) -> Waiting:
    return Waiting(*key, **{"since": ord(key[1]), "pools": ("p",), "group": "deploy", **what})


def runs(key: Key, **what: Any) -> Holding:
    return Holding(*key, "p", **{"since": ord(key[1]), "group": "deploy", **what})


def test_a_newer_job_that_asks_for_it_takes_the_place_of_all_older_ones() -> None:
    groups = Deploys()
    groups.join(A, runs(A))
    groups.join(B, waits(B))
    groups.join(C, waits(C, supersedes=True))
    assert sorted(groups.looked_at) == [A, B]
    assert [groups.superseded_by(key) for key in (A, B, C)] == ["c", "c", ""]


def test_what_a_job_says_again_is_no_news() -> None:
    groups = Deploys()
    groups.join(A, runs(A))
    for _ in range(3):
        groups.join(B, waits(B, supersedes=True))
    groups.join(B, runs(B, supersedes=True))
    assert groups.looked_at == [A]


def test_that_it_supersedes_now_is() -> None:
    groups = Deploys()
    groups.join(A, runs(A))
    groups.join(B, waits(B))
    groups.join(B, waits(B, supersedes=True))
    assert groups.looked_at == [A]


def test_one_that_never_ran_leaves_the_older_ones_alone() -> None:
    groups = Deploys()
    groups.join(A, runs(A))
    groups.join(B, waits(B, supersedes=True))
    groups.leave(B)
    assert groups.superseded_by(A) == ""


def test_one_that_ran_took_their_place_for_good() -> None:
    """The older one hands in its results meanwhile, and would be tried again after that."""
    groups = Deploys()
    groups.join(A, runs(A))
    groups.join(B, runs(B, supersedes=True))
    groups.leave(B)
    assert groups.superseded_by(A) == "b"
    groups.join(C, waits(C))  # came after it
    assert groups.superseded_by(C) == ""


def test_another_job_of_the_same_name_begins_anew() -> None:
    groups = Deploys()
    groups.join(A, runs(A))
    groups.join(B, runs(B, supersedes=True))
    groups.leave(B)
    groups.join(A, waits(A, since=999.0))
    assert groups.superseded_by(A) == ""


def test_a_job_of_another_group_or_of_none_is_not_concerned() -> None:
    groups = Deploys()
    groups.join(A, runs(A))
    groups.join(B, waits(B, group="", supersedes=True))
    groups.join(C, waits(C, group="other", supersedes=True))
    groups.leave(B)
    assert groups.superseded_by(A) == ""
    assert groups.looked_at == []
