"""Template `build`, run by sh as in a job: which recipe it takes, and what it says without one."""

import os
import subprocess
from pathlib import Path

import pytest

from kit.cluster import ROOT

pytestmark = pytest.mark.process
SCRIPT = (ROOT / "charts/cijob/files/templates/build.sh").read_text()
MAKEFILE = "all:\n\t@echo made\nother:\n\t@echo other\n"


def build(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the script in a folder; its exit code, stdout and stderr."""
    words = ["/bin/sh", "-euc", SCRIPT, "sh", *arguments]
    # Nothing of a `make` that runs these tests.
    given = {"PATH": os.environ["PATH"]}
    done = subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def recipe(folder: Path, text: str, mode: int = 0o755) -> None:
    path = folder / ".cijob" / "build"
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(mode)


def test_the_repositorys_own_recipe_comes_before_make(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    recipe(tmp_path, '#!/bin/sh\necho "own recipe: $*"\nexit 3\n')
    assert build(tmp_path, "a b") == (3, "own recipe: a b\n", "")


@pytest.mark.parametrize("name", ["Makefile", "makefile", "GNUmakefile"])
def test_else_it_is_made(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(MAKEFILE)
    recipe(tmp_path, "#!/bin/sh\nexit 3\n", mode=0o644)
    assert build(tmp_path) == (0, "made\n", "")
    assert build(tmp_path, "other") == (0, "other\n", "")


def test_without_a_recipe_it_says_so(tmp_path: Path) -> None:
    code, output, errors = build(tmp_path)
    assert (code, output) == (66, "")
    words = "NoBuildRecipe: there is neither .cijob/build nor a makefile; add one of them"
    assert errors == f"cijob: {words}\n"


def test_a_recipe_that_is_not_executable_is_no_recipe(tmp_path: Path) -> None:
    recipe(tmp_path, "#!/bin/sh\n", mode=0o644)
    code, _, errors = build(tmp_path)
    assert code == 66
    assert "NoBuildRecipe: .cijob/build is not executable" in errors
