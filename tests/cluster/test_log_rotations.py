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
from kit.stages import LONG, Stage, said_by, staged

pytestmark = [pytest.mark.seam, pytest.mark.alone]
SMALL = {"containerLogMaxSize": "100Ki", "containerLogMonitorInterval": "3s"}
SECONDS = 240 if LONG else 30
PRINTED = Printer(12 * SECONDS, width=12_000, rate=12, step=1, gated=True)
ROTATIONS = SECONDS // 5


@pytest.fixture
def small_files(cluster: Cluster, whole_again: None) -> Iterator[None]:
    """The kubelet keeps little of a log."""
    before = _configured(cluster, SMALL)
    yield
    _configure(cluster, before)


@pytest.fixture
def stage(cluster: Cluster, crds: None, small_files: None, tmp_path: Path) -> Iterator[Stage]:
    with staged(cluster, tmp_path) as made:
        yield made


def _configured(cluster: Cluster, more: dict[str, str]) -> str:
    """Start the kubelet with more in its configuration; what that was before."""
    before = cluster.in_node("cat", _path(cluster))
    _configure(cluster, json.dumps(json.loads(before) | more))
    return before


def _configure(cluster: Cluster, content: str) -> None:
    cluster.in_node("sh", "-c", 'printf %s "$1" > "$2"', "sh", content, _path(cluster))
    cluster.kind("kill", "component", "kubelet")
    cluster.kind("start", "component", "kubelet")


def _path(cluster: Cluster) -> str:
    return f"/var/lib/cijob-cluster/{cluster.name}/etc/kubelet.yaml"


def test_a_log_in_files_of_100_kib_is_whole_in_the_archive_and_on_a_screen(
    stage: Stage, tmp_path: Path
) -> None:
    began = time.monotonic()
    uid = stage.print("small", PRINTED)
    screen = tmp_path / "screen"
    following = stage.started("logs", "-f", "small", screen=screen)
    stage.send_on("small", uid)
    stage.until_rotated("small", ROTATIONS, 2 * SECONDS + 60)
    written = stage.assert_whole("small", uid, seconds=2 * SECONDS + 60)
    assert following.wait(timeout=60) == 0, said_by(screen).read_text()
    assert stage.shown("small", screen) == written
    stage.tell(f"files of 100 KiB, {ROTATIONS} rotations and more", written, began)
