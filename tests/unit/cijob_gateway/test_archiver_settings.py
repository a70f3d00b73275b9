"""The archiver's environment."""

from datetime import timedelta

import pytest

from cijob_gateway.archiver.settings import read_settings
from cijob_kube.environment import BadSetting
from cijob_kube.leases import LeaseTimes

S3 = {
    "CIJOB_S3_ENDPOINT": "http://minio:9000",
    "CIJOB_S3_ACCESS_KEY": "a",
    "CIJOB_S3_SECRET_KEY": "s",
}


def test_only_the_store_must_be_named() -> None:
    settings = read_settings(S3)
    assert settings.retention == timedelta(days=30)
    assert settings.spool_bytes == 2**30
    assert settings.port == 8081
    assert settings.lease == LeaseTimes(15, 10, 2)
    assert settings.namespaces == ()


def test_all_can_be_said() -> None:
    given = {
        "CIJOB_NAMESPACES": "b a",
        "CIJOB_SYSTEM_NAMESPACE": "sys",
        "CIJOB_SPOOL": "/spool",
        "CIJOB_SPOOL_BYTES": "1000000",
        "CIJOB_RETENTION_SECONDS": "60",
        "POD_NAME": "archiver-1",
    }
    settings = read_settings({**S3, **given})
    assert settings.namespaces == ("a", "b", "sys")
    assert (str(settings.spool), settings.spool_bytes) == ("/spool", 1_000_000)
    assert settings.retention == timedelta(minutes=1)
    assert settings.identity == "archiver-1"


@pytest.mark.parametrize("name", ["CIJOB_SPOOL_BYTES", "CIJOB_RETENTION_SECONDS"])
def test_what_is_no_number_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read_settings({**S3, name: "much"})
