"""What a project says about its own jobs: `.ci.toml`, or `[tool.ci]` in pyproject.toml.

Called by submit and run. Looked for in the submitted directory and its parents, up to the root of
the git work tree or the caller's home; the nearest wins as a whole. Flags win over it.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cijob_cli.errors import BadSetting
from cijob_cli.units import parse_duration

_TEXTS = ("template", "image", "namespace", "pool")
_KNOWN = (*_TEXTS, "env", "resources", "timeout", "priority", "args")


@dataclass(frozen=True)
class Project:
    """A project's defaults; None or empty where it says nothing."""

    template: str | None = None
    image: str | None = None
    namespace: str | None = None
    pool: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    cpu: str | None = None
    memory: str | None = None
    timeout_seconds: int | None = None
    priority: int | None = None
    args: tuple[str, ...] = ()
    path: Path | None = None  # the file that says so


def read_project(start: Path, home: Path) -> Project:
    """The defaults for a directory. Raises BadSetting, naming file and key."""
    for folder in _upwards(start.absolute(), home):
        for name, keys in ((".ci.toml", ()), ("pyproject.toml", ("tool", "ci"))):
            table = _table(folder / name, keys)
            if table is not None:
                return _project(folder / name, table)
    return Project()


def _upwards(start: Path, home: Path) -> Iterator[Path]:
    for folder in (start, *start.parents):
        yield folder
        # A submodule's and a linked work tree's .git is a file.
        if folder == home or (folder / ".git").exists():
            return


def _table(path: Path, keys: tuple[str, ...]) -> dict[str, Any] | None:
    try:
        table: Any = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise BadSetting(f"{path}: {error}") from error
    for key in keys:
        table = table.get(key)
        if not isinstance(table, dict):
            return None
    return dict(table)


def _project(path: Path, table: dict[str, Any]) -> Project:
    for key in table:
        if key not in _KNOWN:
            raise BadSetting(f"{path}: unknown key '{key}'; known are {', '.join(_KNOWN)}")
    resources = _resources(path, table.get("resources", {}))
    return Project(
        **{key: _text(path, key, table[key]) for key in _TEXTS if key in table},
        env=_env(path, table.get("env", {})),
        cpu=resources.get("cpu"),
        memory=resources.get("memory"),
        timeout_seconds=_timeout(path, table.get("timeout")),
        priority=_priority(path, table.get("priority")),
        args=_args(path, table.get("args", [])),
        path=path,
    )


def _wrong(path: Path, key: str, wanted: str) -> BadSetting:
    return BadSetting(f"{path}: '{key}' must be {wanted}")


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(path, key, "a text")
    return value


def _number_or_text(path: Path, key: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(path, key, "a text or a number")
    return str(value)


def _env(path: Path, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong(path, "env", 'a table such as {NAME = "value"}')
    return {name: _number_or_text(path, f"env.{name}", given) for name, given in value.items()}


def _resources(path: Path, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not set(value) <= {"cpu", "memory"}:
        raise _wrong(path, "resources", 'a table such as {cpu = "2", memory = "1Gi"}')
    return {
        name: _number_or_text(path, f"resources.{name}", given) for name, given in value.items()
    }


def _timeout(path: Path, value: object) -> int | None:
    if value is None:
        return None
    try:
        return parse_duration(str(value))
    except BadSetting as error:
        raise BadSetting(f"{path}: timeout: {error}") from error


def _priority(path: Path, value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise _wrong(path, "priority", "a whole number")
    return value


def _args(path: Path, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(path, "args", "a list of texts")
    return tuple(value)
