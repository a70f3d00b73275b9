"""Sending a request to where a namespace's ConfigMap points, without trusting it.

Used by couriers. Each request has a connection of its own: the address that a name was resolved to
is checked when its socket is made, so that nothing can change in between. No redirect is followed,
https is verified, little is read of the answer and nothing of it is repeated, and all of it has one
deadline. Names are looked up in threads of their own: slow name servers hold nobody else up.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from cijob_gateway.notifications.addresses import Policy
from cijob_gateway.notifications.posts import Post

SEND_SECONDS = 10.0
READ_BYTES = 4096
GLANCE_SECONDS = 1.0
LOOKUPS = 32
LONGEST_AFTER_SECONDS = 3600.0
# The request itself is wrong: the same bytes will never be taken.
NEVER = frozenset({400, 405, 409, 410, 411, 413, 414, 415, 422, 501})

Lookup = Callable[[str, int], list[tuple[int, str]]]
AddressInfo = tuple[Any, ...]


class Outcome(Enum):
    """What became of a request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    AGAIN = "again"


@dataclass(frozen=True)
class Answer:
    """The outcome, and why in words if it is not the wanted one."""

    outcome: Outcome
    words: str = ""
    after: float = 0.0
    """Seconds that the sink asked to be left alone."""
    certain: bool = False
    """Waiting alone will not help: its owner should know at once."""


class Sender:
    """Sends requests; one for all sinks."""

    def __init__(
        self, policy: Policy, *, seconds: float = SEND_SECONDS, lookup: Lookup | None = None
    ) -> None:
        self._policy = policy
        self._seconds = seconds
        self._lookup = lookup or addresses_of
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")
        self._tls = ssl.create_default_context()  # SSL_CERT_FILE is the configured bundle

    async def send(self, post: Post) -> Answer:
        """Send a request once; never raises for what the other side does."""
        guard = Guard(self._policy, URL(post.url))
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=_Resolver(self._threads, self._lookup),
            use_dns_cache=False,
            force_close=True,
            socket_factory=guard.socket,
        )
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, auto_decompress=False
                ) as session,
                session.post(
                    post.url, data=post.body, headers=post.headers, allow_redirects=False
                ) as response,
            ):
                status, headers = response.status, response.headers
                await _glance(response)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            if guard.objection:
                return Answer(Outcome.AGAIN, guard.objection, certain=True)
            return Answer(Outcome.AGAIN, self._words(error))
        return verdict(status, headers)

    def _words(self, error: Exception) -> str:
        """What went wrong, without the URL: it may have a secret in its query."""
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return "its certificate is not trusted; see the chart's caBundle"
        if isinstance(error, aiohttp.InvalidURL):
            return "its url cannot be used"
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return "its host has no address"
        if isinstance(error, TimeoutError):
            return f"it did not answer within {self._seconds:g} s"
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"it cannot be reached ({error.os_error.strerror or 'no connection'})"
        return f"the connection failed ({type(error).__name__})"


class Guard:
    """Makes the socket of one request, if the address may be connected to."""

    def __init__(self, policy: Policy, url: URL) -> None:
        self._policy = policy
        self._url = url
        self.objection = ""

    def socket(self, info: AddressInfo) -> socket.socket:
        """A socket for an address. Raises PermissionError."""
        family, kind, protocol, _, (address, *_rest) = info
        host = self._url.host or ""
        objection = self._policy.objection(host, address)
        allowed = self._policy.allows(host, address)
        if objection is None and self._url.scheme != "https" and not allowed:
            objection = f"{host} is spoken to by https only"
        if objection:
            self.objection = f"{objection}; the chart's notifications.allow can name it"
            raise PermissionError(objection)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)  # noqa: FBT003 (the standard library's own)
        return made


class _Resolver(AbstractResolver):
    """Looks names up in threads of our own."""

    def __init__(self, threads: ThreadPoolExecutor, lookup: Lookup) -> None:
        self._threads = threads
        self._lookup = lookup

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 (aiohttp's own)
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=family_found,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for family_found, address in found
        ]

    async def close(self) -> None:
        """Its threads are everybody's."""


def addresses_of(host: str, port: int) -> list[tuple[int, str]]:
    """Family and address of each that a host has. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(address[0])) for family, _, _, _, address in found]


def verdict(status: int, headers: Mapping[str, str]) -> Answer:
    """What an HTTP status means for an event."""
    if 200 <= status < 300:
        return Answer(Outcome.ACCEPTED)
    if status in NEVER:
        return Answer(Outcome.REFUSED, f"it answered {status}", certain=True)
    if 300 <= status < 400:
        words = f"it answered {status}, and redirects are not followed; correct its url"
        return Answer(Outcome.AGAIN, words, certain=True)
    wrong = 400 <= status < 500 and status not in {408, 425, 429}
    return Answer(Outcome.AGAIN, f"it answered {status}", _retry_after(headers), certain=wrong)


def _retry_after(headers: Mapping[str, str]) -> float:
    """`Retry-After` in seconds (RFC 9110), within reason; its dates are not understood."""
    text = headers.get("Retry-After", "")
    seconds = float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0.0
    return min(seconds, LONGEST_AFTER_SECONDS)


async def _glance(response: aiohttp.ClientResponse) -> None:
    """Read a little of the answer, so that the other side is not cut off while it writes.

    The status is there: whatever happens now changes nothing.
    """
    left = READ_BYTES
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(GLANCE_SECONDS):
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
