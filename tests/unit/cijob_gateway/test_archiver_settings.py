"""The archiver's environment."""

from datetime import timedelta

import pytest

from cijob_gateway.archiver.settings import read_settings
from cijob_gateway.notifications.addresses import Policy
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


def test_where_notifications_may_go_is_a_list() -> None:
    given = {
        "CIJOB_NOTIFY_ALLOW": "10.1.0.0/16 sink.team-a.svc",
        "CIJOB_NOTIFY_REFUSE": "20.0.0.0/8",
        "CIJOB_NOTIFY_SECONDS": "60",
    }
    settings = read_settings({**S3, **given})
    assert settings.notify == Policy.parse(["10.1.0.0/16", "sink.team-a.svc"], ["20.0.0.0/8"])
    assert settings.notify_longest == timedelta(minutes=1)


def test_without_one_only_public_addresses_are_told_for_a_day() -> None:
    settings = read_settings(S3)
    assert settings.notify == Policy()
    assert settings.notify_longest == timedelta(days=1)


@pytest.mark.parametrize("name", ["CIJOB_NOTIFY_ALLOW", "CIJOB_NOTIFY_REFUSE"])
def test_a_slip_in_those_lists_is_refused(name: str) -> None:
    with pytest.raises(BadSetting, match=r"10\.0\.0\.0/99"):
        read_settings({**S3, name: "10.0.0.0/99"})


@pytest.mark.parametrize("name", ["CIJOB_SPOOL_BYTES", "CIJOB_RETENTION_SECONDS"])
def test_what_is_no_number_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read_settings({**S3, name: "much"})
