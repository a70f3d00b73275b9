from pathlib import Path

import pytest

from cijob_cli.configfile import write_config
from cijob_cli.errors import BadSetting
from cijob_cli.settings import (
    Settings,
    colours_wanted,
    git_environment,
    read_config,
    read_settings,
    secret_values,
)


def read(home: Path, flags: dict[str, str | None] | None = None, **variables: str) -> Settings:
    return read_settings(flags or {}, {"HOME": str(home), **variables})


def test_a_flag_wins_over_a_variable_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".config/ci/config.toml"
    write_config(path, {"gateway": "http://file", "token": "file", "namespace": "file"})
    settings = read(tmp_path, {"gateway": "http://flag"}, CI_GATEWAY="http://env", CI_TOKEN="env")
    assert (settings.gateway, settings.token, settings.namespace) == ("http://flag", "env", "file")
    assert settings.origins == {
        "gateway": "flag --gateway",
        "token": "CI_TOKEN",
        "namespace": str(path),
    }


def test_with_nothing_given_all_is_left_to_the_kubeconfig(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert (settings.gateway, settings.token, settings.namespace) == (None, None, None)
    assert settings.system_namespace == "cijob-system"


def test_a_projects_namespace_stands_between_variable_and_file(tmp_path: Path) -> None:
    assert read(tmp_path).in_project("project").namespace == "project"
    assert read(tmp_path, CI_NAMESPACE="env").in_project("project").namespace == "env"
    write_config(tmp_path / ".config/ci/config.toml", {"namespace": "file"})
    assert read(tmp_path).in_project("project").namespace == "project"
    assert read(tmp_path).in_project(None).namespace == "file"


def test_xdg_folders_are_respected(tmp_path: Path) -> None:
    write_config(tmp_path / "conf/ci/config.toml", {"namespace": "here"})
    settings = read(
        tmp_path, XDG_CONFIG_HOME=str(tmp_path / "conf"), XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    assert (settings.namespace, settings.cache) == ("here", tmp_path / "cache/ci")


def test_what_is_written_is_read_and_only_its_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "new/config.toml"
    content = {"gateway": "https://ci.example", "token": 'a "quoted" \\ ü\n'}
    write_config(path, content)
    assert read_config(path) == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("gatway = 'x'", "'gatway' is no setting; known are"),
        ("gateway = 5", "'gateway' is no setting"),
        ("gateway = ", "correct it or remove it"),
        ("gateway = 'ci.example'", "'ci.example' is no URL; write https://HOST"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / ".config/ci/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(BadSetting) as wrong:
        read(tmp_path)
    assert words in str(wrong.value)
    assert str(path) in str(wrong.value)


def test_secret_values_come_from_the_environment() -> None:
    assert secret_values(("KEY",), {"KEY": "value", "OTHER": "x"}) == {"KEY": "value"}
    with pytest.raises(BadSetting, match="--secret-env GONE: no such variable"):
        secret_values(("GONE",), {})


def test_an_empty_secret_is_a_value() -> None:
    assert secret_values(("KEY",), {"KEY": ""}) == {"KEY": ""}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_no_color_is_respected(environment: dict[str, str], wanted: bool) -> None:  # noqa: FBT001
    assert colours_wanted(environment) is wanted


def test_a_hooks_variables_do_not_reach_git() -> None:
    assert git_environment({"GIT_DIR": "x", "GIT_AUTHOR_NAME": "a"}) == {"GIT_AUTHOR_NAME": "a"}
