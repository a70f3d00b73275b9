"""Which URLs of repositories are taken, in the words of the schema."""

import pytest

from cijob_api.giturls import URL_RULES, fault
from cijob_api.parts import Git

GOOD = [
    "https://git.example.com/team/project.git",
    "https://git.example.com:8443/a",
    "https://[::1]/a",
    "ssh://git@git.example.com/a.git",
    "ssh://git@git.example.com:2222/~ada/a.git",
]


@pytest.mark.parametrize("url", GOOD)
def test_https_and_ssh_are_taken(url: str) -> None:
    assert fault(url) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://ada:pw@git.example.com/a", "must not hold a password"),
        ("https://:pw@git.example.com/a", "must not hold a password"),
        ("ssh://git:pw@git.example.com/a", "must not hold a password"),
        ("http://ada:pw@git.example.com/a", "must not hold a password"),
        ("https://token@git.example.com/a", "must not hold a user or token"),
        ("http://git.example.com/a", "must be an https:// or ssh:// URL"),
        ("git@git.example.com:a.git", "must be an https:// or ssh:// URL"),
        ("ext::sh -c id", "must be an https:// or ssh:// URL"),
        ("file:///etc", "must be an https:// or ssh:// URL"),
        ("--upload-pack=id", "must be an https:// or ssh:// URL"),
        ("https://-x/a", "must be an https:// or ssh:// URL"),
        ("ssh://-oProxyCommand=id@git.example.com/a", "must be an https:// or ssh:// URL"),
        ("https://git.example.com/a?token=b", "without a query"),
        ("https://git.example.com/a\n", "must be an https:// or ssh:// URL"),
    ],
)
def test_anything_else_is_refused_a_password_first(url: str, words: str) -> None:
    assert words in (fault(url) or "")


def test_the_schema_has_the_same_rules() -> None:
    checks = Git.model_json_schema()["properties"]["url"]["x-kubernetes-validations"]
    assert [check["message"] for check in checks] == [rule.words for rule in URL_RULES]
    assert checks[0]["rule"].startswith(
        r"self.matches('^(https|ssh)://([^-/?#@\\s][^/?#@\\s]*@)?[A-Za-z0-9\\[]"
    )
