"""`upload`: 1 GiB through the gateway, side by side with the same straight into S3.

What counts is the gateway's memory: it must not grow with what passes through it.
"""

import hashlib
import secrets
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from time import perf_counter

from minio import Minio as Client

from benchmarks.figures import Figure, Result, spread
from kit.cluster import ROOT, Cluster, fresh_namespace
from kit.gateway import Gateway, Minio, minio_program, service_account

MIB = 2**20
GROWS_AT_MOST_MIB = 40
CHUNK = 4 * MIB


def run(kubeconfig: Path, rounds: int, *, mebibytes: int) -> Result:
    """Upload `rounds` different files each way, alternating."""
    program = minio_program()
    assert program  # noqa: S101
    cluster = Cluster("cijob", kubeconfig, ROOT / ".local" / "bin" / "kubectl", "local")
    took: dict[str, list[float]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="cijob-bench-") as name,
        fresh_namespace(cluster) as namespace,
    ):
        folder = Path(name)
        minio = Minio(folder, program).start()
        limit = {"CIJOB_MAX_SOURCE_BYTES": str(2 * mebibytes * MIB)}
        gateway = Gateway(cluster, namespace, folder, minio, limit).start()
        try:
            gateway.token = service_account(cluster, namespace, "bench", "create")
            before = gateway.resident_bytes()
            for _ in range(rounds):
                file, digest = made(folder, mebibytes)
                took["gateway"].append(through_gateway(gateway, file, digest))
                took["s3"].append(straight(minio, file))
            peak = gateway.resident_bytes(peak=True)
        finally:
            gateway.stop()
            minio.kill()
    return summary(took, grown=(peak - before) / MIB, mebibytes=mebibytes)


def summary(took: dict[str, list[float]], *, grown: float, mebibytes: int) -> Result:
    """The figures of all rounds."""
    figures = [
        *spread("through the gateway", took["gateway"]),
        *spread("straight into S3", took["s3"]),
        Figure("gateway ÷ S3", median(took["gateway"]) / median(took["s3"])),
        Figure("gateway's memory at its most, above idle", grown, "MiB", GROWS_AT_MOST_MIB),
    ]
    return Result("upload", f"{len(took['s3'])} of {mebibytes} MiB each way", tuple(figures))


def made(folder: Path, mebibytes: int) -> tuple[Path, str]:
    """A file that nobody has uploaded yet, and its digest."""
    file, digest = folder / "upload", hashlib.sha256()
    chunk = secrets.token_bytes(CHUNK)
    with file.open("wb") as out:
        for number in range(mebibytes * MIB // CHUNK):
            part = number.to_bytes(8, "big") + chunk[8:]
            out.write(part)
            digest.update(part)
    return file, digest.hexdigest()


def through_gateway(gateway: Gateway, file: Path, digest: str) -> float:
    """Seconds that curl takes to upload the file as a source."""
    url = f"http://127.0.0.1:{gateway.port}/v1/namespaces/{gateway.namespace}/sources/{digest}"
    head = ["-H", f"Authorization: Bearer {gateway.token}", "-H", "Content-Type: application/zip"]
    began = perf_counter()
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-T", str(file), *head, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert done.stdout == "201", done.stdout  # noqa: S101
    return perf_counter() - began


def straight(minio: Minio, file: Path) -> float:
    """Seconds that the S3 client takes to store the file."""
    client = Client(
        f"127.0.0.1:{minio.port}",
        access_key="test",
        secret_key=minio.password,
        secure=False,
        region="us-east-1",
    )
    began = perf_counter()
    client.fput_object("cijob", "straight", str(file), num_parallel_uploads=1)
    return perf_counter() - began
