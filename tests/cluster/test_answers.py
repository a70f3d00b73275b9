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
    a_job_that_is_gone_says_it_too(installed)
    described = installed.ci("get", "flaky-bad-one").stdout
    assert "flaky:      flaky-good-one ran the same and succeeded\n" in described


def a_job_that_is_gone_says_it_too(installed: Installed) -> None:
    cluster, stored = installed.cluster, "jsonpath={.status.results.logs.complete}=true"
    cluster.wait(installed.namespace, "cij/flaky-good-one", stored)
    cluster.kubectl("delete", "cij", "flaky-good-one", "-n", installed.namespace)
    last = installed.ci("wait", "flaky-bad-one").stderr.splitlines()[-1]
    assert "; flaky: flaky-good-one ran the same and succeeded. Next: " in last


def test_a_job_as_json_has_nothing_but_the_job(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): ...\n")
    options = ("-n", installed.namespace, "--no-follow", "-o", "json")
    ended = installed.ci("submit", "test", str(tmp_path), *options)
    assert json.loads(ended.stdout)["kind"] == "CIJob"


FAILING = """
import pytest

@pytest.mark.parametrize("value", [1, 2, 3])
def test_sum(value):
    assert value + 1 == 2, "off by one"

class TestBasket:
    def test_total(self):
        assert {"a": 1} == {"a": 2}

def test_fine(): ...
"""
FAILED = ("test_sum[2]", "test_sum[3]", "TestBasket::test_total")


def test_what_broke_comes_first_with_its_assertion(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(FAILING)
    ended = installed.ci(
        "submit", "test", str(tmp_path), "--name=broken", "-n", installed.namespace
    )
    assert ended.returncode == 1
    assert "junit" not in ended.stdout
    lines = ended.stderr.splitlines()
    failed = [line for line in lines if line.startswith("ci: failed: ")]
    assert failed == [
        "ci: failed: tests/test_it.py::test_sum[2] (tests/test_it.py:6)",
        "ci: failed: tests/test_it.py::test_sum[3] (tests/test_it.py:6)",
        "ci: failed: tests/test_it.py::TestBasket::test_total (tests/test_it.py:10)",
    ]
    assert lines[lines.index(failed[0]) + 1] == "ci:     AssertionError: off by one"
    assert "; tests: 3/5 failed. Next: ci retry --failed broken" in lines[-1]
    listed = installed.cluster.kubectl("get", "cij", "broken", "-n", installed.namespace)
    assert " 3/5 failed " in listed.stdout
    table = installed.ci("list", "-n", installed.namespace).stdout
    assert re.search(r"^broken .* 3/5 failed ", table, re.MULTILINE)
    only_what_failed(installed)


def only_what_failed(installed: Installed) -> None:
    """Run the failed tests of the job `broken` again, and look at what ran."""
    words = ("retry", "--failed", "broken", "--name=only-broken", "-n", installed.namespace)
    ended = installed.ci(*words)
    assert ended.returncode == 1
    assert "3 failed, 2 deselected" in ended.stdout
    last = ended.stderr.splitlines()[-1]
    assert "; tests: 3/3 failed; a retry of 3 failed tests of broken. Next: " in last
    notes = installed.job("only-broken")["metadata"]["annotations"]
    assert notes["cijob.dev/retry-of"] == "broken"
    assert "uploaded" not in ended.stderr
    table = installed.ci("list", "-o", "wide", "-n", installed.namespace).stdout
    assert re.search(r"^only-broken .* broken$", table, re.MULTILINE)


def test_a_job_that_reports_nothing_cannot_be_retried_in_part(
    installed: Installed, tmp_path: Path
) -> None:
    run = ("run", "--no-source", "--name=silent", "-n", installed.namespace, "--", "false")
    assert installed.ci(*run).returncode == 1
    ended = installed.ci("retry", "--failed", "silent", "-n", installed.namespace)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "run the whole job again, without --failed" in ended.stderr


def test_a_run_that_is_stopped_has_the_tests_before_it(
    installed: Installed, tmp_path: Path
) -> None:
    """Collected within the grace; that the report breaks off is said, and the verdict stays."""
    test = "import time\ndef test_a():\n    assert 0\ndef test_b():\n    time.sleep(300)\n"
    (tmp_path / "test_it.py").write_text(test)
    options = ("-n", installed.namespace, "--timeout=40s")
    ended = installed.ci("submit", "test", str(tmp_path), *options)
    assert ended.returncode == 124
    assert "ci: failed: test_it.py::test_a (test_it.py:3)\n" in ended.stderr
    assert "ci: warning: the results are not complete: " in ended.stderr
    assert "; tests: 1/1 failed. Next: ci retry --failed " in ended.stderr


def test_a_report_that_is_no_report_is_words_and_no_verdict(
    installed: Installed, tmp_path: Path
) -> None:
    spoiled = (
        "def pytest_unconfigure():\n    open('.cijob/reports/junit.xml', 'w').write('<html>')\n"
    )
    (tmp_path / "conftest.py").write_text(spoiled)
    (tmp_path / "test_it.py").write_text("def test_it(): ...\n")
    code, lines = submit(installed, tmp_path)
    assert code == 0
    words = "the results are not complete: .cijob/reports/junit.xml: it is no JUnit: it begins with"
    assert f"ci: warning: {words} <html>" in lines
    assert lines[-1].startswith("ci: Succeeded (Completed)")


def test_the_log_is_the_same_with_and_without_a_report(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(FAILING)
    words = ("submit", "test", str(tmp_path), "-n", installed.namespace)
    silent = installed.ci(*words, "--env", "CIJOB_JUNIT=")
    seen = installed.ci(*words)
    assert "; tests: " not in silent.stderr
    assert "; tests: 3/5 failed" in seen.stderr
    # What differs between any two runs: times, and addresses in memory.
    chance = re.compile(r"in [\d.]+s |0x[0-9a-f]+|=+")
    assert chance.sub("", seen.stdout) == chance.sub("", silent.stdout)
