"""The API server is restarted under the archiver and a follower: nothing lost, nothing twice.

Short here; `make soak` (CIJOB_SOAK=1) has the figures of the README.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cluster import Cluster
from kit.printers import Printer
from kit.stages import LONG, Stage, said_by, staged

pytestmark = [pytest.mark.seam, pytest.mark.alone]
RESTARTS = 4 if LONG else 1
# Less than 10 MiB with the node's own marks: what is rotated away in between nobody can read.
PRINTED = Printer(
    60_000 if LONG else 30_000, width=80, rate=600 if LONG else 1200, step=20, gated=True
)
SECONDS = 300


@pytest.fixture
def stage(cluster: Cluster, crds: None, whole_again: None, tmp_path: Path) -> Iterator[Stage]:
    with staged(cluster, tmp_path) as made:
        yield made


def await_lines(stage: Stage, screens: list[Path], lines: int) -> None:
    """Wait until so many lines stand on each screen."""
    size = lines * PRINTED.width
    stage.cluster.until(
        f"{lines} lines on each screen",
        lambda: min(screen.stat().st_size for screen in screens) >= size,
        SECONDS,
    )


def test_restarts_of_the_api_server_cost_archive_and_followers_no_line(
    stage: Stage, tmp_path: Path
) -> None:
    began = time.monotonic()
    uid = stage.print("restarted", PRINTED)
    screens = [tmp_path / str(number) for number in range(3)]
    following = [stage.started("logs", "-f", "restarted", screen=screen) for screen in screens]
    stage.send_on("restarted", uid)
    with stage.supervised():
        for restart in range(1, RESTARTS + 1):
            await_lines(stage, screens, PRINTED.lines * restart // (RESTARTS + 1))
            assert stage.runs("restarted")
            stage.cluster.kind("kill", "component", "kube-apiserver")
            stage.cluster.kind("start", "component", "kube-apiserver")
        written = stage.assert_whole("restarted", uid, seconds=SECONDS)
        for process, screen in zip(following, screens, strict=True):
            assert process.wait(timeout=SECONDS) == 0, said_by(screen).read_text()
            assert stage.shown("restarted", screen) == written
    stage.tell(f"the API server restarted {RESTARTS} times", written, began)
