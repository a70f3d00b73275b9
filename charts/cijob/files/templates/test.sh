# The script of template `test`: a Python project's own tests, run by pytest in the workspace.
#
# It installs what the project names and the image lacks, says so in one line, and becomes pytest:
# output, exit code and signals are pytest's. Arguments are handed on to pytest. When nothing is
# missing, nothing is asked of the network.
#
#   installed  requirements.txt; the project's dependencies (pyproject.toml, setup.cfg, setup.py);
#              requirements files, extras and dependency groups called test, tests or testing;
#              if there are none, those called dev
#   imported   from src/ and the project's folder; the project itself is installed (editable) only
#              if it has entry points or code to build, asks for its own installed version, or
#              computes its dependencies; `-e .` in requirements.txt always does it
#   parallel   if the project names pytest-xdist or CI_PARALLEL is `auto` or a number: as many
#              workers as the container's CPU limit, never the node's cores
#
#   reported   as JUnit into CIJOB_JUNIT, a file, without changing what pytest prints
#   again      CIJOB_TESTS, node ids a line each, runs those of the chosen tests only
#
# Exit codes beside pytest's own (0 to 5): 65 what the project names cannot be installed,
# 69 the package index cannot be reached, 78 a setting or pyproject.toml is wrong, 127 no Python.
set -eu
python=$(command -v python3 || command -v python) || {
    echo "cijob: there is no Python in this image: use another --image for template test" >&2
    exit 127
}
program=${TMPDIR:-/tmp}/cijob-test.py
mkdir -p "${TMPDIR:-/tmp}/cijob-pytest"
cat > "${TMPDIR:-/tmp}/cijob-pytest/cijob_recorder.py" <<'PLUGIN'
@recorder.py@
PLUGIN
cat > "${TMPDIR:-/tmp}/cijob-pytest/cijob_selection.py" <<'PLUGIN'
@selection.py@
PLUGIN
cat > "$program" <<'PYTHON'
"""Plan the test run of the project in the current directory, install, and become pytest.

Runs on Python 3.8 and later with the standard library alone, since the image is the user's. One
start of Python plans, one is pytest; imports that take long are made where they are needed.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# What is called by the first words is installed; only if there is nothing, by the second.
WORDS = (("test", "tests", "testing"), ("dev", "devel", "development"))
PATTERNS = (
    "requirements-{}.txt",
    "requirements_{}.txt",
    "{}-requirements.txt",
    "{}_requirements.txt",
    "requirements/{}.txt",
    "{}/requirements.txt",
)
# A build that needs one of these compiles: the files alone are not the project.
COMPILERS = re.compile(
    r"cffi|cython|maturin|meson-python|mypy|nanobind|numpy|pybind11|scikit-build|setuptools-rust"
)
# Where packages look up their own version, and how.
VERSION_FILES = ("__init__.py", "__about__.py", "__version__.py", "_version.py", "version.py")
OWN_METADATA = re.compile(r"importlib[._]metadata|pkg_resources")
# Options of pytest that name a plug-in, and the module it is.
OPTIONS = {
    "pytest-xdist": re.compile(r"-n(=?\d+|=?auto|=?logical)?$|--numprocesses"),
    "pytest-cov": re.compile(r"--cov\b"),
}
MODULES = {"pytest": "pytest", "pytest-xdist": "xdist", "pytest-cov": "pytest_cov"}
UNREACHABLE = re.compile(
    r"connection broken by|Max retries exceeded|NewConnectionError|Could not fetch URL|"
    r"Failed to establish a new connection|CERTIFICATE_VERIFY_FAILED|Connection refused|"
    r"ProxyError|Read timed out|ConnectTimeout|too many \d+ error responses|"
    r"name resolution|Network is unreachable"
)
REACHED = re.compile(r"from versions: (?!none)")
# Without the repository's history a version cannot be computed; this one meets any lower bound.
NO_HISTORY = {
    "SETUPTOOLS_SCM_PRETEND_VERSION": "9999",
    "PDM_BUILD_SCM_VERSION": "9999",
    "POETRY_DYNAMIC_VERSIONING_BYPASS": "9999",
}
# `python -m pytest` with our recorder, and its exit code for "no tests" in words.
PYTEST = """
import os, runpy, sys
plugins = os.environ.pop("CIJOB_PLUGINS", "")
if os.environ.get("CIJOB_JUNIT"):
    own = os.environ.get("PYTEST_PLUGINS")
    if own is not None:
        os.environ["CIJOB_PYTEST_PLUGINS"] = own
    os.environ["PYTEST_PLUGINS"] = "cijob_recorder" + ("," + own if own else "")
    sys.path.insert(0, plugins)
    import cijob_recorder
    del sys.path[0]
