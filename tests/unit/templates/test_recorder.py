"""Template `test` reports in JUnit, and nobody who reads its output can tell."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml import ElementTree

from unit.templates.script import Workspace

pytestmark = pytest.mark.process

TESTS = """
import os, pytest, warnings

@pytest.fixture
def broken():
    raise RuntimeError("no database")

@pytest.fixture
def leaking():
    yield
    raise RuntimeError("not closed")

@pytest.mark.parametrize("value", ["a.b::c", "x[1]", "é", "\\x1b[31m"])
def test_parametrised(value):
    assert value == "right"

class TestOuter:
    class TestInner:
        def test_deep(self):
            helper()

def helper():
    assert 1 + 1 == 3, "sums <&> \\x00"

def test_setup(broken): ...
def test_teardown(leaking): ...
def test_fine(record_property, record_testsuite_property):
    record_property("a", 1)
    record_testsuite_property("b", 2)
    warnings.warn("seen")
@pytest.mark.skip
def test_skipped(): ...
@pytest.mark.xfail(strict=True)
def test_fails_as_expected(): assert False
@pytest.mark.xfail(strict=True)
def test_passes_unexpectedly(): ...
def test_environment():
    assert not {"PYTEST_PLUGINS", "CIJOB_JUNIT", "CIJOB_PLUGINS"} & set(os.environ)
