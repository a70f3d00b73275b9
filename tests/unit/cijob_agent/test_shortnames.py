"""The first digits of a commit's name, against what else a real repository has."""

import hashlib
import time
import tracemalloc
from pathlib import Path

import pytest

from cijob_agent.git import Git, environment
from cijob_agent.shortnames import beginning_with
from kit.gitserver import git
from kit.repositories import Repository

pytestmark = pytest.mark.process


class Ground:
    def __init__(self, folder: Path) -> None:
        self.made = Repository(folder, "project.git")
        bare = {**environment(str(folder), {}), "GIT_DIR": str(self.made.folder)}
        self.program = Git(str(self.made.folder), bare, time.monotonic() + 60)

    def commit(self, text: str) -> str:
        commit = self.made.commit(self.made.tree(self.made.file("a", text)), message=text)
        self.made.point("refs/heads/main", commit)
        return commit

    def alike(self, kind: str, template: str, short: str) -> str:
        """Make an object of a kind whose name begins so."""
        for number in range(1_000_000):
            text = template.format(number).encode()
            whole = b"%s %d\0%s" % (kind.encode(), len(text), text)
            name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
            if name.startswith(short):
                break
        words = ("hash-object", "-t", kind, "-w", "--stdin")
        assert git(self.made.folder, *words, stdin=text) == name
        return name


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_a_commit_is_found_by_its_beginning(ground: Ground) -> None:
    commit = ground.commit("one")
    assert beginning_with(commit[:8], ground.program) == [commit]
    assert beginning_with(commit, ground.program) == [commit]
    assert beginning_with("0" * 12, ground.program) == []


def test_what_begins_alike_and_is_no_commit_does_not_count(ground: Ground) -> None:
    commit, other = ground.commit("one"), ground.commit("two")
    short = commit[:4]
    ground.alike("blob", "{}", short)
    ground.alike(
        "tag", f"object {commit}\ntype commit\ntag t\ntagger a <a@b> {{}} +0000\n\n", short
    )
    ground.alike("tag", f"object {other}\ntype commit\ntag u\ntagger a <a@b> {{}} +0000\n\n", short)
    alike = git(ground.made.folder, "rev-parse", f"--disambiguate={short}")
    assert len(alike.split()) == 4
    assert beginning_with(short, ground.program) == [commit]


def test_commits_that_begin_alike_are_all_named(ground: Ground) -> None:
    commit = ground.commit("one")
    tree = git(ground.made.folder, "rev-parse", f"{commit}^{{tree}}")
    text = f"tree {tree}\nauthor a <a@b> {{0}} +0000\ncommitter a <a@b> {{0}} +0000\n\n"
    other = ground.alike("commit", text, commit[:4])
    assert sorted(beginning_with(commit[:4], ground.program)) == sorted([commit, other])


def test_a_long_history_is_never_in_memory(ground: Ground) -> None:
    lines = [
        f"commit refs/heads/main\ncommitter a <a@b> {number} +0000\ndata 0\n"
        for number in range(20_000)
    ]
    git(ground.made.folder, "fast-import", "--quiet", stdin="\n".join(lines).encode())
    first = git(ground.made.folder, "rev-list", "--max-parents=0", "main")
    tracemalloc.start()
    try:
        assert beginning_with(first[:12], ground.program) == [first]
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