sys.argv[0], code = "pytest", 0
try:
    runpy.run_module("pytest", run_name="__main__")
except SystemExit as end:
    code = end.code
if code == 5:
    print("cijob: pytest found no tests to run (exit code 5); it looks for functions test_* in "
          "files test_*.py and *_test.py", flush=True)
sys.exit(code)
"""


class Stop(Exception):
    """No test can be run: an exit code and the words for it."""


class Project:
    """What a project says of itself, wherever it says it."""

    def __init__(self) -> None:
        self.name = ""
        self.dependencies: list[str] = []
        self.extras: dict[str, list[str]] = {}
        self.groups: dict[str, list[str]] = {}
        self.reasons: list[str] = []  # why it must be installed itself
        self.computed = False  # only a build knows its dependencies


class Wanted:
    """What is to be there for the tests, and where that is said."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.named: dict[str, list[str]] = {}

    def requirements(self) -> list[str]:
        lines = [line for path in self.files for line in lines_of(path)]
        return lines + [line for named in self.named.values() for line in named]


# --- reading: what the project's files say --------------------------------------------------


def parse_toml(path: Path) -> dict[str, Any]:
    """A TOML file as tables; none if there is no file, or no parser (before Python 3.11)."""
    if not path.is_file():
        return {}
    parsers = (name for name in ("tomllib", "tomli", "pip._vendor.tomli") if found(name))
    parser = next(parsers, None)
    if parser is None:
        say(f"{path.name} is not read: Python {sys.version.split()[0]} here has no TOML parser")
        return {}
    try:
        return dict(import_module(parser).loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise Stop(78, f"{path.name} is not valid TOML: {error}; no test was run") from error


def found(module: str) -> bool:
    """Whether there is such a module, in a package that may be missing."""
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def parse_ini(path: Path) -> dict[str, dict[str, str]]:
    """An INI file as tables; what is wrong with a broken one, its own reader will say."""
    if not path.is_file():
        return {}
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, ValueError):
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}


def parse_setup_py(path: Path) -> dict[str, Any]:
    """The arguments of setup(), without running it; what is computed is None."""
    if not path.is_file():
        return {}
    import ast

    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return {}
    arguments = {}
    for node in ast.walk(tree):
        function = getattr(node, "func", None)
        if getattr(function, "id", getattr(function, "attr", "")) == "setup":
            for keyword in getattr(node, "keywords", []):
                try:
                    arguments[keyword.arg] = ast.literal_eval(keyword.value)
                except ValueError:
                    arguments[keyword.arg] = None
    return arguments


def addopts(root: Path, pyproject: dict[str, Any]) -> list[str]:
    """The options that the project gives pytest, from the first file that has a place for them."""
    tool = pyproject.get("tool", {}).get("pytest", {})
    places = [
        parse_toml(root / "pytest.toml").get("pytest"),
        parse_toml(root / ".pytest.toml").get("pytest"),
        parse_ini(root / "pytest.ini").get("pytest"),
        parse_ini(root / ".pytest.ini").get("pytest"),
        tool.get("ini_options", tool),
        parse_ini(root / "tox.ini").get("pytest"),
        parse_ini(root / "setup.cfg").get("tool:pytest"),
    ]
    chosen: dict[str, Any] = next((place for place in places if place), {})
    options = chosen.get("addopts", "")
    return options.split() if isinstance(options, str) else list(options)


