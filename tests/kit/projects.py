"""Real projects to test the product with: pinned source distributions, and their tests outside.

Used by `tests/cluster/test_template_test.py`. Fetched by pip from the index it is configured for,
once a machine; what is not the pinned file never leaves `pip download`.
"""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

from kit.cluster import ROOT

LOCK = ROOT / "tests" / "cluster" / "projects.lock"
CACHE = Path.home() / ".cache" / "cijob" / "sdists"
COUNT = re.compile(r"(\d+) ((?:subtests )?passed|failed|errors?|skipped|xfailed|xpassed)")


def unpack(project: str, parent: Path) -> Path:
    """The folder of a project's source distribution, fresh."""
    with tarfile.open(_fetch(project)) as archive:
        archive.extractall(parent, filter="data")
    (folder,) = parent.iterdir()
    return folder


def _fetch(project: str) -> Path:
    """The pinned file from the cache, or from the index."""
    (line,) = [line for line in LOCK.read_text().splitlines() if line.startswith(f"{project}==")]
    digest = line.rpartition(":")[2]
    if (found := _cached(digest)) is None:
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / f"{project}.txt").write_text(line)
        words = ["download", "--quiet", "--no-deps", "--no-binary=:all:", "--require-hashes"]
        pip(Path(sys.executable), *words, f"--dest={CACHE}", "-r", f"{CACHE / project}.txt")
        found = _cached(digest)
    assert found, f"pip did not bring {line}"
    return found


def _cached(digest: str) -> Path | None:
    files = CACHE.glob("*.tar.gz")
    return next((f for f in files if hashlib.sha256(f.read_bytes()).hexdigest() == digest), None)


def pip(python: Path, *words: str, cwd: Path = ROOT) -> None:
    """Run pip to its end. Fails with its output."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def run_by_hand(folder: Path, home: Path, needs: list[str]) -> tuple[int, dict[str, int]]:
    """What a person does: a virtual environment, what the project needs, pytest; code, counts."""
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    locked = ["--require-hashes", "-r", str(ROOT / "images" / "python" / "requirements.lock")]
    pip(python, "install", "--quiet", *locked)
    if needs:
        pip(python, "install", "--quiet", *needs, cwd=folder)
    done = subprocess.run(
        [python, "-m", "pytest"],
        cwd=folder,
        env={"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, counts(done.stdout)


def counts(log: str) -> dict[str, int]:
    """pytest's last line as numbers: `{"passed": 192, "skipped": 1}`."""
    ends = [line for line in log.splitlines() if re.search(r" in \d+\.\d+s", line)]
    assert ends, f"pytest did not come to its end:\n{log}"
    return {word: int(number) for number, word in COUNT.findall(ends[-1])}
