"""A node that keeps 100 KiB of each log, and rotates it every three seconds: nothing is lost.

Few and long lines: what the runtime holds back where a file ends nobody can read
(docs/life-of-a-cijob.md), and of many short ones it holds some nearly always.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cluster import Cluster
from kit.printers import Printer
from kit.stages import LONG, Stage, staged

pytestmark = [pytest.mark.seam, pytest.mark.alone]
SMALL = {"containerLogMaxSize": "100Ki", "containerLogMonitorInterval": "3s"}
SECONDS = 240 if LONG else 30
PRINTED = Printer(12 * SECONDS, width=12_000, rate=12, step=1, gated=True)
ROTATIONS = SECONDS // 5


@pytest.fixture
def small_files(cluster: Cluster, whole_again: None) -> Iterator[None]:
    """The kubelet keeps little of a log."""
    before = cluster.in_node("cat", _path(cluster))
    try:
        _configure(cluster, json.dumps(json.loads(before) | SMALL))
        yield
    finally:
        _configure(cluster, before)


@pytest.fixture
def stage(cluster: Cluster, crds: None, small_files: None, tmp_path: Path) -> Iterator[Stage]:
    with staged(cluster, tmp_path) as made:
        yield made


def _configure(cluster: Cluster, content: str) -> None:
    cluster.in_node("sh", "-c", 'printf %s "$1" > "$2"', "sh", content, _path(cluster))
    cluster.kind("kill", "component", "kubelet")
    cluster.kind("start", "component", "kubelet")


def _path(cluster: Cluster) -> str:
    return f"/var/lib/cijob-cluster/{cluster.name}/etc/kubelet.yaml"


def test_a_log_in_files_of_100_kib_is_whole_in_the_archive_and_on_a_screen(
    stage: Stage, tmp_path: Path
) -> None:
    began, seconds = time.monotonic(), 2 * SECONDS + 60
    written = stage.assert_followed_whole(
        "small", PRINTED, ROTATIONS, screen=tmp_path / "screen", seconds=seconds
    )
    stage.tell(f"files of 100 KiB, {ROTATIONS} rotations and more", written, began)
