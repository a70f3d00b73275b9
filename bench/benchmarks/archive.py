"""`archive`: one job that prints as fast as it can, from its Pod into S3.

What counts is the archiver's own time and memory: the job, the runtime, the kubelet and the API
server work for every line as well, on the same machine. The digest at the end is the job's own, or
there is no figure.
"""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks.figures import Figure, Result
from kit.archiver import Archiver, running
from kit.cluster import ROOT, Cluster, fresh_namespace
from kit.gateway import Minio, minio_program
from kit.operator import Operator

MB = 1_000_000
MIB = 2**20
# 30 MB in a second of one core.
CPU_SECONDS_PER_100_MB = 100 / 30
RESIDENT_MIB = 150
LINE = b"%08d " + b"x" * 90 + b"\n"
PROGRAM = """
import sys
for start in range(0, {count}, 1000):
 sys.stdout.write(''.join(f'{{n:08d}} ' + 'x' * 90 + '\\n' for n in range(start, start + 1000)))
"""


def run(kubeconfig: Path, lines: int) -> Result:
    """Archive one job of so many lines of 100 bytes."""
    program = minio_program()
    assert program  # noqa: S101
    cluster = Cluster("cijob", kubeconfig, ROOT / ".local" / "bin" / "kubectl", "local")
    with (
        tempfile.TemporaryDirectory(prefix="cijob-bench-") as name,
        fresh_namespace(cluster) as namespace,
    ):
        folder = Path(name)
        minio = Minio(folder, program).start()
        operator = Operator(cluster, namespace, folder)
        try:
            operator.start()
            with running(Archiver(cluster, namespace, folder, minio)) as archiver:
                return measure(operator, archiver, lines)
        finally:
            if operator.process:
                operator.stop()
            minio.kill()


def measure(operator: Operator, archiver: Archiver, lines: int) -> Result:
    """The figures of one job."""
    idle = cpu_seconds(archiver.process)
    began = perf_counter()
    command = ["python3", "-c", PROGRAM.format(count=lines)]
    limits = {"limits": {"cpu": "2", "memory": "128Mi"}}
    operator.submit("prints", command=command, resources=limits)
    operator.finished("prints", 1200)
    printed = perf_counter() - began
    logs = archiver.archived("prints", 600)["logs"]
    took, spent = perf_counter() - began, cpu_seconds(archiver.process) - idle
    assert logs["complete"], logs  # noqa: S101
    assert logs["sha256"] == digest(lines), logs  # noqa: S101
    figures = (
        Figure("the archiver's CPU for 100 MB", spent / logs["bytes"] * 100 * MB, "s",
               CPU_SECONDS_PER_100_MB),
        Figure("that is, on one core", logs["bytes"] / MB / spent, "MB/s"),
        Figure("its memory at its most", archiver.resident_bytes(peak=True) / MIB, "MiB",
               RESIDENT_MIB),
        Figure("the job, from its submit to its end", printed, "s"),
        Figure("from its end to its log in S3", took - printed, "s"),
    )  # fmt: skip
    return Result("archive", f"{lines} lines, {logs['bytes'] / MB:.0f} MB", figures)


def cpu_seconds(process: "subprocess.Popen[bytes] | None") -> float:
    """What a process has used of all cores so far."""
    assert process  # noqa: S101
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def digest(lines: int) -> str:
    """Of what the job writes."""
    found = hashlib.sha256()
    for start in range(0, lines, 1000):
        found.update(b"".join([LINE % n for n in range(start, start + 1000)]))
    return found.hexdigest()
