"""Template `test`: which files of a project name what, and how many workers the limit allows."""

from pathlib import Path
from types import ModuleType

import pytest

from unit.templates.script import Workspace

WANTED = [
    ("nothing", {}, []),
    (
        "requirements.txt",
        {"requirements.txt": "a\n-r more/b.txt\n", "more/b.txt": "b # why\n"},
        ["a", "b"],
    ),
    (
        "requirements for tests and not those for development",
        {"requirements-test.txt": "a", "tests/requirements.txt": "b", "requirements-dev.txt": "c"},
        ["a", "b"],
    ),
    (
        "requirements for development if there are none for tests",
        {"requirements-dev.txt": "c"},
        ["c"],
    ),
    (
        "dependencies and the test extra",
        {
            "pyproject.toml": "project={name='p', dependencies=['a'], "
            "optional-dependencies={Testing=['b'], dev=['c'], docs=['d']}}"
        },
        ["a", "b"],
    ),
    (
        "the project's own name stands for its extras",
        {
            "pyproject.toml": "project={name='My.P', "
            "optional-dependencies={test=['a'], all=['my-p[test]','b']}}\n"
            "dependency-groups={tests=['my_p[all]','c']}"
        },
        ["a", "b", "c"],
    ),
    (
        "a group and the groups it includes",
        {"pyproject.toml": "dependency-groups={dev=[{include-group='base'},'a'], base=['b']}"},
        ["b", "a"],
    ),
    (
        "setup.cfg",
        {
            "setup.cfg": "[options]\ninstall_requires =\n  a>1\n  b\n"
            "[options.extras_require]\ntest = c\n"
        },
        ["a>1", "b", "c"],
    ),
    (
        "setup.py",
        {
            "setup.py": "from setuptools import setup\n"
            "setup(name='p', install_requires=['a'], extras_require={'dev': 'b'})"
        },
        ["a", "b"],
    ),
    (
        "Poetry's groups",
        {
            "pyproject.toml": "tool.poetry.group.test.dependencies="
            "{a='^1.2', b='*', c={version='~2'}, d='3'}"
        },
        ["a>=1.2", "b", "c>=2", "d==3"],
    ),
]


@pytest.mark.parametrize(
    ("files", "wanted"), [case[1:] for case in WANTED], ids=[case[0] for case in WANTED]
)
def test_wanted(
    program: ModuleType, workspace: Workspace, files: dict[str, str], wanted: list[str]
) -> None:
    workspace.write(files)
    project = program.read_project(
        workspace.folder, program.parse_toml(workspace.folder / "pyproject.toml")
    )
    assert sorted(program.want(workspace.folder, project).requirements()) == sorted(wanted)


BUILT = "build-system={requires=['flit_core']}\n"
INSTALLED = [
    (
        "files to import",
        {"pyproject.toml": BUILT + "project={name='p', version='1', dependencies=['a']}"},
        [],
    ),
    (
        "entry points",
        {"pyproject.toml": BUILT + "project={name='p', scripts={p='p:main'}}"},
        ["has entry points"],
    ),
    (
        "entry points that nothing builds",
        {"pyproject.toml": "project={name='p', scripts={p='p:main'}}"},
        [],
    ),
    (
        "its own version",
        {"pyproject.toml": BUILT, "src/p/__init__.py": "from importlib.metadata import version"},
        ["asks for its own version"],
    ),
    (
        "a compiler",
        {"pyproject.toml": "build-system={requires=['Cython>=3']}"},
        ["has code to build"],
    ),
    (
        "a version that the build writes",
        {"pyproject.toml": BUILT + "tool={setuptools_scm={write_to='p/_version.py'}}"},
        ["has code to build"],
    ),
    (
        "a version that the build has written",
        {
            "pyproject.toml": BUILT + "tool={setuptools_scm={write_to='p/_version.py'}}",
            "p/_version.py": "",
        },
        [],
    ),
    (
        "computed dependencies",
        {"setup.py": "setup(install_requires=open('x').read())"},
        ["computes its dependencies"],
    ),
    (
        "computed dependencies of setup.cfg",
        {"setup.py": "setup()", "setup.cfg": "[options]\ninstall_requires = file: r.txt"},
        ["computes its dependencies"],
    ),
    (
        "a module in C",
        {"setup.py": "setup(ext_modules=[Extension('c', ['c.c'])])"},
        ["has code to build"],
    ),
]


@pytest.mark.parametrize(
    ("files", "reasons"), [case[1:] for case in INSTALLED], ids=[case[0] for case in INSTALLED]
)
def test_reasons_to_install_the_project_itself(
    program: ModuleType, workspace: Workspace, files: dict[str, str], reasons: list[str]
) -> None:
    workspace.write(files)
    pyproject = program.parse_toml(workspace.folder / "pyproject.toml")
    assert program.read_project(workspace.folder, pyproject).reasons == reasons


