"""The archiver and its store fail while logs are rotated: nothing twice, and no loss unsaid.

Short here; `make soak` (CIJOB_SOAK=1) has the figures of the README.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cluster import Cluster
from kit.printers import Printer
from kit.stages import LONG, Stage, staged

# Alone: a kubelet that has no time for its logs is another test.
pytestmark = [pytest.mark.seam, pytest.mark.alone]
AWAY_SECONDS = 240 if LONG else 20
RATE = 10_000  # with the node's marks 14 MB between two looks of the kubelet: each one rotates
KILLS = 40 if LONG else 6
SPOOL = 8 << 20
SECONDS = 900 if LONG else 240


@pytest.fixture
def stage(cluster: Cluster, crds: None, tmp_path: Path) -> Iterator[Stage]:
    with staged(cluster, tmp_path) as made:
        yield made


def test_a_store_that_is_away_for_long_costs_nothing_while_the_spool_has_room(
    stage: Stage,
) -> None:
    began = time.monotonic()
    uid = stage.print("away", Printer((AWAY_SECONDS + 15) * RATE, rate=RATE, gated=True))
    stage.send_on("away", uid)
    stage.minio.kill()
    time.sleep(AWAY_SECONDS)  # what is shown: so long away
    failures = "cijob_archiver_store_failures_total"
    stage.cluster.until("a failure to be told", lambda: stage.archiver.metric(failures) > 0)
    stage.minio.start()
    stage.tell(
        f"the store {AWAY_SECONDS} s away", stage.assert_whole("away", uid, seconds=SECONDS), began
    )


def test_a_store_that_is_away_longer_than_the_spool_lasts_costs_what_is_said_and_no_more(
    stage: Stage,
) -> None:
    began = time.monotonic()
    stage.archiver.stop(signal.SIGKILL)
    stage.archiver.settings["CIJOB_SPOOL_BYTES"] = str(SPOOL)
    stage.archiver.start()
    uid = stage.print("full", Printer(200 * RATE, rate=RATE, gated=True))
    stage.send_on("full", uid)
    stage.minio.kill()
    # What the spool takes ends in the first file or in the second: the third is lost at least.
    stage.until_rotated("full", 3, 120)
    assert stage.archiver.metric("cijob_archiver_spool_bytes") <= SPOOL + (4 << 20)
    stage.minio.start()
    stage.end_early("full")
    logs = stage.archiver.archived("full", SECONDS)["logs"]
    stored = stage.stored("full", uid)
    stage.assert_losses_are_said("full", uid)
    assert stored.lost > 0, "nothing was lost: this test has shown nothing"
    assert "the object store took nothing and the spool was full" in logs["message"]
    stage.tell("the spool full", stored, began)


def test_an_archiver_that_is_killed_after_2_seconds_each_time_leaves_no_loss_unsaid(
    stage: Stage,
) -> None:
    began = time.monotonic()
    # On a machine that is slow, too, it prints for as long as it is killed.
    uid = stage.print("killed", Printer(100 * KILLS * RATE, rate=RATE, gated=True))
    stage.send_on("killed", uid)
    for _ in range(KILLS):
        time.sleep(2)  # what is shown: it works for so long each time
        stage.archiver.stop(signal.SIGKILL)
        stage.archiver.start()
    stage.until_rotated("killed", 2, 120)
    stage.end_early("killed")
    stage.archiver.archived("killed", SECONDS)
    # What was rotated away while it was down nobody can read.
    stage.assert_losses_are_said("killed", uid)
    stage.tell(f"killed {KILLS} times through rotations", stage.stored("killed", uid), began)


def test_a_log_whose_beginning_nobody_has_read_says_so(stage: Stage) -> None:
    stage.archiver.stop(signal.SIGKILL)
    uid = stage.print("unread", Printer(30 * RATE, rate=RATE))
    stage.until_rotated("unread", 1, 120)
    stage.archiver.start()
    logs = stage.archiver.archived("unread", SECONDS)["logs"]
    stage.assert_losses_are_said("unread", uid)
    assert stage.stored("unread", uid).lost > 0
    assert logs["message"].startswith("the first lines may be missing: the container started at")
