"""Fixtures for template `test`: a workspace to run it in, and its program as a module."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from unit.templates.script import PROGRAM, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The Python program within the script."""
    path = tmp_path_factory.mktemp("program") / "cijob_test.py"
    path.write_text(PROGRAM)
    spec = importlib.util.spec_from_file_location("cijob_test", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
