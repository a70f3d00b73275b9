"""The gateway's environment, read once at the start and nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cijob_api.fitting import default_pool
from cijob_api.places import AGING_SECONDS
from cijob_api.specs import CIPoolSpec
from cijob_kube.environment import BadSetting, read_default_pool, read_number, read_scope

MIB = 2**20


@dataclass(frozen=True)
class S3Settings:
    """Where objects are kept."""

    endpoint: str  # host:port
    secure: bool
    bucket: str
    region: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Settings:
    """How this gateway runs. Durations in seconds, sizes in bytes."""

    system_namespace: str
    namespaces: tuple[str, ...]  # the system namespace among them; empty: the whole cluster
    login: bool  # False: `auth: none`, on the loopback only
    port: int
    internal_port: int
    tls: tuple[str, str] | None  # certificate and key, as files
    s3: S3Settings
    max_source_bytes: int
    source_ttl_seconds: float
    max_artifact_bytes: int = 2048 * MIB
    max_artifacts_bytes: int = 4096 * MIB  # of one attempt together
    build_namespace: str = ""  # of the Build Job API's jobs; empty: it is off
    pool: CIPoolSpec = field(default_factory=lambda: CIPoolSpec(max_concurrent=10))
    """The one there is while there is no CIPool: the operator's."""
    aging_seconds: float = AGING_SECONDS

    @property
    def host(self) -> str:
        """Where the user API listens: without a login, nowhere but on the loopback."""
        return "0.0.0.0" if self.login else "127.0.0.1"  # noqa: S104 (a Pod's own network)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the `CIJOB_*` variables. Raises BadSetting."""
    scope = read_scope(environment)
    builds = environment.get("CIJOB_BUILD_NAMESPACE", "")
    if builds and scope.namespaces and builds not in scope.namespaces:
        served = " ".join(scope.namespaces)
        raise BadSetting(f"CIJOB_BUILD_NAMESPACE {builds} is not in CIJOB_NAMESPACES: {served}")
    auth = environment.get("CIJOB_AUTH", "kubernetes")
    if auth not in {"kubernetes", "none"}:
        raise BadSetting(f"CIJOB_AUTH is {auth!r}; it must be kubernetes or none")
    return Settings(
        system_namespace=scope.system_namespace,
        namespaces=scope.namespaces,
        login=auth == "kubernetes",
        port=int(read_number(environment, "CIJOB_PORT", 8080)),
        internal_port=int(read_number(environment, "CIJOB_INTERNAL_PORT", 8081)),
        tls=_tls(environment),
        s3=read_s3(environment),
        max_source_bytes=int(read_number(environment, "CIJOB_MAX_SOURCE_BYTES", 200 * MIB)),
        source_ttl_seconds=read_number(environment, "CIJOB_SOURCE_TTL_SECONDS", 7 * 86400),
        max_artifact_bytes=int(read_number(environment, "CIJOB_MAX_ARTIFACT_BYTES", 2048 * MIB)),
        max_artifacts_bytes=int(read_number(environment, "CIJOB_MAX_ARTIFACTS_BYTES", 4096 * MIB)),
        build_namespace=builds,
        pool=read_default_pool(environment, default_pool),
        aging_seconds=read_number(environment, "CIJOB_AGING_SECONDS", AGING_SECONDS),
    )


def read_s3(environment: Mapping[str, str]) -> S3Settings:
    """Read the `CIJOB_S3_*` variables. Raises BadSetting."""
    address = environment.get("CIJOB_S3_ENDPOINT", "")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
        raise BadSetting(
            f"CIJOB_S3_ENDPOINT is {address!r}; it must be a URL such as http://minio:9000"
        )
    keys = [environment.get(f"CIJOB_S3_{name}_KEY", "") for name in ("ACCESS", "SECRET")]
    if not all(keys):
        raise BadSetting("CIJOB_S3_ACCESS_KEY and CIJOB_S3_SECRET_KEY must be set")
    return S3Settings(
        endpoint=parts.netloc,
        secure=parts.scheme == "https",
        bucket=environment.get("CIJOB_S3_BUCKET") or "cijob",
        region=environment.get("CIJOB_S3_REGION") or "us-east-1",
        access_key=keys[0],
        secret_key=keys[1],
    )


def _tls(environment: Mapping[str, str]) -> tuple[str, str] | None:
    certificate = environment.get("CIJOB_TLS_CERT", "")
    key = environment.get("CIJOB_TLS_KEY", "")
    if bool(certificate) != bool(key):
        raise BadSetting("CIJOB_TLS_CERT and CIJOB_TLS_KEY belong together: set both or none")
    return (certificate, key) if certificate else None