@pytest.mark.parametrize(
    ("requirement", "missing"),
    [
        ("pytest", False),
        ("pytest>=7", False),
        ("pytest<1", True),
        ("cijob-answers", True),
        ("cijob-answers; python_version < '3'", False),
        ("pytest @ file:///somewhere", True),
        ("pytest-xdist[psutil]", True),
        ("coverage[no such extra", True),
        ("-e .", True),
        ("-c constraints.txt", True),
        ("--prefer-binary", False),
    ],
)
def test_missing(program: ModuleType, requirement: str, *, missing: bool) -> None:
    assert program.missing(requirement) is missing


FAILURES = [
    (
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\n"
            "ERROR: Could not find a version that satisfies the requirement a (from versions: none)"
        ),
        69,
    ),
    (
        (
            "WARNING: Retrying (Retry(total=1)) after connection broken by 'ReadTimeoutError'\n"
            "ERROR: Could not find a version that satisfies a>9 (from versions: 1, 2)"
        ),
        65,
    ),
    ("Could not fetch URL: SSLError(SSLCertVerificationError(1, CERTIFICATE_VERIFY_FAILED))", 69),
    ("ERROR: No matching distribution found for a", 65),
    ("/usr/bin/python: No module named pip", 65),
]


@pytest.mark.parametrize(("output", "code"), FAILURES)
def test_an_index_out_of_reach_is_told_from_what_it_does_not_have(
    program: ModuleType, output: str, code: int
) -> None:
    assert program.not_installed(output).args[0] == code


LIMITS = [
    ("v2: one and a half", {"cpu.max": "150000 100000\n"}, 2),
    ("v2: a tenth", {"cpu.max": "10000 100000\n"}, 1),
    ("v2: no limit", {"cpu.max": "max 100000\n"}, None),
    ("v1: three", {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ("v1: no limit", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ("no cgroup", {}, None),
]


@pytest.mark.parametrize(
    ("files", "limit"), [case[1:] for case in LIMITS], ids=[case[0] for case in LIMITS]
)
def test_the_cpu_limit_is_the_containers(
    program: ModuleType, workspace: Workspace, files: dict[str, str], limit: int | None
) -> None:
    workspace.write(files)
    assert program.cpu_limit(workspace.folder) == limit


def test_workers_are_no_more_than_the_limit_or_what_is_asked_for(program: ModuleType) -> None:
    assert program.workers("auto", 1) == 1
    assert program.workers("7", 1) == 7
    with pytest.raises(program.Stop, match="CI_PARALLEL is 'yes'; it must be a number or `auto`"):
        program.workers("yes", 1)


PARALLEL = [
    ("neither names nor asks", "", "pytest", [], False),
    ("the project names it", "", "pytest-xdist>=3", [], True),
    ("asked for", "auto", "", [], True),
    ("asked not to", "0", "pytest-xdist", [], False),
    ("the project's options have it", "4", "pytest-xdist", ["-n", "auto"], False),
    ("a debugger is asked for", "4", "pytest-xdist", ["--pdb"], False),
]


@pytest.mark.parametrize(
    ("asked", "line", "options", "parallel"),
    [case[1:] for case in PARALLEL],
    ids=[case[0] for case in PARALLEL],
)
def test_in_parallel(
    program: ModuleType, *, asked: str, line: str, options: list[str], parallel: bool
) -> None:
    wanted = program.Wanted()
    wanted.named["group test"] = [line] if line else []
    assert program.in_parallel(asked, wanted, options) is parallel


ADDOPTS = [
    (
        "pytest.ini before others",
        {"pytest.ini": "[pytest]\naddopts = -n 3", "tox.ini": "[pytest]\naddopts = -x"},
        ["-n", "3"],
    ),
    (
        "pyproject.toml, as text",
        {"pyproject.toml": "tool.pytest.ini_options.addopts = '-n auto -q'"},
        ["-n", "auto", "-q"],
    ),
    (
        "pyproject.toml, as a list",
        {"pyproject.toml": "tool.pytest.addopts = ['-nauto']"},
        ["-nauto"],
    ),
    ("tox.ini", {"tox.ini": "[pytest]\naddopts =\n  -ra\n  -v"}, ["-ra", "-v"]),
    ("setup.cfg", {"setup.cfg": "[tool:pytest]\naddopts = -v"}, ["-v"]),
    ("none", {"tox.ini": "[tox]\nx = %(y"}, []),
]


@pytest.mark.parametrize(
    ("files", "options"), [case[1:] for case in ADDOPTS], ids=[case[0] for case in ADDOPTS]
)
def test_addopts(
    program: ModuleType, workspace: Workspace, files: dict[str, str], options: list[str]
) -> None:
    workspace.write(files)
    pyproject = program.parse_toml(Path(workspace.folder / "pyproject.toml"))
    assert program.addopts(workspace.folder, pyproject) == options
