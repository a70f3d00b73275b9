"""Finds the way to the gateway: where it is, who is calling, in which namespace.

Called by the commands. Whatever needs kubectl is begun at once and beside each other, so that it
comes up while the source is packed; nothing here waits before an answer is asked for.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cijob_cli.errors import CIError
from cijob_cli.forwarding import PortForward
from cijob_cli.kubeconfig import Kubeconfig, read_kubeconfig
from cijob_cli.kubectl import Kubectl, find_kubectl
from cijob_cli.settings import Settings
from cijob_cli.tokens import FixedToken, KubeToken

T = TypeVar("T")


class Address(Protocol):
    """Where the gateway is: named, or through a port-forward."""

    @property
    def certified(self) -> str | None:
        """The name that its certificate must be for; None where it stands in the URL."""

    def url(self) -> str:
        """The start of every URL; may take a while. Raises Unreachable."""

    def reopen(self) -> None:
        """The last connection broke: find the way again."""

    def close(self) -> None:
        """No longer needed."""


class Credentials(Protocol):
    """Who is calling: a given token, or one by the kubeconfig."""

    def token(self) -> str | None:
        """The token, or None; may take a while."""

    def renew(self) -> bool:
        """The token was refused: whether there is another one now."""

    def explanation(self) -> str:
        """Why there is no token, in words."""


@dataclass(frozen=True)
class NamedAddress:
    """A gateway whose URL is known."""

    given: str
    certified: None = None

    def url(self) -> str:
        """That URL."""
        return self.given

    def reopen(self) -> None:
        """There is nothing to open."""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class Connection:
    """All that a request needs."""

    address: Address
    credentials: Credentials
    namespace: Callable[[], str]


@contextmanager
def connecting(settings: Settings) -> Iterator[Connection]:
    """Begin to connect. Raises Unreachable where kubectl is needed and missing."""
    address, kubectl = _address(settings)
    try:
        kubeconfig = _kubeconfig(kubectl)
        credentials = _credentials(settings, kubectl, kubeconfig)
        _in_background(credentials.token)
        yield Connection(
            address,
            credentials,
            lambda: settings.namespace or _context_namespace(kubeconfig) or "default",
        )
    finally:
        address.close()


def _address(settings: Settings) -> tuple[Address, Kubectl | None]:
    if settings.gateway:
        return NamedAddress(settings.gateway), _kubectl_if_any(settings)
    kubectl = find_kubectl(settings)
    return PortForward(kubectl, settings.system_namespace), kubectl


def _kubectl_if_any(settings: Settings) -> Kubectl | None:
    """With a named gateway kubectl only helps; without it there is no login and no namespace."""
    if settings.token and settings.namespace:
        return None
    try:
        return find_kubectl(settings)
    except CIError:
        return None


def _kubeconfig(kubectl: Kubectl | None) -> Callable[[], Kubeconfig] | None:
    if kubectl is None:
        return None
    return _in_background(lambda: read_kubeconfig(kubectl)).result


def _credentials(
    settings: Settings, kubectl: Kubectl | None, kubeconfig: Callable[[], Kubeconfig] | None
) -> Credentials:
    if settings.token or kubectl is None or kubeconfig is None:
        return FixedToken(settings.token)
    return _Once(KubeToken(kubectl, kubeconfig, settings.system_namespace, settings.cache))


class _Once:
    """One thread at a time: the token is begun in the background and asked for in front."""

    def __init__(self, inner: Credentials) -> None:
        self._inner = inner
        self._lock = threading.Lock()

    def token(self) -> str | None:
        with self._lock:
            return self._inner.token()

    def renew(self) -> bool:
        with self._lock:
            return self._inner.renew()

    def explanation(self) -> str:
        return self._inner.explanation()


def _context_namespace(kubeconfig: Callable[[], Kubeconfig] | None) -> str | None:
    try:
        return kubeconfig().namespace if kubeconfig else None
    except CIError:
        return None


def _in_background(work: Callable[[], T]) -> "Future[T]":
    """Run it in a thread that does not keep the program from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
