"""The gateway's environment."""

import pytest

from cijob_gateway.settings import read_settings
from cijob_kube.environment import BadSetting

GOOD = {
    "CIJOB_S3_ENDPOINT": "http://minio:9000",
    "CIJOB_S3_ACCESS_KEY": "a",
    "CIJOB_S3_SECRET_KEY": "b",
}


def test_defaults() -> None:
    settings = read_settings(GOOD)
    assert (settings.port, settings.internal_port, settings.login) == (8080, 8081, True)
    assert (settings.host, settings.namespaces) == ("0.0.0.0", ())  # noqa: S104
    assert settings.max_source_bytes == 209_715_200
    assert (settings.s3.endpoint, settings.s3.secure, settings.s3.bucket) == (
        "minio:9000",
        False,
        "cijob",
    )


def test_without_a_login_it_listens_on_the_loopback_only() -> None:
    settings = read_settings({**GOOD, "CIJOB_AUTH": "none"})
    assert (settings.login, settings.host) == (False, "127.0.0.1")


def test_templates_for_all_are_read_in_the_system_namespace() -> None:
    given = {**GOOD, "CIJOB_NAMESPACES": "b a", "CIJOB_SYSTEM_NAMESPACE": "sys"}
    assert read_settings(given).namespaces == ("a", "b", "sys")


def test_build_jobs_have_a_namespace_that_is_looked_after() -> None:
    given = {**GOOD, "CIJOB_BUILD_NAMESPACE": "b"}
    assert read_settings(given).build_namespace == "b"
    assert read_settings({**given, "CIJOB_NAMESPACES": "b a"}).build_namespace == "b"
    with pytest.raises(BadSetting, match="b is not in CIJOB_NAMESPACES: a cijob-system"):
        read_settings({**given, "CIJOB_NAMESPACES": "a"})


def test_the_pool_that_there_is_without_a_cipool_is_the_operators() -> None:
    assert read_settings(GOOD).pool.max_concurrent == 10
    given = {**GOOD, "CIJOB_DEFAULT_POOL": '{"maxConcurrent": 3}', "CIJOB_AGING_SECONDS": "60"}
    settings = read_settings(given)
    assert (settings.pool.max_concurrent, settings.aging_seconds) == (3, 60)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CIJOB_DEFAULT_POOL", "many", "no spec of a CIPool"),
        ("CIJOB_AUTH", "maybe", "kubernetes or none"),
        ("CIJOB_S3_ENDPOINT", "minio:9000", "must be a URL"),
        ("CIJOB_S3_ENDPOINT", "http://minio/bucket", "must be a URL"),
        ("CIJOB_S3_ACCESS_KEY", "", "must be set"),
        ("CIJOB_PORT", "http", "no number"),
        ("CIJOB_MAX_SOURCE_BYTES", "0", "above 0"),
        ("CIJOB_TLS_CERT", "/x", "belong together"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(BadSetting, match=words) as refused:
        read_settings({**GOOD, name: value})
    assert name in str(refused.value)