"""
PROJECT = {"tests/test_x.py": TESTS, "tests/test_y.py": "import nothing_there\n"}
KEEP_GOING = "--continue-on-collection-errors"


def report(workspace: Workspace) -> Path:
    return workspace.folder / ".cijob" / "reports" / "junit.xml"


def elements(workspace: Workspace, name: str) -> list[Element]:
    return list(ElementTree.fromstring(report(workspace).read_bytes()).iter(name))


def recorded(workspace: Workspace) -> dict[str, str]:
    """Node ids, and how they ended."""
    cases = elements(workspace, "testcase")
    found = {}
    for case in cases:
        (mark,) = case.iter("property")
        outcome = [child.tag for child in case if child.tag != "properties"]
        found[mark.attrib["value"]] = outcome[0] if outcome else "passed"
    return found


def timeless(output: str) -> str:
    """The output without what differs between any two runs: times, and addresses in memory."""
    return re.sub(r"\d+\.\d+s( \([\d:]+\))?|0x[0-9a-f]+|=+", "", output)


@pytest.mark.parametrize(
    "options", [(), ("-v", "-ra"), ("-q", "-s"), ("-x",), ("--nonsense",), ("--version",)]
)
def test_the_output_is_the_same_byte_for_byte(
    workspace: Workspace, options: tuple[str, ...]
) -> None:
    workspace.write(PROJECT)
    own = {"PYTEST_ADDOPTS": KEEP_GOING, "PYTHONDONTWRITEBYTECODE": "1"}
    options = (*options, "-p", "no:cacheprovider")
    code, output, errors = workspace.run(*options, **own)
    seen = workspace.run(*options, **own, CIJOB_JUNIT=str(report(workspace)))
    assert (seen[0], timeless(seen[1]), timeless(seen[2])) == (
        code,
        timeless(output),
        timeless(errors),
    )
    assert report(workspace).exists() == ("no" not in options[0] and "--version" not in options)


def test_each_test_is_a_case_with_its_node_id(workspace: Workspace) -> None:
    workspace.write(PROJECT)
    code, output, _ = workspace.run(KEEP_GOING, "-rA", CIJOB_JUNIT=str(report(workspace)))
    assert code == 1
    assert recorded(workspace) == {
        "tests/test_y.py": "error",
        "tests/test_x.py::test_parametrised[a.b::c]": "failure",
        "tests/test_x.py::test_parametrised[x[1]]": "failure",
        r"tests/test_x.py::test_parametrised[\xe9]": "failure",
        r"tests/test_x.py::test_parametrised[\x1b[31m]": "failure",
        "tests/test_x.py::TestOuter::TestInner::test_deep": "failure",
        "tests/test_x.py::test_setup": "error",
        "tests/test_x.py::test_teardown": "error",
        "tests/test_x.py::test_fine": "passed",
        "tests/test_x.py::test_skipped": "skipped",
        "tests/test_x.py::test_fails_as_expected": "skipped",
        "tests/test_x.py::test_passes_unexpectedly": "failure",
        "tests/test_x.py::test_environment": "passed",
    }
    said = re.findall(r"^(?:FAILED|ERROR) (tests/\S+?)(?: - .*)?$", output, re.MULTILINE)
    broken = {name for name, end in recorded(workspace).items() if end in {"failure", "error"}}
    assert set(said) == broken


def test_a_failure_has_its_assertion_and_the_line_in_the_tests_own_file(
    workspace: Workspace,
) -> None:
    workspace.write({"helping.py": "def fail():\n    raise ValueError('deep')\n"})
    workspace.write({"sub/test_it.py": "import helping\n\ndef test_it():\n    helping.fail()\n"})
    code, _, _ = workspace.run("sub", CIJOB_JUNIT=str(report(workspace)))
    assert code == 1
    [failure] = elements(workspace, "failure")
    assert failure.attrib["message"] == "ValueError: deep"
    assert failure.text == "ValueError: deep\n\nsub/test_it.py:4: \n"


def test_workers_report_through_the_one_that_started_them(workspace: Workspace) -> None:
    workspace.write(PROJECT)
    environment = {"CIJOB_JUNIT": str(report(workspace)), "PYTEST_PLUGINS": "xdist.plugin"}
    tests = TESTS.replace('assert not {"PYTEST_PLUGINS", ', "assert not {")
    workspace.write({"tests/test_x.py": tests})
    code, output, _ = workspace.run(KEEP_GOING, CI_PARALLEL="2", **environment)
    assert code == 1, output
    found = list(recorded(workspace).values())
    assert (len(found), found.count("failure"), found.count("error")) == (13, 6, 3)


def test_a_run_that_is_killed_leaves_the_tests_before_it(workspace: Workspace) -> None:
    killed = "import os\ndef test_a():\n    assert 0\ndef test_b():\n    os.kill(os.getpid(), 9)\n"
    workspace.write({"test_it.py": killed})
    code, _, _ = workspace.run(CIJOB_JUNIT=str(report(workspace)))
    assert code == -9
    text = report(workspace).read_text()
    assert text.count("<testcase") == text.count("</testcase>") == 1
    assert "</testsuite>" not in text


def test_the_users_tree_stays_clean_for_git(workspace: Workspace) -> None:
    workspace.write({"test_it.py": "def test_it(): ...\n", ".cijob/build": "a recipe\n"})
    git = ["git", "-C", str(workspace.folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    options = ("-p", "no:cacheprovider")
    environment = {"CIJOB_JUNIT": str(report(workspace)), "PYTHONDONTWRITEBYTECODE": "1"}
    assert workspace.run(*options, **environment)[0] == 0
    assert report(workspace).exists()
    status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, check=True)
    assert status.stdout == b""


def test_a_place_that_cannot_be_written_is_no_failure(workspace: Workspace) -> None:
    workspace.write({"test_it.py": "def test_it(): ...\n", ".cijob": "a file"})
    code, output, errors = workspace.run(CIJOB_JUNIT=str(report(workspace)))
    assert (code, errors) == (0, "")
    assert "1 passed" in output


def test_the_plug_ins_of_the_user_are_loaded_and_seen_by_the_tests(workspace: Workspace) -> None:
    test = "import os\ndef test_it(own):\n    assert os.environ['PYTEST_PLUGINS'] == own\n"
    plugin = "import pytest\n@pytest.fixture\ndef own(): return 'users_own'\n"
    workspace.write({"test_it.py": test, "users_own.py": plugin})
    code, output, _ = workspace.run(
        CIJOB_JUNIT=str(report(workspace)), PYTEST_PLUGINS="users_own", NO_COLOR="1"
    )
    assert code == 0, output
    assert recorded(workspace) == {"test_it.py::test_it": "passed"}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_only_the_tests_that_are_named_run_again(workspace: Workspace, workers: str) -> None:
    workspace.write(PROJECT)
    wanted = [
        "tests/test_x.py::test_parametrised[a.b::c]",
        "tests/test_x.py::test_parametrised[x[1]]",
        "tests/test_x.py::TestOuter::TestInner::test_deep",
    ]
    code, output, _ = workspace.run(
        "tests/test_x.py",
        "-k",
        "not zzz",
        CIJOB_JUNIT=str(report(workspace)),
        CIJOB_TESTS="\n".join(wanted),
        CI_PARALLEL=workers,
        PYTEST_PLUGINS="xdist.plugin",
    )
    assert code == 1, output
    assert recorded(workspace) == dict.fromkeys(wanted, "failure")
    assert "3 failed" in output


def test_a_file_that_could_not_be_collected_stands_for_its_tests(workspace: Workspace) -> None:
    workspace.write({"test_a.py": "def test_a(): ...\n", "test_b.py": "def test_b(): ...\n"})
    code, _, _ = workspace.run(CIJOB_JUNIT=str(report(workspace)), CIJOB_TESTS="test_b.py")
    assert code == 0
    assert recorded(workspace) == {"test_b.py::test_b": "passed"}


def test_a_pytest_within_the_tests_is_not_ours(workspace: Workspace) -> None:
    inner = "def test_one(): ...\ndef test_two(): ...\n"
    outer = (
        "import subprocess, sys\ndef test_outer():\n"
        "    words = [sys.executable, '-m', 'pytest', '-q', 'inner_tests.py']\n"
        "    done = subprocess.run(words, capture_output=True, text=True)\n"
        "    assert '2 passed' in done.stdout\n"
    )
    workspace.write({"inner_tests.py": inner, "test_outer.py": outer})
    environment = {"CIJOB_JUNIT": str(report(workspace)), "CIJOB_TESTS": "test_outer.py"}
    code, output, _ = workspace.run("test_outer.py", **environment)
    assert code == 0, output
    assert recorded(workspace) == {"test_outer.py::test_outer": "passed"}
    assert sys.executable
