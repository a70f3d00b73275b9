"""How long a log is kept has nothing to do with how long its CIJob is."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cluster import Cluster
from kit.printers import Account, Printer
from kit.stages import Stage, said_by, staged

pytestmark = pytest.mark.seam
PRINTED = Printer(20_000)
AT_ONCE = {"succeeded": 1, "failed": 1}


@pytest.fixture
def stage(cluster: Cluster, crds: None, tmp_path: Path) -> Iterator[Stage]:
    with staged(cluster, tmp_path) as made:
        yield made


def is_gone(stage: Stage, name: str) -> bool:
    """Whether the CIJob is there no more."""
    listed = stage.cluster.get("cij", "-n", stage.namespace)["items"]
    return name not in {job["metadata"]["name"] for job in listed}


def by_ci(stage: Stage, name: str, screen: Path) -> Account:
    """The account of what `ci logs` shows."""
    shown = stage.started("logs", name, screen=screen)
    assert shown.wait(timeout=180) == 0, said_by(screen).read_text()
    return stage.shown(name, screen)


def test_a_log_outlives_its_job_until_its_own_time_is_over(stage: Stage, tmp_path: Path) -> None:
    written = PRINTED.whole()
    stage.print("longer-lived", PRINTED)
    stage.archiver.archived("longer-lived")
    stage.minio.kill()
    uid = stage.print("short-lived", PRINTED, ttlSecondsAfterFinished=AT_ONCE)
    stage.operator.finished("short-lived")
    time.sleep(3)  # its time is over, and its log is in its Pod only
    assert not is_gone(stage, "short-lived")
    stage.minio.start()
    stage.cluster.until("the end of the CIJob", lambda: is_gone(stage, "short-lived"))
    for name in stage.printed:
        assert by_ci(stage, name, tmp_path / name) == written
    stage.archiver.stop(signal.SIGKILL)
    stage.archiver.settings["CIJOB_RETENTION_SECONDS"] = "1"
    stage.archiver.start()
    stage.cluster.until(
        "the end of the log",
        lambda: stage.gateway.ask("GET", stage.gateway.jobs("/short-lived/logs")).status == 404,
    )
    # The job that is there keeps its log, whatever the log's age.
    assert by_ci(stage, "longer-lived", tmp_path / "again") == written
    names = stage.bucket.names(f"{stage.namespace}/")
    assert [name for name in names if uid in name] == []
