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
# Exit codes beside pytest's own (0 to 5): 65 what the project names cannot be installed,
# 69 the package index cannot be reached, 78 a setting or pyproject.toml is wrong, 127 no Python.
set -eu
python=$(command -v python3 || command -v python) || {
    echo "cijob: there is no Python in this image: use another --image for template test" >&2
    exit 127
}
program=${TMPDIR:-/tmp}/cijob-test.py
cat > "$program" <<'PYTHON'
"""Plan the test run of the project in the current directory, install, and become pytest.

Runs on Python 3.8 and later with the standard library alone, since the image is the user's. One
start of Python plans, one is pytest: imports that cost time are made where they are needed.
"""

import os
import re
import sys
from pathlib import Path

WORDS = (("test", "tests", "testing"), ("dev", "devel", "development"))
PATTERNS = ("requirements-{}.txt", "requirements_{}.txt", "{}-requirements.txt",
            "{}_requirements.txt", "requirements/{}.txt", "{}/requirements.txt")
# What a build needs when it compiles: without it, the files alone are the project.
COMPILERS = {"cffi", "cython", "maturin", "meson-python", "mypy", "nanobind", "numpy", "pybind11",
             "scikit-build", "scikit-build-core", "setuptools-rust"}
# A plug-in's option in the project's own addopts names the plug-in.
PLUGINS = {"pytest-xdist": r"-n(=?\d+|=?auto|=?logical)?$|--numprocesses",
           "pytest-cov": r"--cov\b"}
UNREACHABLE = re.compile(
    r"NewConnectionError|Failed to establish a new connection|ConnectTimeout|ReadTimeout|"
    r"timed out|CERTIFICATE_VERIFY_FAILED|SSLError|ProxyError|Name or service not known|"
    r"Temporary failure in name resolution|Network is unreachable|Connection refused")
# Without the repository's history a version cannot be computed; any lower bound is met by this.
NO_HISTORY = {"SETUPTOOLS_SCM_PRETEND_VERSION": "9999", "PDM_BUILD_SCM_VERSION": "9999",
              "POETRY_DYNAMIC_VERSIONING_BYPASS": "9999"}
# pytest's own program, but its code for "no tests" is also said in words.
PYTEST = """
import runpy, sys
sys.argv[0], code = "pytest", 0
try:
    runpy.run_module("pytest", run_name="__main__")
except SystemExit as end:
    code = end.code
if code == 5:
    print("cijob: pytest found no tests to run (exit code 5): it looks for functions test_* in "
          "files test_*.py and *_test.py, and deselects by -k and -m", flush=True)
sys.exit(code)
"""


class Stop(Exception):
    """Nothing can be tested: an exit code and the words for it."""


class Wanted:
    """What the project names: requirements by where they stand, and why it is to be installed."""

    def __init__(self):
        self.files = []  # requirements files
        self.named = {}  # where -> requirement strings
        self.project = []  # reasons to install the project itself
        self.extras = []  # of the project, asked for by itself


# --- reading: what the project's files say ---------------------------------------------------


def parse_toml(path):
    """A TOML file as a dictionary; empty if there is none, or no parser (before Python 3.11)."""
    if not path.is_file():
        return {}
    for parser in ("tomllib", "tomli", "pip._vendor.tomli"):
        try:
            loads = __import__(parser, fromlist=["loads"]).loads
        except ImportError:
            continue
        try:
            return loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Stop(78, "%s is not valid TOML: %s" % (path.name, error)) from error
    say("%s is not read: Python %d.%d here has no TOML parser" % (path.name, *sys.version_info[:2]))
    return {}


def parse_ini(path):
    """An INI file as a dictionary of sections; a broken one is the business of who reads it."""
    if not path.is_file():
        return {}
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, ValueError):
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}


def parse_setup_py(path):
    """The literal arguments of setup(); what is computed is None."""
    import ast

    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return {}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    arguments = {}
    for call in calls:
        if getattr(call.func, "id", getattr(call.func, "attr", "")) == "setup":
            for keyword in call.keywords:
                try:
                    arguments[keyword.arg] = ast.literal_eval(keyword.value)
                except ValueError:
                    arguments[keyword.arg] = None
    return arguments


