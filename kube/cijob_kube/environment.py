"""What the servers read of their environment alike; called by each one's `settings.py` only."""

import math
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from cijob_kube.leases import LeaseTimes

T = TypeVar("T")


class BadSetting(Exception):
    """An environment variable has a value that cannot be used; says which and why."""


@dataclass(frozen=True)
class Scope:
    """The namespace that a server runs in, and those it looks after; none means all."""

    system_namespace: str
    namespaces: tuple[str, ...]


def read_scope(environment: Mapping[str, str]) -> Scope:
    """Read CIJOB_SYSTEM_NAMESPACE and CIJOB_NAMESPACES."""
    system = environment.get("CIJOB_SYSTEM_NAMESPACE", "cijob-system")
    given = environment.get("CIJOB_NAMESPACES", "").replace(",", " ").split()
    # Templates for all are looked up in the system namespace.
    return Scope(system, tuple(sorted({*given, system})) if given else ())


def read_identity(environment: Mapping[str, str]) -> str:
    """By which name this process takes a Lease."""
    return environment.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"


def read_lease_times(environment: Mapping[str, str]) -> LeaseTimes:
    """Read CIJOB_LEASE_SECONDS. Raises BadSetting."""
    seconds = read_number(environment, "CIJOB_LEASE_SECONDS", LeaseTimes.lease_seconds)
    # One third to notice, one third to give up: as the defaults of 15, 10 and 2 s.
    return LeaseTimes(seconds, seconds * 2 / 3, seconds * 2 / 15)


def read_default_pool(environment: Mapping[str, str], parse: Callable[[str, int], T]) -> T:
    """Read the pool there is while there is none, as `parse` reads its JSON and its size.

    `CIJOB_DEFAULT_POOL` is the spec of a CIPool as JSON, `CIJOB_MAX_CONCURRENT` its size if that
    says none. Raises BadSetting, also in place of the ValueError of `parse`.
    """
    places = int(read_number(environment, "CIJOB_MAX_CONCURRENT", 10))
    try:
        return parse(environment.get("CIJOB_DEFAULT_POOL") or "{}", places)
    except ValueError as error:
        raise BadSetting(f"CIJOB_DEFAULT_POOL is no spec of a CIPool: {error}") from error


def read_number(environment: Mapping[str, str], name: str, default: float) -> float:
    """Read a number above 0. Raises BadSetting."""
    text = environment.get(name, "")
    try:
        value = float(text) if text else float(default)
    except ValueError:
        raise BadSetting(f"{name} is {text!r}, which is no number") from None
    if not 0 < value < math.inf:
        raise BadSetting(f"{name} is {text}; it must be a number above 0")
    return value
