"""`ci submit --dry-run`, as its user has it: a tree that nobody uploaded yet is only checked."""

import json
from pathlib import Path

import yaml

from kit.installed import Installed


def test_a_tree_that_was_never_uploaded_is_checked_and_stays_here(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): ...\n")
    name = "--name=only-asked"
    shown = installed.ci("submit", "test", str(tmp_path), "--dry-run", "-o", "yaml", name)
    assert (shown.returncode, shown.stderr) == (0, "")
    job = yaml.safe_load(shown.stdout)
    assert (job["kind"], job["metadata"]["name"]) == ("CIJob", "only-asked")
    again = installed.ci("submit", "test", str(tmp_path), "--dry-run", "-o", "json", name)
    assert json.loads(again.stdout)["spec"] == job["spec"]
    assert installed.ci("get", "only-asked").returncode == 5
    (tmp_path / "test_it.py").write_text("def test_it(): ...\n# changed\n")
    assert installed.ci("submit", "test", str(tmp_path), "--dry-run").returncode == 0
    sent = installed.ci("submit", "test", str(tmp_path), "--async")
    assert "ci: uploaded " in sent.stderr, "nothing of it was stored before"


def test_a_mistake_is_found_without_an_upload(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): ...\n")
    ended = installed.ci("submit", "tset", str(tmp_path), "--dry-run")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no template 'tset'" in ended.stderr
