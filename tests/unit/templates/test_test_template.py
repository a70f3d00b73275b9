"""Template `test`, run by sh as in a job: what it says, installs and hands on. No network."""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kit.testscript import FILES, SCRIPT
from unit.templates.script import PROGRAM, Workspace

pytestmark = pytest.mark.process

PASSING = "def test_it():\n    pass\n"
SRC_LAYOUT = {
    "src/greeting/__init__.py": "def hello():\n    return 'hello'\n",
    "pyproject.toml": "[build-system]\nrequires = ['hatchling']\n"
    "[project]\nname = 'greeting'\nversion = '1'\n",
    "tests/test_greeting.py": "import os, greeting\n"
    "def test_hello():\n    assert greeting.hello() == 'hello'\n"
    "def test_process():\n    print('process', os.getpid())\n",
}
NO_INDEX = {"PIP_INDEX_URL": "http://someone:secret@127.0.0.1:9/simple", "PIP_RETRIES": "0"}


def test_a_src_layout_needs_no_installation_and_arguments_reach_pytest(
    workspace: Workspace,
) -> None:
    workspace.write(SRC_LAYOUT)
    code, output, errors = workspace.run("-k", "hello", "--verbose", **NO_INDEX)
    assert (code, errors) == (0, "")
    assert output.startswith("cijob: nothing to install\n=====")
    assert "tests/test_greeting.py::test_hello PASSED" in output
    assert "1 passed, 1 deselected" in output


def test_a_failing_test_is_exit_code_1_and_the_process_is_pytest(workspace: Workspace) -> None:
    """One process from sh to pytest: signals sent to the job reach pytest."""
    workspace.write(SRC_LAYOUT | {"test_no.py": "def test_no():\n    assert 6 * 9 == 42\n"})
    with workspace.start("--capture=no") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"process {process.pid}\n" in output
    assert "assert (6 * 9) == 42" in output
    assert "1 failed, 2 passed" in output


def test_a_syntax_error_in_a_test_is_pytests_exit_code_2(workspace: Workspace) -> None:
    workspace.write({"test_broken.py": "def test_it(:\n    pass\n"})
    code, output, _ = workspace.run()
    assert code == 2
    assert "SyntaxError: invalid syntax" in output


def test_no_tests_is_exit_code_5_in_plain_words(workspace: Workspace) -> None:
    workspace.write(
        {"package/__init__.py": "", "setup.py": "import setuptools\nsetuptools.setup()"}
    )
    code, output, _ = workspace.run()
    assert code == 5
    assert "no tests ran" in output
    assert output.splitlines()[-1].startswith("cijob: pytest found no tests to run (exit code 5)")


def test_a_unittest_project_is_tested_in_as_many_workers_as_asked(workspace: Workspace) -> None:
    test = "import os, unittest\nclass T(unittest.TestCase):\n    def test_worker(self):\n"
    test += "        self.assertEqual(os.environ['PYTEST_XDIST_WORKER_COUNT'], '1')\n"
    workspace.write({"tests/test_it.py": test})
    code, output, _ = workspace.run(CI_PARALLEL="1", PYTEST_PLUGINS="xdist.plugin")
    assert code == 0, output
    assert output.startswith("cijob: nothing to install; 1 worker\n")
    assert "1 passed" in output


def wheel(folder: Path, name: str, content: str) -> None:
    """A wheel that needs no index and no build."""
    metadata = f"{name}-1.5.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.5-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", content)
        archive.writestr(
            f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n"
        )
        archive.writestr(
            f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{metadata}/RECORD", "")


def test_what_is_missing_is_installed_beside_the_image_and_said_in_one_line(
    workspace: Workspace,
) -> None:
    wheel(workspace.home, "cijob_answers", "ANSWER = 42\n")
    test = "import sys, cijob_answers\ndef test_answer():\n    assert cijob_answers.ANSWER == 42\n"
    test += "    assert sys.prefix != sys.base_prefix and 'home' in sys.prefix\n"
    workspace.write({"test_it.py": test, "requirements.txt": "cijob-answers>=1 # the answers\n"})
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(workspace.home)}
    code, output, errors = workspace.run(**offline)
    assert (code, errors) == (0, ""), output
    assert re.match(r"cijob: installed cijob[-_]answers 1.5 \(requirements.txt\)\n====", output)
    assert sorted(path.name for path in workspace.folder.iterdir() if path.is_file()) == [
        "requirements.txt",
        "test_it.py",
    ]


def test_an_index_out_of_reach_is_said_plainly_and_without_its_password(
    workspace: Workspace,
) -> None:
    workspace.write({"test_it.py": PASSING, "requirements.txt": "cijob-answers==1\n"})
    code, output, errors = workspace.run(**NO_INDEX)
    assert (code, output) == (69, "")
    assert errors.splitlines()[-1] == (
        "cijob: cannot reach the package index http://127.0.0.1:9/simple: check the namespace's "
        "egress, the CA bundle and PIP_INDEX_URL; no test was run"
    )
    assert "secret" not in errors


def test_a_broken_pyproject_is_named(workspace: Workspace) -> None:
    workspace.write({"pyproject.toml": "[project\n"})
    code, _, errors = workspace.run()
    assert code == 78
    assert errors.startswith("cijob: pyproject.toml is not valid TOML: ")
    assert "(at line 1" in errors


def test_an_image_without_python_is_named(workspace: Workspace) -> None:
    assert workspace.run(PATH=str(workspace.home)) == (
        127,
        "",
        "cijob: there is no Python in this image: use another --image for template test\n",
    )


def test_the_script_fits_a_template_and_survives_kubernetes_expansion() -> None:
    """Kubernetes reads `$$` and `$(NAME)` in a container's command as its own."""
    assert len(SCRIPT.encode()) < 64 << 10
    assert "$$" not in SCRIPT
    assert not re.search(r"\$\([A-Z_]+\)", SCRIPT)


def test_the_program_is_linted_and_runs_on_python_3_8() -> None:
    for text in (PROGRAM, *(path.read_text() for path in FILES.glob("*.py"))):
        ast.parse(text, feature_version=(3, 8))
    ruff = Path(sys.executable).with_name("ruff")
    settings = [
        "--config",
        str(FILES.parents[3] / "pyproject.toml"),
        "--target-version",
        "py38",
        "-",
    ]
    for command in (["check", "--ignore", "PERF203,PLC0415,S606"], ["format", "--check"]):
        subprocess.run([ruff, *command, *settings], input=PROGRAM, text=True, check=True)
