"""The answer first, as its user has it: the installed chart and the real `ci`."""

import json
import re
from pathlib import Path

from kit.installed import Installed

DEPENDS = "import socket\ndef test_it():\n    assert 'good' in socket.gethostname()\n"


def submit(installed: Installed, folder: Path, *words: str) -> tuple[int, list[str]]:
    """Submit a folder's tests; the exit code, and the lines of stderr."""
    ended = installed.ci("submit", "test", str(folder), "-n", installed.namespace, *words)
    return ended.returncode, ended.stderr.splitlines()


def test_the_last_line_says_where_the_time_went(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import time\ndef test_it():\n    time.sleep(2)\n")
    code, lines = submit(installed, tmp_path)
    assert code == 0
    assert re.search(r"^ci: Succeeded \(Completed\) after \d.* \(.*running \d+s\b.*\)", lines[-1])


def test_the_same_with_another_end_is_called_flaky(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(DEPENDS)
    assert submit(installed, tmp_path, "--name=flaky-good-one")[0] == 0
    code, lines = submit(installed, tmp_path, "--name=flaky-bad-one")
    assert code == 1
    assert "; flaky: flaky-good-one ran the same and succeeded. Next: " in lines[-1]
    again = submit(installed, tmp_path, "--name=flaky-bad-two")[1]
    assert "flaky" not in again[-1].replace("flaky-bad-two", "")
    (tmp_path / "test_it.py").write_text(DEPENDS + "# another\n")
    changed = submit(installed, tmp_path, "--name=flaky-good-two")[1]
    assert "flaky:" not in changed[-1]
    described = installed.ci("get", "flaky-bad-one").stdout
    assert "flaky:      flaky-good-one ran the same and succeeded\n" in described


def test_a_job_as_json_has_nothing_but_the_job(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): ...\n")
    options = ("-n", installed.namespace, "--no-follow", "-o", "json")
    ended = installed.ci("submit", "test", str(tmp_path), *options)
    assert json.loads(ended.stdout)["kind"] == "CIJob"
