"""Template `test` on real projects: the verdict and the counts that pytest gives by hand.

Through the installed chart and the real `ci`; the job's Pods need egress to the package index.
"""

from pathlib import Path

import pytest

from kit.cluster import ROOT
from kit.installed import Installed
from kit.projects import counts, run_by_hand, unpack

# What a person installs who reads the project's files, and what the job says that it installed.
PROJECTS = {
    # Its .gitignore leaves out a module that its build makes.
    "iniconfig": ([], "(the project itself: it has code to build)"),
    "more-itertools": (["-r", "requirements/testing.txt"], "(requirements/testing.txt)"),
    "pluggy": (["-e", ".", "pytest-benchmark", "coverage"], "(group testing; the project itself"),
    "semver": (["-e", ".", "pytest<=9.1.1", "pytest-cov"], "(group test; the project itself: it"),
    "sortedcontainers": ([], "nothing to install\n"),
    "toolz": (["-e", "."], "(group test; the project itself: it asks for its own version)"),
}


@pytest.mark.parametrize("project", PROJECTS)
def test_a_real_project_has_the_verdict_and_counts_of_pytest_by_hand(
    project: str, installed: Installed, tmp_path: Path
) -> None:
    needs, said = PROJECTS[project]
    uploaded, by_hand = (unpack(project, tmp_path / place) for place in ("uploaded", "by-hand"))
    ended = installed.ci("submit", "test", str(uploaded), "-n", installed.namespace)
    code, expected = run_by_hand(by_hand, tmp_path / "venv", needs)
    assert said in ended.stdout, ended.stdout + ended.stderr
    assert counts(ended.stdout) == expected
    assert ended.returncode == (1 if code else 0)
    assert ("cijob: pytest found no tests to run" in ended.stdout) == (code == 5)


def test_workers_are_as_many_as_the_cpu_limit_not_the_nodes_cores(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("pytest-xdist\n")
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    ended = installed.ci("submit", "test", str(tmp_path), "-n", installed.namespace, "--cpu=900m")
    assert ended.stdout.startswith("cijob: nothing to install; 1 worker\n"), ended.stdout
    assert ended.returncode == 0


def test_arguments_are_handed_on_to_pytest(installed: Installed) -> None:
    project = str(ROOT / "examples" / "failing")
    where = ("submit", "test", project, "-n", installed.namespace)
    ended = installed.ci(*where, "--", "-k", "not single")
    assert counts(ended.stdout) == {"passed": 2}
    assert ended.returncode == 0


def test_an_index_out_of_reach_is_said_and_no_test_is_run(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    (tmp_path / "requirements.txt").write_text("attrs\n")
    nowhere = "PIP_INDEX_URL=http://127.0.0.1:9/simple"
    where = ("submit", "test", str(tmp_path), "-n", installed.namespace)
    ended = installed.ci(*where, "--env", nowhere)
    assert "cijob: cannot reach the package index http://127.0.0.1:9/simple" in ended.stdout
    assert "no test was run" in ended.stdout
    assert "passed" not in ended.stdout
    assert ended.returncode == 1