def lines_of(path: Path) -> list[str]:
    """The lines of a requirements file and of those it names, without comments and hashes."""
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    lines: list[str] = []
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)(#.*|--hash=\S+)", "", raw).strip()
        other = re.match(r"(?:-r|--requirement)[ =]*(\S+)", line)
        if other and (path.parent / other.group(1)).is_file():
            lines += lines_of(path.parent / other.group(1))
        elif line:
            lines.append(line)
    return lines


def read_project(root: Path, pyproject: dict[str, Any]) -> Project:
    """The project as pyproject.toml has it, else as its older files do."""
    project = Project()
    groups = {normal(name): group for name, group in pyproject.get("dependency-groups", {}).items()}
    project.groups = {name: members(groups, name) for name in groups}
    setup = parse_setup_py(root / "setup.py")
    if "project" in pyproject:
        read_standard(project, pyproject["project"])
    else:
        read_setup_cfg(project, parse_ini(root / "setup.cfg"))
        read_setup_py(project, setup)
        read_poetry(project, pyproject.get("tool", {}).get("poetry", {}))
    if "build-system" not in pyproject and not (root / "setup.py").is_file():
        project.reasons = []  # nothing says how to build it: it is its files
        return project
    if builds_code(root, pyproject) or {"ext_modules", "cffi_modules"} & set(setup):
        project.reasons.append("has code to build")
    if asks_for_itself(root):
        project.reasons.append("asks for its own version")
    if project.computed:
        project.reasons.append("computes its dependencies")
    return project


def read_standard(project: Project, table: dict[str, Any]) -> None:
    project.name = table.get("name", "")
    project.dependencies = list(table.get("dependencies", []))
    project.extras = dict(table.get("optional-dependencies", {}))
    project.computed = bool(
        {"dependencies", "optional-dependencies"} & set(table.get("dynamic", []))
    )
    if {"scripts", "gui-scripts", "entry-points"} & set(table):
        project.reasons.append("has entry points")


def read_setup_cfg(project: Project, sections: dict[str, dict[str, str]]) -> None:
    options = sections.get("options", {})
    extras = sections.get("options.extras_require", {})
    project.name = sections.get("metadata", {}).get("name", "")
    project.dependencies = strings(options.get("install_requires", ""))
    project.extras = {name: strings(lines) for name, lines in extras.items()}
    if any("file:" in lines for lines in (options.get("install_requires", ""), *extras.values())):
        project.dependencies, project.extras, project.computed = [], {}, True
    if "options.entry_points" in sections:
        project.reasons.append("has entry points")


def read_setup_py(project: Project, arguments: dict[str, Any]) -> None:
    project.name = arguments.get("name") or project.name
    project.dependencies += strings(arguments.get("install_requires"))
    for name, lines in (arguments.get("extras_require") or {}).items():
        project.extras[name] = strings(lines)
    for name in ("install_requires", "extras_require"):
        project.computed |= name in arguments and arguments[name] is None
    if {"entry_points", "scripts"} & set(arguments):
        project.reasons.append("has entry points")


def read_poetry(project: Project, table: dict[str, Any]) -> None:
    if not table:
        return
    groups = {name: group.get("dependencies", {}) for name, group in table.get("group", {}).items()}
    groups["dev"] = {**table.get("dev-dependencies", {}), **groups.get("dev", {})}
    project.name, project.computed = table.get("name", ""), True
    for name, dependencies in groups.items():
        project.groups[normal(name)] = [
            poetry_requirement(*item) for item in dependencies.items() if item[0] != "python"
        ]
    if {"scripts", "plugins"} & set(table):
        project.reasons.append("has entry points")


def poetry_requirement(name: str, spec: object) -> str:
    """Poetry's `name = "^1.2"`: at least 1.2; what fits together is left to pip."""
    version = spec.get("version", "*") if isinstance(spec, dict) else str(spec)
    version = re.sub(r"^(\^|~(?!=))", ">=", version).replace("*", "")
    return name + ("==" + version if version[:1].isdigit() else version)


def members(groups: dict[str, Any], name: str, seen: tuple[str, ...] = ()) -> list[str]:
    """The requirements of a dependency group and of the groups it includes."""
    found: list[str] = []
    for entry in groups.get(name, []) if name not in seen else []:
        if isinstance(entry, str):
            found.append(entry)
        else:
            found += members(groups, normal(entry.get("include-group", "")), (*seen, name))
    return found


def builds_code(root: Path, pyproject: dict[str, Any]) -> bool:
    """Whether a build makes files to import: compiled ones, or one that holds the version."""
    tool = pyproject.get("tool", {})
    if any(
        COMPILERS.match(normal(r)) for r in pyproject.get("build-system", {}).get("requires", ())
    ):
        return True
    scm = tool.get("setuptools_scm", {})
    hook = tool.get("hatch", {}).get("build", {}).get("hooks", {}).get("vcs", {})
    version = scm.get("version_file") or scm.get("write_to") or hook.get("version-file")
    written = version and not (root / version).exists()
    return bool(written or tool.get("setuptools", {}).get("ext-modules"))


def asks_for_itself(root: Path) -> bool:
    """Whether a package here reads its version from its installation."""
    files = [
        path
        for folder in ("*", "src/*")
        for name in VERSION_FILES
        for path in root.glob(f"{folder}/{name}")
    ]
    return any(
        OWN_METADATA.search(path.read_text(encoding="utf-8", errors="replace")) for path in files
    )


def strings(value: str | list[str] | None) -> list[str]:
    """A list of requirements, which may be written as lines."""
    lines = value.splitlines() if isinstance(value, str) else value or []
    return [
        line for line in (re.sub(r"(^|\s)#.*", "", str(line)).strip() for line in lines) if line
    ]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    return normal(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0])


