"""The operator's environment, read once at the start and nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cijob_api.fitting import default_pool
from cijob_api.places import AGING_SECONDS
from cijob_api.specs import CIPoolSpec
from cijob_kube.environment import (
    BadSetting,
    read_default_pool,
    read_identity,
    read_lease_times,
    read_number,
    read_scope,
)
from cijob_kube.leases import LeaseTimes
from cijob_operator.agentspecs import PodSettings

# The object by which one operator leads.
LEASE = "cijob-operator"


@dataclass(frozen=True)
class Settings:
    """How this operator runs. Durations in seconds."""

    system_namespace: str
    namespaces: tuple[str, ...]  # the system namespace among them; empty: the whole cluster
    identity: str
    port: int
    pool: CIPoolSpec  # the one there is while there is no CIPool
    aging_seconds: float  # by how long a wait raises a priority by one
    pods: PodSettings
    workers: int
    resync_seconds: float
    archive_grace_seconds: float | None  # None: nobody archives, and Pods stay with their job
    lease: LeaseTimes


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the `CIJOB_*` variables. Raises BadSetting."""
    scope = read_scope(environment)
    return Settings(
        system_namespace=scope.system_namespace,
        namespaces=scope.namespaces,
        identity=read_identity(environment),
        port=int(read_number(environment, "CIJOB_PORT", 8080)),
        pool=read_default_pool(environment, default_pool),
        aging_seconds=read_number(environment, "CIJOB_AGING_SECONDS", AGING_SECONDS),
        pods=PodSettings(
            agent_image=environment.get("CIJOB_AGENT_IMAGE") or PodSettings.agent_image,
            gateway=environment.get("CIJOB_GATEWAY") or PodSettings.gateway,
            ca_bundle=_switch(environment, "CIJOB_CA_BUNDLE"),
        ),
        workers=int(read_number(environment, "CIJOB_WORKERS", 16)),
        resync_seconds=read_number(environment, "CIJOB_RESYNC_SECONDS", 300),
        archive_grace_seconds=_optional(environment, "CIJOB_ARCHIVE_GRACE_SECONDS"),
        lease=read_lease_times(environment),
    )


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name) or "false"
    if text not in {"true", "false"}:
        raise BadSetting(f"{name} is {text!r}; it must be true or false")
    return text == "true"


def _optional(environment: Mapping[str, str], name: str) -> float | None:
    return read_number(environment, name, 1) if environment.get(name) else None