def addopts(root, pyproject):
    """The options that the project gives pytest: of the first file that has a section for it."""
    tool = pyproject.get("tool", {}).get("pytest", {})
    for name, section in (("pytest.ini", "pytest"), (".pytest.ini", "pytest"), ("", ""),
                          ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        found = parse_ini(root / name).get(section) if name else tool.get("ini_options") or tool
        if found:
            options = found.get("addopts", "")
            return options.split() if isinstance(options, str) else list(options)
    return []


def lines_of(path):
    """The lines of a requirements file and of the files it names."""
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        other = re.match(r"(?:-r|--requirement)[ =]*(\S+)", line)
        if other and (path.parent / other.group(1)).is_file():
            yield from lines_of(path.parent / other.group(1))
        elif line:
            yield line


def members(groups, name, seen=()):
    """The requirements of a dependency group, with the groups it includes."""
    for entry in groups.get(name, []) if name not in seen else []:
        if isinstance(entry, str):
            yield entry
        else:
            yield from members(groups, entry.get("include-group"), (*seen, name))


def poetry(table):
    """Poetry's `name = "^1.2"` as requirement strings; an upper bound is left to the resolver."""
    for name, spec in table.items():
        version = spec if isinstance(spec, str) else spec.get("version", "*")
        version = re.sub(r"^[\^~](?!=)", ">=", version).replace("*", "")
        if name != "python" and isinstance(spec, (str, dict)):
            yield name + ("==" + version if version[:1].isdigit() else version)


# --- deciding: what is wanted ------------------------------------------------------------------


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement):
    return normal(re.match(r"[\w.-]*", requirement).group())


def want(root, pyproject):
    """Everything the project names for its tests."""
    wanted = Wanted()
    project, cfg = pyproject.get("project", {}), parse_ini(root / "setup.cfg")
    tool = pyproject.get("tool", {}).get("poetry", {})
    groups = {key: list(members(pyproject.get("dependency-groups", {}), key))
              for key in pyproject.get("dependency-groups", {})}
    extras = dict(project.get("optional-dependencies", {}))
    if not project:
        extras.update({key: value.splitlines()
                       for key, value in cfg.get("options.extras_require", {}).items()})
        for key, group in tool.get("group", {"dev": {}}).items():
            also = tool.get("dev-dependencies", {}) if key == "dev" else {}
            groups.setdefault(key, list(poetry({**group.get("dependencies", {}), **also})))
    want_project(wanted, root, pyproject, cfg, extras)
    if (root / "requirements.txt").is_file():
        wanted.files.append(root / "requirements.txt")
    for words in WORDS:
        files = [root / p.format(w) for w in words for p in PATTERNS
                 if (root / p.format(w)).is_file()]
        named = [("%s %s" % (kind, key), value)
                 for kind, table in (("extra", extras), ("group", groups))
                 for key, value in table.items() if normal(key) in words and any(value)]
        wanted.files += files
        wanted.named.update(named)
        if files or named:
            break
    resolve_self(wanted, normal(project.get("name", tool.get("name", ""))), extras)
    return wanted


def want_project(wanted, root, pyproject, cfg, extras):
    """The project's dependencies, and whether it must be installed itself."""
    project, tool = pyproject.get("project", {}), pyproject.get("tool", {})
    setup = parse_setup_py(root / "setup.py") if (root / "setup.py").is_file() else None
    requires = list(pyproject.get("build-system", {}).get("requires", []))
    dynamic, options = project.get("dynamic", []), cfg.get("options", {})
    setup_says = {} if setup is None or project else setup
    dependencies = list(project.get("dependencies", []))
    if not project:
        dependencies += options.get("install_requires", "").splitlines()
        dependencies += setup_says.get("install_requires") or []
        if isinstance(setup_says.get("extras_require"), dict):
            extras.update(setup_says["extras_require"])
    wanted.named["its dependencies"] = dependencies
    if setup is None and not requires:
        return  # nothing says how it would be built: files to import, as they are
    computed = {"install_requires", "extras_require"} & {k for k, v in setup_says.items() if not v}
    computed = [k for k in computed if setup_says[k] is None] or (
        "dependencies" in dynamic or "optional-dependencies" in dynamic
        or (not project and "poetry" in tool))
    if computed:
        wanted.project.append("computes its dependencies")
    if ({"scripts", "gui-scripts", "entry-points"} & set(project)
            or {"scripts", "plugins"} & set(tool.get("poetry", {}))
            or "options.entry_points" in cfg or {"entry_points", "scripts"} & set(setup_says)):
        wanted.project.append("has entry points")
    if ({name_of(r) for r in requires} & COMPILERS
            or {"ext_modules", "cffi_modules", "rust_extensions"} & set(setup or {})
            or tool.get("setuptools", {}).get("ext-modules") or generated(root, tool)):
        wanted.project.append("has code to build")
    if asks_for_itself(root):
        wanted.project.append("asks for its own version")


