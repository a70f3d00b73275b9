"""The archiver's environment, read once at the start and nowhere else."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cijob_gateway.notifications.addresses import Policy
from cijob_gateway.settings import MIB, S3Settings, read_s3
from cijob_kube.environment import (
    BadSetting,
    read_identity,
    read_lease_times,
    read_number,
    read_scope,
)
from cijob_kube.leases import LeaseTimes

# The object by which one archiver leads.
LEASE = "cijob-archiver"


@dataclass(frozen=True)
class Settings:
    """How this archiver runs."""

    system_namespace: str
    namespaces: tuple[str, ...]  # the system namespace among them; empty: the whole cluster
    identity: str
    port: int
    s3: S3Settings
    spool: Path
    """A folder for what is not stored yet; what is in it at the start is removed."""
    spool_bytes: int
    retention: timedelta
    """How long a job's archive is kept once its CIJob is gone."""
    lease: LeaseTimes
    notify: Policy
    """Where notifications may be sent."""
    notify_longest: timedelta
    """How long a sink may be down until it misses something."""


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the `CIJOB_*` variables. Raises BadSetting."""
    scope = read_scope(environment)
    retention = read_number(environment, "CIJOB_RETENTION_SECONDS", 30 * 86400)
    return Settings(
        system_namespace=scope.system_namespace,
        namespaces=scope.namespaces,
        identity=read_identity(environment),
        port=int(read_number(environment, "CIJOB_PORT", 8081)),
        s3=read_s3(environment),
        spool=Path(environment.get("CIJOB_SPOOL") or Path(tempfile.gettempdir(), "cijob-spool")),
        spool_bytes=int(read_number(environment, "CIJOB_SPOOL_BYTES", 1024 * MIB)),
        retention=timedelta(seconds=retention),
        lease=read_lease_times(environment),
        notify=read_policy(environment),
        notify_longest=timedelta(seconds=read_number(environment, "CIJOB_NOTIFY_SECONDS", 86400)),
    )


def read_policy(environment: Mapping[str, str]) -> Policy:
    """Read CIJOB_NOTIFY_ALLOW and CIJOB_NOTIFY_REFUSE. Raises BadSetting."""
    allow, refuse = (environment.get(f"CIJOB_NOTIFY_{word}", "") for word in ("ALLOW", "REFUSE"))
    try:
        return Policy.parse(allow.split(), refuse.split())
    except ValueError as error:
        raise BadSetting(f"CIJOB_NOTIFY_ALLOW or _REFUSE: {error}") from error
