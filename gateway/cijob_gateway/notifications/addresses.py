"""Which addresses a notification may be sent to. Pure.

Whoever may write a ConfigMap chooses a sink's URL, and the archiver would connect to it from inside
the cluster: nothing but the public Internet is open to that, unless the administrator named it.
Used by senders.py with the address that is really connected to, never with a name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The IANA special-purpose registries (www.iana.org/assignments/iana-ipv4-special-registry and
# -ipv6-), what multicast and the future have, and the one cloud's metadata server that is public.
REFUSED: dict[str, str] = {
    "0.0.0.0/8": "this host",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers and clusters",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "a cloud's own services",
    "169.254.0.0/16": "link-local, metadata servers",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "for documentation",
    "192.88.99.0/24": "reserved",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/128": "this host",
    "::1/128": "loopback",
    "2001::/23": "reserved",
    "2001:db8::/32": "for documentation",
    "2002::/16": "a tunnel",
    "3fff::/20": "for documentation",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "private",
    "ff00::/8": "multicast",
}
_REFUSED = [(ip_network(network), why) for network, why in REFUSED.items()]
# Every other IPv6 address is not (yet) anybody's.
_PUBLIC = IPv6Network("2000::/3")
# IPv4 addresses in IPv6: mapped (RFC 4291) and translated (NAT64, RFC 6052).
_EMBEDDING = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


@dataclass(frozen=True)
class Policy:
    """What the administrator said beside what is always so."""

    allowed_networks: tuple[Network, ...] = ()
    allowed_hosts: frozenset[str] = frozenset()
    refused_networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, allow: Iterable[str], refuse: Iterable[str] = ()) -> Self:
        """Read lists of addresses, CIDRs and (to allow) host names. Raises ValueError."""
        networks, hosts = [], set()
        for word in allow:
            if found := _network(word):
                networks.append(found)
            elif "/" in word or ":" in word or word.replace(".", "").isdigit():
                raise ValueError(f"{word!r} is no CIDR, address or host")
            else:
                hosts.add(plain_host(word))
        return cls(
            tuple(networks),
            frozenset(hosts),
            tuple(ip_network(one, strict=False) for one in refuse),
        )

    def allows(self, host: str, address: str) -> bool:
        """Whether the administrator named that host, or that address."""
        return plain_host(host) in self.allowed_hosts or any(
            _real(address) in network for network in self.allowed_networks
        )

    def objection(self, host: str, address: str) -> str | None:
        """Why nothing may be sent to `address`, to which `host` was resolved; None if it may."""
        real = _real(address)
        if self.allows(host, address):
            return None
        if any(real in network for network in self.refused_networks):
            return f"the address {real} of {host} is the cluster's own"
        why = next((why for network, why in _REFUSED if real in network), None)
        if why is None and isinstance(real, IPv6Address) and real not in _PUBLIC:
            why = "reserved"
        return f"the address {real} of {host} is not public ({why})" if why else None


def plain_host(host: str) -> str:
    """A host's name as it is compared."""
    return host.rstrip(".").lower()


def _network(word: str) -> Network | None:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        return None


def _real(address: str) -> Address:
    """The address that packets go to: without a scope, and IPv4 where IPv6 only wraps it."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and any(found in network for network in _EMBEDDING):
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found
