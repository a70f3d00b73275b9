"""The gateway under test: a real process, with a MinIO process of its own beside it.

Both can be killed and started again like any process. Requests go over the loopback, as those of a
person who port-forwards do.
"""

import json
import os
import secrets
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit import servers
from kit.cluster import ROOT, Cluster


@dataclass(frozen=True)
class Answer:
    """What an HTTP request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def slug(self) -> str:
        """Which problem it is; empty for a success."""
        return str(self.json["type"]).rpartition("/")[2] if self.status >= 400 else ""


def minio_program() -> Path | None:
    """The MinIO that the local cluster is built with; None where there is none."""
    words = [str(ROOT / "hack" / "kind"), "build", "components"]
    built = subprocess.run(words, capture_output=True, text=True, check=True)
    found = [Path(folder) / "minio" for folder in built.stdout.split()]
    return next((path for path in found if path.is_file()), None)


@dataclass
class Minio:
    """An S3 server on the loopback, with its data in a folder."""

    folder: Path
    program: Path
    port: int = 0
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Minio":
        """Start it; again on the same port, with what it had stored."""
        self.port = self.port or servers.free_port()
        environment = {
            **os.environ,
            "MINIO_ROOT_USER": "test",
            "MINIO_ROOT_PASSWORD": self.password,
            "MINIO_BROWSER": "off",
        }
        data = self.folder / "s3"
        command = [str(self.program), "server", str(data), "--address", f"127.0.0.1:{self.port}"]
        with (self.folder / "minio.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        return self

    def settings(self) -> dict[str, str]:
        """The environment by which a server uses it."""
        return {
            "CIJOB_S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "CIJOB_S3_ACCESS_KEY": "test",
            "CIJOB_S3_SECRET_KEY": self.password,
        }

    def kill(self) -> None:
        """SIGKILL it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def objects(self, namespace: str) -> list[str]:
        """The names of the objects of a namespace, from the disk."""
        root = self.folder / "s3" / "cijob"
        found = (root / namespace).rglob("xl.meta")
        return sorted(str(path.parent.relative_to(root)) for path in found)


@dataclass
class Gateway:
    """A gateway process for one namespace."""

    cluster: Cluster
    namespace: str
    folder: Path
    minio: Minio
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    internal_port: int = 0
    token: str = ""

    @property
    def log(self) -> Path:
        """Its output: one JSON object a line."""
        return self.folder / "gateway.log"

    def start(self, *, wait: bool = True) -> "Gateway":
        """Start it; ready when its first list is in and S3 answers."""
        self.port = self.port or servers.free_port()
        self.internal_port = self.internal_port or servers.free_port()
        own = {
            "CIJOB_PORT": str(self.port),
            "CIJOB_INTERNAL_PORT": str(self.internal_port),
            **self.minio.settings(),
            **self.settings,
        }
        variables = servers.environment(self.cluster, self.namespace, own)
        self.process = servers.start("cijob_gateway", self.log, variables)
        if wait:
            self.cluster.until("readiness of the gateway", self.is_ready)
        return self

    def is_ready(self) -> bool:
        """Whether /readyz says so; fails if the process has ended."""
        servers.must_run(self.process, self.log)
        return self.ask("GET", "/readyz", internal=True).status == 200

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 30) -> int:
        """End it and return its exit code."""
        return servers.stop(self.process, number, seconds=seconds)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        internal: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request, with the fixture's token unless another is given; status 0: no answer."""
        port = self.internal_port if internal else self.port
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        if bearer := self.token if token is None else token:
            request.add_header("Authorization", f"Bearer {bearer}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())
        except (urllib.error.URLError, OSError):
            return Answer(0, {}, b"{}")

    def jobs(self, path: str = "") -> str:
        """The path of the namespace's jobs, or of something below it."""
        return f"/v1/namespaces/{self.namespace}/jobs{path}"

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = self.ask("GET", "/metrics", internal=True).body.decode()
        return servers.metric(text, name)

    def resident_bytes(self, *, peak: bool = False) -> int:
        """The memory that the process has now, or the most that it ever had."""
        return servers.resident_bytes(self.process, peak=peak)


def service_account(cluster: Cluster, namespace: str, name: str, *verbs: str) -> str:
    """A ServiceAccount with these verbs on CIJobs (and its logs), and a token of it."""
    rules = [
        {"apiGroups": ["cijob.dev"], "resources": ["cijobs"], "verbs": list(verbs)},
        {"apiGroups": ["cijob.dev"], "resources": ["cijobs/log"], "verbs": ["get"]},
    ]
    kind = "rbac.authorization.k8s.io"
    cluster.apply(
        namespace,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {
            "apiVersion": f"{kind}/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": rules if verbs else [],
        },
        {
            "apiVersion": f"{kind}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": kind, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )
    for verb in verbs[-1:]:
        cluster.until_allowed(namespace, name, verb)
    words = ("create", "token", name, "-n", namespace, "--audience=cijob-gateway")
    return cluster.kubectl(*words).stdout.strip()