# --- deciding: what is wanted, and what of it is missing --------------------------------------


def want(root: Path, project: Project) -> Wanted:
    """requirements.txt, the project's dependencies, and what is called by one of the words."""
    wanted = Wanted()
    wanted.files = [path for path in [root / "requirements.txt"] if path.is_file()]
    wanted.named["the project's dependencies"] = project.dependencies
    for words in WORDS:
        paths = [root / pattern.format(word) for word in words for pattern in PATTERNS]
        files = [path for path in paths if path.is_file()]
        named = {
            f"{kind} {name}": lines
            for kind, table in (("extra", project.extras), ("group", project.groups))
            for name, lines in table.items()
            if normal(name) in words and lines
        }
        if files or named:
            wanted.files += files
            wanted.named.update(named)
            break
    own = normal(project.name)
    for where, lines in wanted.named.items():
        wanted.named[where] = unfold(lines, own, project.extras)
    return wanted


def unfold(lines: list[str], own: str, extras: dict[str, list[str]]) -> list[str]:
    """The project's own name with extras, `name[extra]`, stands for what these extras hold."""
    found: list[str] = []
    for line in lines:
        if not own or name_of(line) != own:
            found.append(line)
            continue
        for extra in re.findall(r"[\w.-]+", line.partition("[")[2].partition("]")[0]):
            found += [more for more in extras.get(extra, []) if name_of(more) != own]
    return found


def missing(line: str) -> bool:
    """Whether the image lacks a requirement; what cannot be judged here is left to pip."""
    if line.startswith("-"):
        return bool(re.match(r"-e|--editable|-c|--constraint", line))
    try:
        from importlib import metadata

        home = "packaging" if found("packaging") else "pip._vendor.packaging"
        requirements = import_module(home + ".requirements")
        return unmet(requirements.Requirement(line), metadata)
    except (ImportError, ValueError):
        return True


def unmet(requirement: Any, metadata: Any) -> bool:
    """Whether no installed distribution meets a parsed requirement with its extras."""
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return False
    try:
        found = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        return True
    if requirement.url or not requirement.specifier.contains(found.version, prereleases=True):
        return True
    for part in map(type(requirement), found.requires or ()):
        if part.marker and any(part.marker.evaluate({"extra": e}) for e in requirement.extras):
            part.marker = None
            if unmet(part, metadata):
                return True
    return False


