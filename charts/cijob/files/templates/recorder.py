"""A plug-in of pytest that writes JUnit as the tests end, and nothing else: PYTEST_DONT_REWRITE.

Part of template `test`, put into its script by the chart. Not pytest's own `--junitxml`: that says
so in the output, leaves node ids to be guessed, and writes at the end only, so that a run that is
stopped has nothing. With this one the output is pytest's to the byte. Runs on Python 3.8 and later;
what goes wrong here is no test's failure: no report, and no word.

Loaded by PYTEST_PLUGINS, which is put back at once: the tests see their own environment, and
workers of pytest-xdist and pytests within tests load nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

MOST = 8000  # characters of a message or a traceback
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<testsuites><testsuite name="pytest">\n'
TAIL = "</testsuite></testsuites>\n"
NO_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
REPORT = os.environ.pop("CIJOB_JUNIT", "")
PLUGINS = os.environ.pop("CIJOB_PYTEST_PLUGINS", None)


class Recorder:
    """One run: a case for each test that has ended."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self._folder = Path.cwd()  # what places in tracebacks are relative to
        self._file = -1
        self._broken = False
        self._reports: dict[tuple[str, Any], list[Any]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test was set up, called or torn down; of a worker that crashed there is one report."""
        key = (report.nodeid, getattr(report, "node", None))
        if report.when == "setup":
            self._reports[key] = []  # once more, by a plug-in that runs failures again
        self._reports.setdefault(key, []).append(report)
        if report.when not in {"setup", "call"}:
            self._write(self._reports.pop(key))

    def pytest_collectreport(self, report: Any) -> None:
        """A file was collected; of interest if it was not."""
        if report.failed or report.skipped:
            self._write([report])

    def pytest_sessionfinish(self) -> None:
        """All have ended, or the run was interrupted."""
        for reports in self._reports.values():
            if any(report.failed for report in reports):
                self._write(reports)
        if self._file >= 0:
            self._append(TAIL)

    def _write(self, reports: list[Any]) -> None:
        if self._broken:
            return
        try:
            if self._file < 0:
                self._file = opened(self._path)
                self._append(HEAD)
            self._append(case(reports, Places(self._root, self._folder)))
        except Exception:  # see above
            self._broken = True

    def _append(self, text: str) -> None:
        content = text.encode("utf-8", "replace")
        while content and not self._broken:
            content = content[os.write(self._file, content) :]


class Places:
    """Where pytest's paths lead to."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder

    def relative(self, path: object) -> str:
        """A path of a traceback as node ids have it."""
        return os.path.relpath(self.folder / str(path), self.root)


def opened(path: Path) -> int:
    """The report's file, in a folder that git does not see."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ignoring = path.parent / ".gitignore"
    if not ignoring.exists():
        ignoring.write_text("*\n", encoding="utf-8")
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)


def case(reports: list[Any], places: Places) -> str:
    """One test as JUnit has it."""
    node_id = reports[0].nodeid
    file, _, rest = node_id.partition("::")
    name, bracket, parameters = rest.partition("[")
    *classes, name = name.split("::")
    module = (file[:-3] if file.endswith(".py") else file).replace("/", ".")
    said = {
        "classname": ".".join([module, *classes]) if rest else "",
        "name": (name + bracket + parameters) or module,
        "file": file,
        "time": f"{sum(getattr(report, 'duration', 0) for report in reports):.3f}",
    }
    attributes = "".join(f" {key}={quoted(value)}" for key, value in said.items())
    mark = f'<properties><property name="cijob.nodeid" value={quoted(node_id)}/></properties>'
    return f"<testcase{attributes}>{mark}{outcome(reports, places)}</testcase>\n"


def outcome(reports: list[Any], places: Places) -> str:
    """What a test's reports say together: a failure, an error, skipped, or nothing."""
    broken = [report for report in reports if report.failed]
    if broken:
        element = "failure" if broken[0].when == "call" else "error"
        message, body = crash(broken[0], places)
        return f"<{element} message={quoted(message)}>{quoted(body)[1:-1]}</{element}>"
    return "<skipped/>" if any(report.skipped for report in reports) else ""


def crash(report: Any, places: Places) -> tuple[str, str]:
    """Why it failed, and that with the place: in the test's own file, where that is known."""
    found = getattr(report.longrepr, "reprcrash", None)
    if found is None:
        return "", str(report.longrepr)[-MOST:]
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
    passed = [getattr(entry, "reprfileloc", None) for entry in entries]
    own = report.nodeid.partition("::")[0]
    inside = [place for place in passed if place and places.relative(place.path) == own]
    place = inside[-1] if inside else found
    message = str(found.message)[:MOST]
    return message, f"{message}\n\n{places.relative(place.path)}:{place.lineno}: \n"


def quoted(text: str) -> str:
    """Text as an attribute; what XML cannot hold is written as pytest writes it."""
    clean = NO_XML.sub(lambda found: f"#x{ord(found.group()):02X}", text)
    return quoteattr(clean, {'"': "&quot;"})


def pytest_addoption() -> None:
    """The first hook that is called: the environment is put back."""
    if PLUGINS is None:
        os.environ.pop("PYTEST_PLUGINS", None)
    else:
        os.environ["PYTEST_PLUGINS"] = PLUGINS


def pytest_configure(config: Any) -> None:
    """The run begins."""
    root = Path(str(getattr(config, "rootpath", None) or config.rootdir))
    if REPORT and not config.getoption("collectonly", default=False):
        config.pluginmanager.register(Recorder(Path(REPORT), root))
