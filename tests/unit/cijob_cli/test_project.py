from pathlib import Path

import pytest

from cijob_cli.errors import BadSetting
from cijob_cli.project import Project, read_project


def test_all_keys_are_read(tmp_path: Path) -> None:
    path = tmp_path / ".ci.toml"
    path.write_text(
        'template = "test"\nimage = "python"\nnamespace = "team"\npool = "fast"\npriority = 5\n'
        'timeout = "15m"\nargs = ["-q"]\nenv = {A = "x", B = 1}\n'
        'resources = {cpu = 2, memory = "1Gi"}\n'
    )
    assert read_project(tmp_path, Path("/")) == Project(
        template="test",
        image="python",
        namespace="team",
        pool="fast",
        env={"A": "x", "B": "1"},
        cpu="2",
        memory="1Gi",
        timeout_seconds=900,
        priority=5,
        args=("-q",),
        path=path,
    )


def test_the_nearest_file_wins_as_a_whole_and_ci_toml_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / ".ci.toml").write_text('template = "outer"\nimage = "outer"\n')
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[tool.ci]\ntemplate = "pyproject"\n')
    assert read_project(inner, Path("/")).template == "pyproject"
    assert read_project(inner, Path("/")).image is None
    (inner / ".ci.toml").write_text('template = "ci"\n')
    assert read_project(inner, Path("/")).template == "ci"


def test_a_pyproject_without_our_table_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / ".ci.toml").write_text('template = "outer"\n')
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/pyproject.toml").write_text('[project]\nname = "x"\n')
    assert read_project(tmp_path / "inner", Path("/")).template == "outer"


@pytest.mark.parametrize("border", ["git root", "home"])
def test_files_above_the_git_root_or_home_are_not_read(tmp_path: Path, border: str) -> None:
    (tmp_path / ".ci.toml").write_text('template = "not ours"\n')
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    if border == "git root":
        (root / ".git").mkdir()
    home = root if border == "home" else Path("/")
    assert read_project(root / "sub", home) == Project()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("tempalte = 'x'", "unknown key 'tempalte'; known are template"),
        ("template = 1", "'template' must be a text"),
        ("env = ['A=1']", "'env' must be a table"),
        ("env = {A = [1]}", "'env.A' must be a text or a number"),
        ("resources = {gpu = 1}", "'resources' must be a table"),
        ("timeout = 'soon'", "timeout: 'soon' is not a duration"),
        ("priority = 'high'", "'priority' must be a whole number"),
        ("args = '-q'", "'args' must be a list of texts"),
        ("template", ".ci.toml: "),
    ],
)
def test_what_cannot_be_used_is_named_with_its_file(
    tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / ".ci.toml").write_text(content)
    with pytest.raises(BadSetting) as wrong:
        read_project(tmp_path, Path("/"))
    assert words in str(wrong.value)
    assert str(tmp_path / ".ci.toml") in str(wrong.value)
