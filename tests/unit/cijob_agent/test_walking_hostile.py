"""A workspace with a million files: what the agent does with it, and what that costs.

They are made in memory: 10 s instead of minutes. A machine without room for them there has
fewer, which are above the limit as well.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cijob_agent.walking import MOST_ENTRIES, MOST_PATH_BYTES, TooMany, Walk
from unit.cijob_agent.collectors import Collector
from unit.cijob_agent.gateways import running
from unit.cijob_agent.pods import Job, Pod, told

pytestmark = pytest.mark.process

MEMORY = Path("/dev/shm")
FILES = 1_000_000
FEWER = 250_000
MOST_MEMORY = 96 << 20  # of 256 MiB that its container has
IN_A_FOLDER = 1000


@pytest.fixture(scope="module")
def pod() -> Iterator[Pod]:
    """A workspace with half of the files in one folder and half in many, and one more."""
    has_room = MEMORY.exists() and os.statvfs(MEMORY).f_favail > FILES * 1.1
    files = FILES if has_room else FEWER
    with tempfile.TemporaryDirectory(dir=MEMORY if has_room else None) as folder:
        made = Pod(Path(folder))
        fill(made.workspace / "flat", files // 2)
        for number in range(files // 2 // IN_A_FOLDER):
            fill(made.workspace / "deep" / f"{number}", IN_A_FOLDER)
        (made.workspace / "last").write_text("here")
        yield made
        for process in made.started:
            process.kill()
            process.wait()


def fill(folder: Path, count: int) -> None:
    """Make empty files, quickly."""
    folder.mkdir(parents=True)
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(count):
        os.mknod(f"{number}", dir_fd=here)
    os.close(here)


def test_the_agent_stays_small_keeps_what_it_can_and_says_what_it_cannot(pod: Pod) -> None:
    wanted = {"flat": "flat", "deep": "deep", "all": ".", "glob": "**/7", "last": "last"}
    plan = {
        "artifacts": [{"name": name, "path": path} for name, path in wanted.items()],
        "junit": ["**/*.xml"],
    }
    began = time.monotonic()
    with running(Collector()) as collector:
        process = pod.run(told(collector, **plan))
        peaks: list[int] = []

        def look(request: str) -> None:
            peaks.append(most_memory(process.pid))

        collector.fails = look
        job = Job(pod)
        job.begin()
        job.end()
        assert process.wait(timeout=120) == 0
    # For whoever runs this to have figures.
    print(f"shown: at most {peaks[-1] >> 20} MiB, done after {time.monotonic() - began:.1f} s")
    assert list(collector.bodies) == ["artifacts/last"]
    (said,) = collector.said
    assert said["state"] == "Partial"
    names = ["reports **/*.xml", *(f"artifact {name}" for name in wanted if name != "last")]
    missing = [f"{name}: there are more than {MOST_ENTRIES} files; name fewer" for name in names]
    assert said["message"] == "; ".join(missing)
    assert collector.asked[-1] == "POST collection"
    assert peaks[-1] < MOST_MEMORY


def most_memory(pid: int) -> int:
    """The most that a process ever had, in bytes.

    Of one that has ended `wait4` would tell what its parent had when it was forked.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


@pytest.mark.parametrize("pattern", ["flat", "deep", ".", "**/7", "*/7", "flat/*"])
def test_no_more_is_looked_at_than_the_limit(pod: Pod, pattern: str) -> None:
    ticks = []
    root = os.open(pod.workspace, os.O_RDONLY | os.O_DIRECTORY)
    walk = Walk(root, lambda: ticks.append(1))
    with pytest.raises(TooMany):
        walk.find(pattern)
    os.close(root)
    assert len(ticks) == MOST_ENTRIES // 1000  # one in each thousand


def test_paths_of_any_length_are_bounded_together(tmp_path: Path) -> None:
    """A hundred folders with the longest of names, and files at the end of them."""
    here = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(90):
        os.mkdir("n" * 255, dir_fd=here)
        inner = os.open("n" * 255, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = inner
    for number in range(2 * MOST_PATH_BYTES // (90 * 256)):
        os.mknod(f"{number}", dir_fd=here)
    os.close(here)
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for pattern in (".", "**/[0-9]*"):
        with pytest.raises(TooMany, match=r"longer than 32\.0 MiB together; name fewer"):
            Walk(root, lambda: None).find(pattern)
    os.close(root)
