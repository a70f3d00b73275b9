"""`logs`: a line's way from the job to twenty screens, and a finished log read from the archive.

Live: a job prints the time, twenty `ci logs -f` show it, each line of each is a sample. Finished:
100 MB with its Pod gone, by `ci logs` and by curl. All clocks are this machine's.
"""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.archive import cpu_seconds
from benchmarks.figures import Figure, Result, percentile, spread
from kit.archiver import Archiver, running
from kit.cluster import ROOT, Cluster, fresh_namespace
from kit.gateway import Gateway, Minio, minio_program, service_account
from kit.installed import CI
from kit.operator import Operator

READERS = 20
LATER_AT_MOST_MS = 250
FIRST_BYTE_AT_MOST_MS = 150
WARM_SECONDS = 3.0
LINES, LINE_BYTES = 1_000_000, 100
ROUNDS = 5
LIMIT_SECONDS = 300
TICKS = (
    "import sys, time\n"
    "for _ in range(1500):\n"
    " print(time.time_ns(), flush=True)\n"
    " time.sleep(0.02)\n"
)
# Some runtimes lose the last bytes of a container that ends right behind a burst: it waits.
MUCH = (
    "import sys, time\n"
    f"for start in range(0, {LINES}, 1000):\n"
    f" sys.stdout.write(''.join(f'{{n:08d}} ' + 'x' * {LINE_BYTES - 10} + '\\n'"
    " for n in range(start, start + 1000)))\n"
    "sys.stdout.flush()\n"
    "time.sleep(1)\n"
)


@dataclass(frozen=True)
class Scene:
    """Operator, archiver and gateway of one namespace."""

    cluster: Cluster
    operator: Operator
    archiver: Archiver
    gateway: Gateway

    def ci(self, *words: str) -> "subprocess.Popen[bytes]":
        """`ci` before this gateway; what it shows comes byte by byte."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CI_")}
        mine = {
            "CI_GATEWAY": f"http://127.0.0.1:{self.gateway.port}",
            "CI_TOKEN": self.gateway.token,
            "CI_NAMESPACE": self.gateway.namespace,
        }
        words = (str(CI), *words)
        return subprocess.Popen(words, env=kept | mine, stdout=subprocess.PIPE, bufsize=0)


def run(kubeconfig: Path) -> Result:
    """Measure both in a namespace of their own."""
    with (
        tempfile.TemporaryDirectory(prefix="cijob-bench-") as name,
        staged(kubeconfig, Path(name)) as scene,
    ):
        later = live(scene)
        most = percentile(later, 99) * 1000
        figures = [
            Figure("printed → on a screen, median", median(later) * 1000, "ms"),
            Figure("printed → on a screen, 99 %", most, "ms", LATER_AT_MOST_MS),
            *finished(scene),
        ]
    size = LINES * LINE_BYTES // 10**6
    sample = f"{len(later)} lines on {READERS} screens; {ROUNDS} times {size} MB"
    return Result("logs", sample, tuple(figures))


@contextmanager
def staged(kubeconfig: Path, folder: Path) -> Iterator[Scene]:
    """All processes, and a token that may read."""
    program = minio_program()
    assert program  # noqa: S101
    cluster = Cluster("cijob", kubeconfig, ROOT / ".local" / "bin" / "kubectl", "local")
    with fresh_namespace(cluster) as namespace:
        minio = Minio(folder, program).start()
        grace = {"CIJOB_ARCHIVE_GRACE_SECONDS": str(LIMIT_SECONDS)}
        operator = Operator(cluster, namespace, folder, grace).start()
        gateway = Gateway(cluster, namespace, folder, minio).start()
        gateway.token = service_account(cluster, namespace, "bench", "get", "list")
        try:
            with running(Archiver(cluster, namespace, folder, minio)) as archiver:
                yield Scene(cluster, operator, archiver, gateway)
        finally:
            gateway.stop()
            operator.stop()
            minio.kill()


def live(scene: Scene) -> list[float]:
    """Seconds from the print of each line to its arrival on each screen."""
    scene.operator.submit("ticks", command=["python3", "-c", TICKS])
    is_running = lambda: scene.operator.status("ticks").get("phase") == "Running"  # noqa: E731
    scene.cluster.until("the job to run", is_running, LIMIT_SECONDS)
    screens = [scene.ci("logs", "-f", "ticks") for _ in range(READERS)]
    later: list[list[float]] = [[] for _ in screens]
    watching = [
        threading.Thread(target=watch, args=pair) for pair in zip(screens, later, strict=True)
    ]
    for thread in watching:
        thread.start()
    for thread in watching:
        thread.join(LIMIT_SECONDS)
    assert all(later), "a reader saw no line"  # noqa: S101
    return [seconds for mine in later for seconds in mine]


def watch(screen: "subprocess.Popen[bytes]", later: list[float]) -> None:
    """Note how late each line is; those from before the reader was there do not count."""
    assert screen.stdout  # noqa: S101
    begun = 0.0
    while line := screen.stdout.readline():
        now = time.time()
        begun = begun or now
        printed = int(line) / 1e9
        if printed > begun + WARM_SECONDS:
            later.append(now - printed)
    screen.wait(LIMIT_SECONDS)


def finished(scene: Scene) -> list[Figure]:
    """The archived log of a job whose Pod is gone, by `ci logs` and by curl."""
    scene.operator.submit("much", command=["python3", "-c", MUCH])
    log = scene.archiver.archived("much", LIMIT_SECONDS)["logs"]
    assert log["bytes"] == LINES * LINE_BYTES, log  # noqa: S101
    scene.cluster.until("the end of its Pod", lambda: not scene.operator.pods("much"), 60)
    begun = cpu_seconds(scene.gateway.process)
    by_events = [by_ci(scene) for _ in range(ROUNDS)]
    between = cpu_seconds(scene.gateway.process)
    firsts, by_text = zip(*(by_curl(scene) for _ in range(ROUNDS)), strict=True)
    ended = cpu_seconds(scene.gateway.process)
    hundreds = ROUNDS * LINES * LINE_BYTES / 1e8
    return [
        *spread("finished log, first byte", firsts, at_most=FIRST_BYTE_AT_MOST_MS),
        Figure("finished log by curl", median(by_text) / 1e6, "MB/s"),
        Figure("finished log by ci logs", median(by_events) / 1e6, "MB/s"),
        Figure("the gateway's CPU for 100 MB by curl", (ended - between) / hundreds, "s"),
        Figure("the gateway's CPU for 100 MB by ci logs", (between - begun) / hundreds, "s"),
    ]


def by_ci(scene: Scene) -> float:
    """Bytes a second of `ci logs`, its start included."""
    began, size = time.perf_counter(), 0
    process = scene.ci("logs", "much")
    assert process.stdout  # noqa: S101
    while part := process.stdout.read(1 << 20):
        size += len(part)
    ended = process.wait(), size
    assert ended == (0, LINES * LINE_BYTES), ended  # noqa: S101
    return size / (time.perf_counter() - began)


def by_curl(scene: Scene) -> tuple[float, float]:
    """Seconds to the first byte, and bytes a second."""
    url = f"http://127.0.0.1:{scene.gateway.port}{scene.gateway.jobs('/much/logs')}"
    form = "%{time_starttransfer} %{speed_download}"
    words = ["curl", "-sS", "-o", "/dev/null", "-w", form, url]
    words += ["-H", f"Authorization: Bearer {scene.gateway.token}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS)
    first, rate = map(float, done.stdout.split())
    return first, rate
