"""Fake nodes, on a cluster of which only the list of nodes is there."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from localcluster import fake_nodes
from localcluster.cluster import Cluster
from localcluster.running import spawn

pytestmark = pytest.mark.process


class Nodes:
    """What `create` uses of a cluster: kwok runs, and a name that is taken is refused."""

    def __init__(self, folder: Path, *there: str) -> None:
        self.folder = folder
        self.there = list(there)
        self.both_have_listed = threading.Barrier(2)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        if words[0] == "get":
            listed = "".join(f"node/{name}\n" for name in self.there)
            # Two that list at once wait for each other here; one that is alone goes on soon.
            with contextlib.suppress(threading.BrokenBarrierError):
                self.both_have_listed.wait(0.2)
            return listed
        if words[0] == "create":
            names = [item["metadata"]["name"] for item in json.loads(stdin or "")["items"]]
            assert not set(names) & set(self.there), "AlreadyExists"
            self.there += names
        return ""

    def create(self, count: int) -> list[str]:
        return fake_nodes.create(cast("Cluster", self), count, "arm64")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "pids").mkdir()
    (tmp_path / "nsenter").symlink_to("/bin/sleep")
    with spawn([str(tmp_path / "nsenter"), "600"], tmp_path / "log", os.environ) as kwok:
        (tmp_path / "pids" / "kwok").write_text(str(kwok.pid))
        yield tmp_path
        kwok.kill()


def test_new_nodes_take_the_first_free_numbers(folder: Path) -> None:
    assert Nodes(folder, "fake-0", "fake-2").create(3) == ["fake-1", "fake-3", "fake-4"]


def test_two_that_create_nodes_at_once_do_not_get_in_each_others_way(folder: Path) -> None:
    nodes = Nodes(folder)
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(nodes.create, [2, 2]))
    assert sorted(made) == [["fake-0", "fake-1"], ["fake-2", "fake-3"]]
    assert nodes.there == ["fake-0", "fake-1", "fake-2", "fake-3"]
