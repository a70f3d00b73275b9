"""Logs that are large and fast, through all rotations, on every way they take: nothing lost.

Short here; `make soak` (CIJOB_SOAK=1) has the figures of the README.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cluster import Cluster
from kit.printers import Printer
from kit.stages import LONG, Stage, staged

# Alone: a kubelet that has no time for its logs is another test.
pytestmark = [pytest.mark.seam, pytest.mark.alone]
# The job may use both cores; the kubelet serves 2 to 13 MB of such lines a second.
BURST = Printer(5_000_000 if LONG else 400_000, gated=True)
# 16 MB between two looks of the kubelet, with the node's marks: each one rotates.
STEADY = Printer(1_200_000 if LONG else 320_000, width=143, rate=9_000, gated=True)
ROTATIONS = 9 if LONG else 2
SECONDS = 1800 if LONG else 180


@pytest.fixture(scope="module")
def stage(
    cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with staged(cluster, tmp_path_factory.mktemp("stage")) as made:
        yield made


def test_a_log_that_is_printed_as_fast_as_the_job_can_is_whole(stage: Stage) -> None:
    began = time.monotonic()
    limits = {"limits": {"cpu": "2", "memory": "128Mi"}}
    uid = stage.print("burst", BURST, resources=limits)
    stage.send_on("burst", uid)
    stage.tell("as fast as it can", stage.assert_whole("burst", uid, seconds=SECONDS), began)


def test_a_log_that_is_rotated_again_and_again_is_whole_in_the_archive_and_on_a_screen(
    stage: Stage, tmp_path: Path
) -> None:
    began = time.monotonic()
    written = stage.assert_followed_whole(
        "steady", STEADY, ROTATIONS, screen=tmp_path / "screen", seconds=SECONDS
    )
    stage.tell(f"{ROTATIONS} rotations and more", written, began)
