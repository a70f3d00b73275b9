"""`ci run --clone-url`: what is posted and passed on, and what is refused before."""

import json
from typing import Any

import pytest

from cijob_api.objects import CIJob
from cijob_cli.settings import PASSED_ON
from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import Loopback, end

pytestmark = pytest.mark.process

URL = "https://git.example.com/team/project.git"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, gateway: Loopback) -> None:
    for name in PASSED_ON:
        monkeypatch.delenv(name, raising=False)
    gateway.streams = [[end()]]


def posted(gateway: Loopback) -> dict[str, Any]:
    """The body of the one submission; its spec is one that the contract takes."""
    [asked] = gateway.asked("POST", "/jobs")
    body: dict[str, Any] = asked.json()
    CIJob.model_validate({"metadata": {"name": "a", "uid": "u"}, "spec": body["spec"]})
    return body


def with_template(gateway: Loopback, **template: Any) -> None:
    answer = (200, {"items": [{"name": "run"}, {"name": "agent", **template}]})
    gateway.refusals = [("GET templates", answer)]


def test_a_repository_is_the_source_and_nothing_is_uploaded(ci: CI, gateway: Loopback) -> None:
    ended = ci("run", "--clone-url", URL, "--ref", "v1", "--image", "i", "--", "make", "test")
    assert (ended.code, ended.out) == (0, "")
    assert posted(gateway) == {
        "spec": {
            "templateRef": {"name": "run"},
            "source": {"git": {"url": URL, "ref": "v1"}},
            "image": "i",
            "command": ["make", "test"],
        }
    }
    assert not [asked for asked in gateway.seen if asked.method in ("PUT", "HEAD")]
    assert gateway.asked("GET", "/templates") == []


def test_name_template_and_secret_are_said(ci: CI, gateway: Loopback) -> None:
    ci(
        *("run", "--clone-url", URL, "--template", "agent", "--name", "my-own-id"),
        *("--git-secret", "git-credentials", "--", "true"),
    )
    body = posted(gateway)
    assert body["name"] == "my-own-id"
    assert body["spec"]["templateRef"] == {"name": "agent"}
    assert body["spec"]["source"]["git"]["secretName"] == "git-credentials"


@pytest.mark.parametrize(
    ("own", "said", "args"),
    [
        ([], (), ["--clone-url", URL, "--tasks", ".", "--json-events"]),
        (
            ["-v"],
            ("--tasks", "jobs/$$", "--unit", "u1"),
            ["-v", "--clone-url", URL, "--tasks", "jobs/$$$$", "--json-events", "--unit", "u1"],
        ),
    ],
)
def test_a_template_that_understands_them_gets_the_flags(
    ci: CI, gateway: Loopback, *, own: list[str], said: tuple[str, ...], args: list[str]
) -> None:
    with_template(gateway, acceptsJobFlags=True, args=own)
    assert ci("run", "--clone-url", URL, "--template", "agent", *said).code == 0
    spec = posted(gateway)["spec"]
    assert spec["args"] == args
    assert "command" not in spec


def test_a_template_that_does_not_needs_a_command(ci: CI, gateway: Loopback) -> None:
    with_template(gateway, acceptsJobFlags=False)
    ended = ci("run", "--clone-url", URL, "--template", "agent")
    assert ended.code == 2
    assert "template agent does not have acceptsJobFlags: true; write a command" in ended.err
    assert gateway.asked("POST", "/jobs") == []


def test_passes_credentials(ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "g")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("MINE", "m")
    monkeypatch.setenv("OTHER", "o")
    ended = ci("run", "--clone-url", URL, "--pass-env", "MINE", "--", "true")
    body = posted(gateway)
    assert body["secrets"] == {"GITHUB_TOKEN": "g", "MINE": "m"}
    assert "g" not in json.dumps(body["spec"].get("env", []))
    assert "ci: passed on from your environment: GITHUB_TOKEN, MINE\n" in ended.err


def test_missing_credential_omitted(ci: CI, gateway: Loopback) -> None:
    ended = ci("run", "--clone-url", URL, "--", "true")
    assert "secrets" not in posted(gateway)
    assert "passed on" not in ended.err


def test_without_a_repository_nothing_is_passed_on_unasked(
    ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "g")
    ci("run", "--no-source", "--", "true")
    assert "secrets" not in posted(gateway)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["https://ada:pw@git.example.com/a"], "--clone-url must not hold a password"),
        (["ssh://git:pw@git.example.com/a"], "--clone-url must not hold a password"),
        (["https://token@git.example.com/a"], "--clone-url must not hold a user or token"),
        (["ext::sh -c id"], "--clone-url must be an https:// or ssh:// URL"),
        (["file:///etc"], "--clone-url must be an https:// or ssh:// URL"),
        (["https://git.example.com/a?token=x"], "without a query"),
        ([URL, "--pass-env", "NOT_SET"], "--pass-env NOT_SET: no such variable"),
        ([URL, "."], "--clone-url goes without PATH"),
        ([URL, "--no-source"], "--clone-url goes without PATH and --no-source"),
    ],
)
def test_what_cannot_be_cloned_is_refused_before_anything_is_sent(
    ci: CI, gateway: Loopback, *, arguments: list[str], words: str
) -> None:
    ended = ci("run", "--clone-url", *arguments, "--", "true")
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "pw" not in ended.err
    assert gateway.seen == []


@pytest.mark.parametrize("option", ["--ref", "--tasks", "--unit", "--pass-env", "--git-secret"])
def test_what_goes_with_a_repository_only_says_so(ci: CI, gateway: Loopback, option: str) -> None:
    ended = ci("run", option, "x", "--", "true")
    assert ended.code == 2
    assert f"{option} goes with --clone-url" in ended.err
    assert gateway.seen == []
