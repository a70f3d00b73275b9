"""The archiver under test: a real process, beside a MinIO process, on one namespace."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minio import Minio as Client

from cijob_api.lines import Lines, Ordinals
from cijob_gateway.logs.archive import End, Notes, end_name, log_prefix, parse
from kit import servers
from kit.cluster import PATIENCE, Cluster
from kit.gateway import Minio


@dataclass
class Archiver:
    """An archiver process for one namespace."""

    cluster: Cluster
    namespace: str
    folder: Path
    minio: Minio
    settings: dict[str, str] = field(default_factory=dict)
    identity: str = "archiver"
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    @property
    def log(self) -> Path:
        """Its output: one JSON object a line."""
        return self.folder / f"{self.identity}.log"

    def start(self, *, wait: bool = True) -> "Archiver":
        """Start it; ready when its first lists are in and S3 answers."""
        self.port = self.port or servers.free_port()
        own = {
            "CIJOB_PORT": str(self.port),
            "CIJOB_SPOOL": str(self.folder / f"{self.identity}-spool"),
            "POD_NAME": self.identity,
            **self.minio.settings(),
            **self.settings,
        }
        variables = servers.environment(self.cluster, self.namespace, own)
        self.process = servers.start("cijob_gateway.archiver", self.log, variables)
        if wait:
            self.cluster.until("readiness of the archiver", self.is_ready)
        return self

    def is_ready(self) -> bool:
        """Whether /readyz says so; fails if the process has ended."""
        servers.must_run(self.process, self.log)
        return self.ask("/readyz") == "ok\n"

    def ask(self, path: str) -> str:
        """What an HTTP endpoint of it answers; empty while it does not."""
        return servers.ask(self.port, path)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return servers.metric(self.ask("/metrics"), name)

    def resident_bytes(self, *, peak: bool = False) -> int:
        """The memory that the process has now, or the most that it ever had."""
        return servers.resident_bytes(self.process, peak=peak)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 60) -> int:
        """End it and return its exit code."""
        return servers.stop(self.process, number, seconds=seconds)

    def archived(self, name: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The job's `results` once its log is archived."""
        self.cluster.until(f"the archive of {name}", lambda: "logs" in self._results(name), seconds)
        return self._results(name)

    def _results(self, name: str) -> dict[str, Any]:
        job = self.cluster.get("cij", "-n", self.namespace, name)
        results: dict[str, Any] = job.get("status", {}).get("results") or {}
        return results


@dataclass
class Bucket:
    """What is in the bucket, read as anybody would."""

    minio: Minio
    namespace: str

    @property
    def _client(self) -> Client:
        return Client(
            f"127.0.0.1:{self.minio.port}",
            access_key="test",
            secret_key=self.minio.password,
            secure=False,
            region="us-east-1",
        )

    def names(self, prefix: str) -> list[str]:
        """The names that begin so."""
        found = self._client.list_objects("cijob", prefix, recursive=True)
        return [item.object_name or "" for item in found]

    def read(self, name: str) -> bytes:
        """An object."""
        response = self._client.get_object("cijob", name)
        try:
            content: bytes = response.read()
            return content
        finally:
            response.close()
            response.release_conn()

    def chunks(self, uid: str, attempt: int = 1) -> list[bytes]:
        """The chunks of a log, in order; each begins where the one before it ends."""
        prefix = log_prefix(self.namespace, uid, attempt)
        chunks: list[bytes] = []
        for name in self.names(prefix):
            if name.removeprefix(prefix).isdecimal():
                assert int(name.removeprefix(prefix)) == sum(map(len, chunks))
                chunks.append(self.read(name))
        return chunks

    def texts(self, uid: str, attempt: int = 1) -> Iterator[tuple[Notes, bytes]]:
        """What the job wrote, chunk by chunk, each behind its notes."""
        prefix, end = log_prefix(self.namespace, uid, attempt), 0
        for name in self.names(prefix):
            if name.removeprefix(prefix).isdecimal():
                assert int(name.removeprefix(prefix)) == end
                content = self.read(name)
                end += len(content)
                yield self.notes(name), b"".join(parse(content, Ordinals()).texts)

    def notes(self, name: str) -> Notes:
        """What stands in a chunk's metadata."""
        found = self._client.stat_object("cijob", name).metadata or {}
        prefix = "x-amz-meta-"
        mine = {key.lower(): str(value) for key, value in found.items()}
        return Notes.parse(
            {key.removeprefix(prefix): value for key, value in mine.items() if prefix in key}
        )

    def lines(self, uid: str, attempt: int = 1) -> Lines:
        """The lines of a log."""
        ordinals = Ordinals()
        parts = [parse(chunk, ordinals) for chunk in self.chunks(uid, attempt)]
        rows = [row for part in parts for row in part.rows()]
        return Lines.of_rows(rows) if rows else Lines()

    def end(self, uid: str, attempt: int = 1) -> End:
        """What an attempt's log came to."""
        return End.model_validate_json(self.read(end_name(self.namespace, uid, attempt)))


@contextmanager
def running(archiver: Archiver) -> Iterator[Archiver]:
    """An archiver that is ended, whatever happens.

    In order, if it can: it remembers what it has told, and gives its lease to whoever is next.
    """
    archiver.start()
    try:
        yield archiver
    finally:
        with suppress(subprocess.TimeoutExpired):
            archiver.stop()
        archiver.stop(signal.SIGKILL)