def generated(root, tool):
    """Whether a file with the version is still to be written by the build."""
    scm = tool.get("setuptools_scm", {})
    hook = tool.get("hatch", {}).get("build", {}).get("hooks", {}).get("vcs", {})
    path = scm.get("version_file") or scm.get("write_to") or hook.get("version-file")
    return bool(path) and not (root / path).exists()


def asks_for_itself(root):
    """Whether the package reads its version from its installation, where packages do that."""
    names = ("__init__.py", "__about__.py", "__version__.py", "_version.py", "version.py")
    for folder in (root, root / "src"):
        for package in folder.iterdir() if folder.is_dir() else ():
            for name in names:
                if package.name not in ("tests", "test") and (package / name).is_file():
                    text = (package / name).read_text(encoding="utf-8", errors="replace")
                    if re.search(r"importlib[._]metadata|pkg_resources", text):
                        return True
    return False


def resolve_self(wanted, name, extras):
    """`name[extra]` among a project's own requirements means the project's own extra."""
    for where, requirements in list(wanted.named.items()):
        for requirement in [r for r in requirements if name and name_of(r) == name]:
            for extra in re.findall(r"[\w.-]+", (requirement.split("[") + [""])[1].split("]")[0]):
                more = [r for r in extras.get(extra, []) if r not in requirements]
                requirements = [*requirements, *more]
        wanted.named[where] = [r.strip() for r in requirements
                               if r.strip() and (not name or name_of(r) != name)]


# --- deciding: what is missing -----------------------------------------------------------------


def missing(line):
    """Whether a requirement is not met by the image; what cannot be judged here is left to pip."""
    try:
        from importlib import metadata
        try:
            from packaging import requirements
        except ImportError:
            from pip._vendor.packaging import requirements
        return unmet(requirements.Requirement, requirements.Requirement(line), metadata)
    except (ImportError, ValueError, SyntaxError):
        return True


def unmet(parse, requirement, metadata):
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return False
    try:
        found = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        return True
    if requirement.url or not requirement.specifier.contains(found.version, prereleases=True):
        return True
    for extra in requirement.extras:
        for line in found.requires or ():
            part = parse(line)
            if part.marker and part.marker.evaluate({"extra": extra}):
                part.marker = None
                if unmet(parse, part, metadata):
                    return True
    return False


def plan(wanted, needed):
    """pip's arguments for what is missing, and the reasons; `needed` is what the run needs."""
    arguments, reasons = [], []
    for path in wanted.files:
        if any(line.startswith("-") or missing(line) for line in lines_of(path)):
            arguments.append(["-r", str(path)])
            reasons.append(os.path.relpath(str(path)))
    for where, requirements in wanted.named.items():
        if any(missing(requirement) for requirement in requirements):
            arguments.append(requirements)
            reasons.append(where)
    known = [name_of(line) for line in named(wanted)]
    for name in needed:
        if name not in known and missing(name):
            arguments.append([name])
            reasons.append("to run the tests" if name == "pytest" else "for its addopts")
    if wanted.project:
        arguments.append(["-e", "."])
        reasons.append("the project itself: it " + " and ".join(wanted.project))
    return arguments, reasons


def named(wanted):
    """Every requirement that stands somewhere."""
    for path in wanted.files:
        yield from lines_of(path)
    for requirements in wanted.named.values():
        yield from requirements


# --- deciding: how many workers ----------------------------------------------------------------