def plan(wanted: Wanted, project: Project, run: list[str]) -> tuple[list[list[str]], list[str]]:
    """The arguments of each call of pip, and the reasons; `run` is what the test run needs."""
    calls: list[list[str]] = [[]]
    reasons = []
    for path in wanted.files:
        if any(missing(line) for line in lines_of(path)):
            calls[0] += ["-r", str(path)]
            reasons.append(str(path.relative_to(Path.cwd())))
    if any("--hash=" in path.read_text(errors="replace") for path in wanted.files):
        calls.append([])  # with one hash pip demands hashes of everything in the same call
    for where, lines in wanted.named.items():
        if any(missing(line) for line in lines):
            calls[-1] += lines
            reasons.append(where)
    named = {name_of(line) for line in wanted.requirements()}
    for name in run:
        if name not in named and not found(MODULES[name]):
            calls[-1].append(name)
            reasons.append("to run the tests" if name == "pytest" else "for pytest's options")
    if project.reasons:
        extras = "[test,tests,testing]" if project.computed else ""
        calls[-1] += ["-e", f".{extras}"]
        reasons.append("the project itself: it " + " and ".join(dict.fromkeys(project.reasons)))
    return [call for call in calls if call], reasons


# --- deciding: how many workers --------------------------------------------------------------


