"""The cache is keyed by what a component is made from, and a failed build leaves no trace."""

from pathlib import Path

import pytest

from localcluster import components
from localcluster.components import Component
from localcluster.errors import ClusterError, Missing
from localcluster.settings import Settings

pytestmark = pytest.mark.process

HELLO = Component("hello", ("example.org/hello",), 0.1)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    source = tmp_path / "hack" / "components" / "hello"
    source.mkdir(parents=True)
    (source / "go.mod").write_text("module example.org/hello\n\ngo 1.24\n")
    (source / "main.go").write_text("package main\n\nfunc main() {}\n")
    monkeypatch.setattr(components, "COMPONENTS", (HELLO,))
    return Settings(
        cache=tmp_path / "cache", state=tmp_path, hack=tmp_path / "hack", kubeconfig=tmp_path
    )


def test_a_component_is_built_once(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = components.build_all(settings)
    assert (folder / "hello").exists()
    assert "hello: built in" in capsys.readouterr().err
    assert components.build_all(settings) == [folder]
    assert capsys.readouterr().err == ""


def test_other_sources_give_another_folder(settings: Settings) -> None:
    (before,) = components.build_all(settings)
    with (settings.hack / "components" / "hello" / "main.go").open("a") as file:
        file.write("// changed\n")
    (after,) = components.build_all(settings)
    assert before != after


def test_a_failed_build_shows_the_compilers_words_and_leaves_nothing(settings: Settings) -> None:
    (settings.hack / "components" / "hello" / "main.go").write_text("package main\nnonsense\n")
    with pytest.raises(ClusterError, match=r"(?s)building hello failed:.*main.go:2"):
        components.build_all(settings)
    assert list((settings.cache / "components").iterdir()) == []


def test_without_go_the_person_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcluster.components.shutil.which", lambda name: None)
    with pytest.raises(Missing, match="no Go compiler on PATH"):
        components.build_all(settings)
