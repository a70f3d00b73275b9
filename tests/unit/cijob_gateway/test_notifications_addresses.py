"""What may be connected to from inside the cluster, by the address."""

import pytest

from cijob_gateway.notifications.addresses import Policy

PLAIN = Policy()
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "140.82.121.4",
    "11.0.0.1",  # beside 10/8
    "9.255.255.255",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "192.169.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::8a",
    "::ffff:1.1.1.1",  # IPv4 in IPv6
    "64:ff9b::8.8.8.8",  # by NAT64
]
REFUSED = {
    "0.0.0.0": "this host",  # noqa: S104
    "0.1.2.3": "this host",
    "10.0.0.1": "private",
    "10.96.0.1": "private",  # the API server, in most clusters
    "10.244.0.7": "private",  # a Pod, in most clusters
    "100.64.0.1": "shared",
    "100.100.100.200": "shared",  # Alibaba's metadata server
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "a cloud's own",  # Azure's
    "169.254.0.1": "link-local",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",  # of AWS' containers
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.192": "reserved",  # Oracle's metadata server
    "192.0.2.1": "documentation",
    "192.88.99.1": "reserved",
    "192.168.0.1": "private",
    "198.18.0.1": "benchmarks",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "this host",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "::ffff:169.254.169.254": "metadata",
    "::ffff:0.0.0.0": "this host",
    "::127.0.0.1": "reserved",  # IPv4-compatible, long gone
    "64:ff9b::10.0.0.1": "private",
    "64:ff9b::169.254.169.254": "metadata",
    "64:ff9b:1::1": "reserved",
    "100::1": "reserved",
    "2001::1": "reserved",  # Teredo
    "2001:20::1": "reserved",  # ORCHID
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "a tunnel",  # 6to4 of 127.0.0.1
    "2002:a00:1::1": "a tunnel",
    "3fff::1": "documentation",
    "4000::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",  # AWS' metadata server
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "private",
    "ff02::1": "multicast",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_told(address: str) -> None:
    assert PLAIN.objection("sink.example", address) is None


@pytest.mark.parametrize(("address", "why"), REFUSED.items())
def test_what_is_not_public_is_refused_by_name(address: str, why: str) -> None:
    objection = PLAIN.objection("sink.example", address)
    assert objection is not None
    assert "of sink.example is not public" in objection
    assert why in objection


@pytest.mark.parametrize("address", REFUSED)
def test_nothing_is_allowed_by_a_policy_of_its_own(address: str) -> None:
    assert not PLAIN.allows("sink.example", address)


# allow, host, address → may it be told?
ALLOWED = [
    ("10.1.2.0/24", "sink", "10.1.2.3", True),
    ("10.1.2.0/24", "sink", "10.1.3.3", False),
    ("10.1.2.3", "sink", "10.1.2.3", True),
    ("10.1.2.3/24", "sink", "10.1.2.99", True),  # a network is meant
    ("10.1.2.0/24", "sink", "::ffff:10.1.2.3", True),
    ("fd00::/8", "sink", "fd12::1", True),
    ("fd00::/8", "sink", "fe80::1", False),
    ("127.0.0.1", "sink", "127.0.0.1", True),
    ("127.0.0.1", "sink", "127.0.0.2", False),
    ("sink.team-a.svc", "sink.team-a.svc", "10.96.7.7", True),
    ("sink.team-a.svc", "SINK.team-a.svc.", "10.96.7.7", True),
    ("Sink.Team-A.svc.", "sink.team-a.svc", "10.96.7.7", True),
    ("sink.team-a.svc", "other.team-a.svc", "10.96.7.7", False),
    ("sink.team-a.svc", "evil.sink.team-a.svc", "10.96.7.7", False),
    ("sink.team-a.svc", "10.96.7.7", "10.96.7.7", False),
]


@pytest.mark.parametrize(("allow", "host", "address", "may"), ALLOWED)
def test_the_administrator_may_name_networks_and_hosts(
    allow: str, host: str, address: str, *, may: bool
) -> None:
    policy = Policy.parse(["192.168.7.0/24", allow])
    assert (policy.objection(host, address) is None) == may
    assert policy.allows(host, address) == may


def test_the_cluster_s_own_public_ranges_can_be_refused() -> None:
    policy = Policy.parse(["20.0.0.5"], ["20.0.0.0/16", "2600:1f00::/24"])
    assert policy.objection("h", "20.0.1.1") == "the address 20.0.1.1 of h is the cluster's own"
    assert policy.objection("h", "2600:1f00::1") is not None
    assert policy.objection("h", "20.1.0.1") is None
    assert policy.objection("h", "20.0.0.5") is None  # what is allowed is


@pytest.mark.parametrize("word", ["10.0.0.0/33", "10.0.0", "fd00::/200", "a/b", "1.2.3.4:80"])
def test_a_slip_in_the_list_is_no_host(word: str) -> None:
    with pytest.raises(ValueError, match="is no CIDR, address or host"):
        Policy.parse([word])