def cpu_limit(cgroup):
    """The container's CPU limit, rounded up; None if it has none. cgroup v2, then v1."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    if quota == "max" or int(quota) <= 0:
        return None
    return max(1, -(-int(quota) // int(period)))


def workers(asked, cgroup):
    """How many processes to test in: what CI_PARALLEL asks for, or what the limit allows."""
    if asked.isdigit():
        return int(asked)
    if asked not in ("", "auto"):
        raise Stop(78, "CI_PARALLEL is %r: it must be `auto` or a number" % asked)
    cores = len(os.sched_getaffinity(0))
    return min(cpu_limit(cgroup) or cores, cores)


def matches(plugin, options):
    return any(re.match(PLUGINS[plugin], option) for option in options)


# --- doing -------------------------------------------------------------------------------------


def say(words):
    print("cijob: " + words, flush=True)


def environment(folder):
    """A virtual environment that also sees what the image has; made by hand, it costs no pip."""
    import site
    import venv

    venv.EnvBuilder(symlinks=True).create(folder)
    seen = [path for path in sys.path if path.rstrip("/").endswith(("-packages",))]
    own = next(Path(folder).glob("lib/python*/site-packages"))
    lines = ["import site; site.addsitedir(%r)" % path for path in seen]
    (own / "cijob-image.pth").write_text("\n".join(lines) + "\n")
    return Path(folder) / "bin/python"


def install(python, arguments, root):
    """Install by pip; the names and versions it installed. Its output is shown if it fails."""
    import subprocess

    variables = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    variables.setdefault("PIP_RETRIES", "2")
    if "PIP_CACHE_DIR" not in variables:
        variables["PIP_NO_CACHE_DIR"] = "1"  # the home of a job is gone with it
    if not (root / ".git").exists() and not (root / "PKG-INFO").exists():
        variables = dict(NO_HISTORY, **variables)
    command = [str(python), "-m", "pip", "install", *arguments]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        failed(done.stdout)
    return re.findall(r"(\S+)-(\d\S*)", "".join(re.findall("Successfully installed(.*)", done.stdout)))


def failed(output):
    """Say why pip failed: no index, no pip, or what the project names cannot be had."""
    sys.stderr.write(output)
    if "No module named pip" in output:
        raise Stop(65, "there is no pip in this image, and something must be installed: "
                       "use an image with pip, or with what the project needs")
    if UNREACHABLE.search(output):
        index = re.sub(r"//[^@/]*@", "//", os.environ.get("PIP_INDEX_URL", ""))
        raise Stop(69, "cannot reach the package index%s: check the namespace's egress, the CA "
                       "bundle and PIP_INDEX_URL; no test was run" % (index and " " + index))
    raise Stop(65, "what the project names cannot be installed (pip's words are above); "
                   "no test was run")


def summary(installed, wanted, reasons):
    """What was installed, first what the project named, and why."""
    first = {name_of(line) for line in named(wanted)} | {"pytest", "pytest-xdist"}
    shown = ["%s %s" % pair for pair in installed if normal(pair[0]) in first]
    rest = len(installed) - len(shown)
    words = ", ".join(shown) or "%d packages" % rest
    return "%s%s (%s)" % (words, " and %d more" % rest if shown and rest else "", "; ".join(reasons))


def main(arguments):
    root = Path.cwd()
    pyproject = parse_toml(root / "pyproject.toml")
    options = addopts(root, pyproject)
    given = options + arguments + os.environ.get("PYTEST_ADDOPTS", "").split()
    wanted = want(root, pyproject)
    asked = os.environ.get("CI_PARALLEL", "")
    count = workers(asked, Path("/sys/fs/cgroup"))
    names = {name_of(line) for line in named(wanted)}
    parallel = asked != "0" and (asked or "pytest-xdist" in names or matches("pytest-xdist", given))
    needed = ["pytest"] + [p for p in PLUGINS if matches(p, given)]
    needed += ["pytest-xdist"] if parallel and "pytest-xdist" not in needed else []
    python, variables = sys.executable, dict(os.environ)
    calls, reasons = plan(wanted, needed)
    if calls:
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cijob-venv")
        python = str(environment(folder))
        variables["PATH"] = os.path.dirname(python) + os.pathsep + variables.get("PATH", "")
        variables["VIRTUAL_ENV"] = folder
        words = "installed " + summary(install(python, sum(calls, []), root), wanted, reasons)
    else:
        words = "nothing to install"
    if parallel and not matches("pytest-xdist", given):
        arguments = ["-n", str(count), *arguments]
        words += "; %d workers" % count
    say(words)
    path = [str(root / "src")] * (root / "src").is_dir() + [str(root)]
    variables["PYTHONPATH"] = os.pathsep.join(path + [p for p in [variables.get("PYTHONPATH")] if p])
    variables.setdefault("PYTHONUNBUFFERED", "1")  # the log is followed while the tests run
    variables.setdefault("PYTEST_XDIST_AUTO_NUM_WORKERS", str(count))  # `-n auto` too
    os.execve(python, [python, "-c", PYTEST, *arguments], variables)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file is no place to import from
    try:
        main(sys.argv[1:])
    except Stop as stop:
        code, message = stop.args
        print("cijob: " + message, file=sys.stderr, flush=True)
        sys.exit(code)
PYTHON
exec "$python" "$program" "$@"