def cpu_limit(cgroup: Path) -> int | None:
    """The container's CPU limit, rounded up, as cgroup v2 or v1 has it; None without one."""
    v1 = cgroup / "cpu"
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (v1 / "cpu.cfs_quota_us").read_text().strip()
            period = (v1 / "cpu.cfs_period_us").read_text()
    except (OSError, ValueError):
        return None
    return -(-int(quota) // int(period)) if quota.isdigit() and int(quota) else None


def workers(asked: str, limit: int | None) -> int:
    """How many processes test: what CI_PARALLEL says, else the CPU limit, else what there is."""
    if asked.isdigit():
        return int(asked)
    if asked not in ("", "auto"):
        raise Stop(78, f"CI_PARALLEL is {asked!r}; it must be a number or `auto`; no test was run")
    cores = len(os.sched_getaffinity(0))
    return min(limit or cores, cores)


def gives(plugin: str, options: list[str]) -> bool:
    return any(OPTIONS[plugin].match(option) for option in options)


def in_parallel(asked: str, wanted: Wanted, options: list[str]) -> bool:
    """Whether to add `-n`: the project or CI_PARALLEL asks for it, and no option says otherwise."""
    said = "no:xdist" in options or "--pdb" in options or gives("pytest-xdist", options)
    named = "pytest-xdist" in {name_of(line) for line in wanted.requirements()}
    return not said and asked != "0" and bool(asked or named)


# --- doing -----------------------------------------------------------------------------------


def say(words: str) -> None:
    print(f"cijob: {words}", flush=True)


def environment(folder: Path) -> str:
    """Make a virtual environment that also sees what the image has; its Python."""
    import site
    import venv

    venv.EnvBuilder(symlinks=True, system_site_packages=True).create(folder)
    # If the image's Python is a virtual environment, "system" is what lies below it. As one of
    # Python's own prefixes, and not just on its path, pip knows to hide it from isolated builds.
    own = next(folder.glob("lib/python*/site-packages"))
    (own / "cijob.pth").write_text(f"import site; site.PREFIXES[:] = {site.PREFIXES!r}\n")
    return str(folder / "bin" / "python")


def install(python: str, arguments: list[str]) -> list[tuple[str, str]]:
    """Install by pip; the names and versions it installed. Its output is shown if it fails."""
    import subprocess

    variables = {"PIP_RETRIES": "2", **os.environ}
    variables.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    if variables["PIP_RETRIES"] == "0":
        variables["PIP_RETRIES"] = "1"  # pip tells of a failed connection only as it tries again
    if "PIP_CACHE_DIR" not in variables:
        variables["PIP_NO_CACHE_DIR"] = "1"  # a job's home is gone with it
    if not Path(".git").exists() and not Path("PKG-INFO").exists():
        variables = {**NO_HISTORY, **variables}
    done = subprocess.run(
        [python, "-m", "pip", "install", *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise not_installed(done.stdout)
    last = "".join(re.findall(r"^Successfully installed (.*)", done.stdout, re.MULTILINE))
    return [(name, version) for name, _, version in (w.rpartition("-") for w in last.split())]


def not_installed(output: str) -> Stop:
    """Why pip failed: there is none, no index can be reached, or what is named cannot be had."""
    if "No module named pip" in output:
        advice = "use an image with pip, or with all that the project needs"
        return Stop(65, f"something must be installed and the image has no pip: {advice}")
    if UNREACHABLE.search(output) and not REACHED.search(output):
        index = re.sub(r"//[^/]*@", "//", os.environ.get("PIP_INDEX_URL", ""))
        advice = "check the namespace's egress, the CA bundle and PIP_INDEX_URL; no test was run"
        return Stop(69, f"cannot reach the package index{index and ' ' + index}: {advice}")
    return Stop(65, "pip cannot install what the project names, see above; no test was run")


def summary(installed: list[tuple[str, str]], first: set[str], reasons: list[str]) -> str:
    """What was installed, that which the project names by name, and why."""
    shown = [f"{name} {version}" for name, version in installed if normal(name) in first]
    rest = len(installed) - len(shown)
    if rest:
        shown.append(f"{rest} more" if shown else f"{rest} packages")
    words = " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)
    return f"installed {words or 'nothing new'} ({'; '.join(reasons)})"


def main(arguments: list[str]) -> None:
    root = Path.cwd()
    pyproject = parse_toml(root / "pyproject.toml")
    project = read_project(root, pyproject)
    wanted = want(root, project)
    options = addopts(root, pyproject) + os.environ.get("PYTEST_ADDOPTS", "").split() + arguments
    asked = os.environ.get("CI_PARALLEL", "")
    count = workers(asked, cpu_limit(Path("/sys/fs/cgroup")))
    run = ["pytest", *(plugin for plugin in OPTIONS if gives(plugin, options))]
    words, python, variables = "nothing to install", sys.executable, dict(os.environ)
    parallel = in_parallel(asked, wanted, options)
    if parallel:
        run.append("pytest-xdist")
        arguments = ["-n", str(count), *arguments]
    calls, reasons = plan(wanted, project, run)
    if calls:
        folder = Path(__file__).absolute().with_name("cijob-venv")
        python = environment(folder)
        installed = [each for call in calls for each in install(python, call)]
        first = {name_of(line) for line in [*wanted.requirements(), *run, project.name]}
        words = summary(installed, first, reasons)
        variables["VIRTUAL_ENV"] = str(folder)
        variables["PATH"] = f"{folder / 'bin'}{os.pathsep}{variables.get('PATH', '')}"
    say(words + (f"; {count} worker{'s' * (count != 1)}" if parallel else ""))
    become_pytest(python, arguments, variables, count)


def become_pytest(python: str, arguments: list[str], variables: dict[str, str], count: int) -> None:
    """Replace this process, so that signals, output and exit code are pytest's."""
    root, plugins = Path.cwd(), str(Path(__file__).absolute().with_name("cijob-pytest"))
    paths = [str(path) for path in (root / "src", root) if path.is_dir()]
    if variables.get("PYTHONPATH"):
        paths.append(variables["PYTHONPATH"])
    if variables.get("CIJOB_TESTS"):
        paths.append(plugins)
        arguments = ["-p", "cijob_selection", *arguments]
    variables["CIJOB_PLUGINS"] = plugins
    variables["PYTHONPATH"] = os.pathsep.join(paths)
    variables.setdefault("PYTHONUNBUFFERED", "1")  # the log is followed while the tests run
    variables.setdefault("PYTEST_XDIST_AUTO_NUM_WORKERS", str(count))  # the project's `-n auto`
    os.execve(python, [python, "-c", PYTEST, *arguments], variables)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file is no place to import from
    try:
        main(sys.argv[1:])
    except Stop as stop:
        code, message = stop.args
        print(f"cijob: {message}", file=sys.stderr, flush=True)
        sys.exit(code)
PYTHON
exec "$python" "$program" "$@"
