"""The operator's environment: every variable, and words for what cannot be used."""

import pytest

from cijob_kube.environment import BadSetting
from cijob_kube.leases import LeaseTimes
from cijob_operator.agentspecs import PodSettings
from cijob_operator.settings import read_settings


def test_nothing_need_be_set() -> None:
    settings = read_settings({})
    assert settings.system_namespace == "cijob-system"
    assert settings.namespaces == ()
    assert settings.identity
    assert (settings.port, settings.workers, settings.resync_seconds) == (8080, 16, 300)
    assert settings.pool.max_concurrent == 10


def test_pods_wait_for_an_archive_only_where_there_is_an_archiver() -> None:
    assert read_settings({}).archive_grace_seconds is None
    assert read_settings({"CIJOB_ARCHIVE_GRACE_SECONDS": "3600"}).archive_grace_seconds == 3600


def test_the_lease_keeps_its_proportions() -> None:
    default, longer = read_settings({}).lease, read_settings({"CIJOB_LEASE_SECONDS": "30"}).lease
    assert default == LeaseTimes(15, 10, 2)
    assert longer == LeaseTimes(30, 20, 4)


@pytest.mark.parametrize("text", ["a,b", "b a", "a, b,", " a,b ,b"])
def test_namespaces_and_the_system_s_own_among_them(text: str) -> None:
    settings = read_settings({"CIJOB_NAMESPACES": text, "CIJOB_SYSTEM_NAMESPACE": "sys"})
    assert settings.namespaces == ("a", "b", "sys")


def test_pods_are_made_for_the_installation() -> None:
    assert read_settings({}).pods == PodSettings(
        "cijob/cijob:dev", "http://cijob-gateway.cijob-system.svc:8081", ca_bundle=False
    )
    given = {"CIJOB_AGENT_IMAGE": "a:1", "CIJOB_GATEWAY": "http://g", "CIJOB_CA_BUNDLE": "true"}
    assert read_settings(given).pods == PodSettings("a:1", "http://g", ca_bundle=True)


def test_a_pod_s_identity_is_its_name() -> None:
    assert read_settings({"POD_NAME": "operator-1"}).identity == "operator-1"


def test_numbers() -> None:
    settings = read_settings(
        {"CIJOB_PORT": "9", "CIJOB_WORKERS": "2", "CIJOB_RESYNC_SECONDS": "0.5"}
    )
    assert (settings.port, settings.workers, settings.resync_seconds) == (9, 2, 0.5)


def test_the_pool_is_a_spec_whose_own_size_wins() -> None:
    size = {"CIJOB_MAX_CONCURRENT": "3"}
    assert read_settings(size).pool.max_concurrent == 3
    spec = '{"nodeSelector": {"ci": "yes"}}'
    pool = read_settings({**size, "CIJOB_DEFAULT_POOL": spec}).pool
    assert (pool.max_concurrent, pool.node_selector) == (3, {"ci": "yes"})
    own = read_settings({**size, "CIJOB_DEFAULT_POOL": '{"maxConcurrent": 0}'}).pool
    assert own.max_concurrent == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CIJOB_PORT", "http"),
        ("CIJOB_WORKERS", "0"),
        ("CIJOB_RESYNC_SECONDS", "-1"),
        ("CIJOB_LEASE_SECONDS", "15s"),
        ("CIJOB_MAX_CONCURRENT", "many"),
        ("CIJOB_CA_BUNDLE", "yes"),
        ("CIJOB_DEFAULT_POOL", "{"),
        ("CIJOB_DEFAULT_POOL", "[1]"),
        ("CIJOB_DEFAULT_POOL", "null"),
        ("CIJOB_DEFAULT_POOL", '{"maxConcurrent": -1}'),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name} "):
        read_settings({name: value})


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_port_that_is_not_finite_is_named(value: str) -> None:
    with pytest.raises(BadSetting):
        read_settings({"CIJOB_PORT": value})
