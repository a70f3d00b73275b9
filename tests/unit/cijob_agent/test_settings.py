"""What the operator puts into the agent's environment, and what is wrong with it."""

import pytest

from cijob_agent.errors import BadSetting
from cijob_agent.settings import Repository, read_settings

GIVEN = {
    "CIJOB_GATEWAY": "http://cijob-gateway.cijob-system.svc:8081/",
    "CIJOB_NAMESPACE": "ci",
    "CIJOB_JOB": "tests",
    "CIJOB_SOURCE_SHA256": "A" * 64,
    "CIJOB_SOURCE_BYTES": "12",
    "CIJOB_START_TIMEOUT_SECONDS": "60",
    "CIJOB_PREPARE": "Init",
    "CIJOB_WORKSPACE_BYTES": "1000",
}


def test_the_whole_environment_is_read() -> None:
    settings = read_settings(GIVEN)
    assert settings.archive == (
        "http://cijob-gateway.cijob-system.svc:8081/internal/v1/namespaces/ci/jobs/tests/source",
        "a" * 64,
        12,
    )
    assert settings[1:] == (None, None, False, 1000, 60)


def test_an_empty_environment_is_a_job_without_a_source() -> None:
    assert read_settings({}) == (None, None, None, True, 4 << 30, 600)


def test_a_repository_is_read_with_whom_to_trust_on_the_way() -> None:
    told = {
        "CIJOB_GIT_URL": "ssh://git@git.example.com:2222/team/project.git",
        "CIJOB_GIT_REF": "release/1.0",
        "CIJOB_GIT_COMMIT": "abc123",
        "CIJOB_GIT_DEPTH": "0",
        "CIJOB_GIT_SUBMODULES": "true",
        "CIJOB_GIT_SECRET": "key",
        "CIJOB_GIT_CREDENTIALS": "/var/run/cijob-git",
        "GIT_SSL_CAINFO": "/etc/cijob-ca/ca.crt",
        "GIT_SSH_COMMAND": "sh -c id",
    }
    assert read_settings(told).repository == Repository(
        url="ssh://git@git.example.com:2222/team/project.git",
        ref="release/1.0",
        commit="abc123",
        depth=0,
        submodules=True,
        secret="key",
        credentials="/var/run/cijob-git",
        network={"GIT_SSL_CAINFO": "/etc/cijob-ca/ca.crt"},
    )


def test_of_a_repository_only_the_url_is_needed() -> None:
    found = read_settings({"CIJOB_GIT_URL": "https://git.example.com/a"}).repository
    assert found == ("https://git.example.com/a", "", "", 1, False, "", "", {})


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/pwned",
        "file:///etc",
        "/etc",
        "../up",
        "git://git.example.com/a",
        "http://git.example.com/a",
        "ftp://git.example.com/a",
        "git@git.example.com:a.git",
        "-uhttps://git.example.com/a",
        "--upload-pack=id",
        "ssh://-oProxyCommand=id/a",
        "ssh://-oProxyCommand=id@git.example.com/a",
        "https://-x/a",
        "https://user@git.example.com/a",
        "https://user:secret@git.example.com/a",
        "ssh://git:secret@git.example.com/a",
        "https://git.example.com",
        "https:///a",
        "https://git.example.com/a?b=c",
        "https://git.example.com/a#b",
        "https://git.example.com/a b",
        "https://git.example.com/a\nb",
        "https://git.example.com\\@evil.example.com/a",
    ],
)
def test_a_url_that_git_could_misread_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match="CIJOB_GIT_URL") as caught:
        read_settings({"CIJOB_GIT_URL": url})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "ref",
    [
        "-x",
        "--upload-pack=id",
        "+main",
        "a:refs/heads/b",
        "a b",
        "a..b",
        "a^",
        "a~1",
        "*",
        "a@{1}",
        "/a",
        "a/",
        "a.lock",
        "a\n",
    ],
)
def test_a_ref_that_is_more_than_a_name_is_refused(ref: str) -> None:
    told = {"CIJOB_GIT_URL": "https://git.example.com/a", "CIJOB_GIT_REF": ref}
    with pytest.raises(BadSetting, match="CIJOB_GIT_REF"):
        read_settings(told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CIJOB_GATEWAY", "ftp://gateway"),
        ("CIJOB_GATEWAY", ""),
        ("CIJOB_JOB", ""),
        ("CIJOB_SOURCE_BYTES", ""),
        ("CIJOB_SOURCE_BYTES", "-1"),
        ("CIJOB_SOURCE_BYTES", "٣"),
        ("CIJOB_START_TIMEOUT_SECONDS", "soon"),
        ("CIJOB_PREPARE", "init"),
        ("CIJOB_GIT_COMMIT", "-abc"),
        ("CIJOB_GIT_COMMIT", "HEAD"),
        ("CIJOB_GIT_DEPTH", "-1"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read_settings({**GIVEN, "CIJOB_GIT_URL": "https://git.example.com/a", name: value})


def test_what_is_collected_is_read_as_the_job_says_it() -> None:
    said = '{"artifacts":[{"name":"a","path":"d/*","when":"OnFailure"},{"name":"b","path":"b"}]}'
    found = read_settings({**GIVEN, "CIJOB_COLLECT": said}).collect
    assert found == (
        "http://cijob-gateway.cijob-system.svc:8081/internal/v1/namespaces/ci/jobs/tests",
        (("a", "d/*", "OnFailure"), ("b", "b", "Always")),
        (),
    )
    reports = read_settings({**GIVEN, "CIJOB_COLLECT": '{"junit":["*.xml"]}'}).collect
    assert reports is not None
    assert reports[1:] == ((), ("*.xml",))


@pytest.mark.parametrize("said", ["{", "[]", '{"artifacts":[{"name":"a"}]}', '{"artifacts":7}'])
def test_what_cannot_be_read_as_a_collection_is_a_bad_setting(said: str) -> None:
    with pytest.raises(BadSetting, match="CIJOB_COLLECT"):
        read_settings({**GIVEN, "CIJOB_COLLECT": said})
