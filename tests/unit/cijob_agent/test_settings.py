"""What the operator puts into the agent's environment, and what is wrong with it."""

import pytest

from cijob_agent.errors import BadSetting
from cijob_agent.settings import read_settings

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
    assert settings[1:] == (False, 1000, 60)


def test_an_empty_environment_is_a_job_without_a_source() -> None:
    assert read_settings({}) == (None, True, 4 << 30, 600)


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
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read_settings({**GIVEN, name: value})
