"""Everything that a log goes through, as real processes on one namespace of the real cluster.

Operator, archiver, gateway and an S3 server: each can be killed, frozen and started again.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.archiver import Archiver, Bucket
from kit.cluster import Cluster, fresh_namespace
from kit.gateway import Gateway, Minio, minio_program, service_account
from kit.installed import CI
from kit.operator import Operator
from kit.printers import END, NUMBER, Account, Printer

# The long versions, which `make soak` runs; the short ones are part of `make test`.
LONG = os.environ.get("CIJOB_SOAK") == "1"
PIECE = 1 << 20
GRACE = {"CIJOB_ARCHIVE_GRACE_SECONDS": "3600"}
VERBS = ("create", "get", "list", "patch", "delete")


@dataclass
class Stage:
    """The processes, and jobs before them."""

    cluster: Cluster
    operator: Operator
    archiver: Archiver
    gateway: Gateway
    minio: Minio
    printed: dict[str, Printer] = field(default_factory=dict)
    readers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """Where the jobs are."""
        return self.operator.namespace

    @property
    def bucket(self) -> Bucket:
        """What is stored."""
        return Bucket(self.minio, self.namespace)

    def print(self, name: str, printer: Printer, **more: Any) -> str:
        """Start a job that prints; its uid."""
        self.operator.submit(name, **printer.spec, **more)
        self.printed[name] = printer
        uid: str = self.cluster.get("cij", "-n", self.namespace, name)["metadata"]["uid"]
        return uid

    def send_on(self, name: str, uid: str) -> None:
        """Let a gated job print on once its first line is archived."""
        self.cluster.until(f"a first line of {name}", lambda: any(self.bucket.texts(uid)))
        self.operator.send_on(name)

    def end_early(self, name: str) -> None:
        """Let a job print no more; what it has printed is what the node has last of its log."""
        where = ("-n", self.namespace, f"{name}-1", "-c", "job")
        self.cluster.kubectl("exec", *where, "--", "touch", END)
        self.operator.finished(name)
        last = self.cluster.kubectl("logs", *where, "--tail=1").stdout
        self.printed[name] = replace(self.printed[name], lines=int(last[:NUMBER]) + 1)

    def runs(self, name: str) -> bool:
        """Whether the job runs now; false also while nobody can be asked."""
        words = ("get", "cij", "-n", self.namespace, name, "-ojsonpath={.status.phase}")
        return self.cluster.kubectl(*words, check=False).stdout == "Running"

    def until_rotated(self, name: str, times: int, seconds: float) -> None:
        """Wait until the kubelet has begun a new file of the job's log so often."""
        listing = f"ls /var/log/pods/{self.namespace}_{name}-1_*/job || true"
        seen: set[str] = set()

        def often_enough() -> bool:
            files = self.cluster.in_node("sh", "-c", listing)
            old = [file.split(".") for file in files.split() if file.startswith("0.log.")]
            seen.update(parts[2] for parts in old)
            return len(seen) >= times

        self.cluster.until(f"{times} rotations of the log of {name}", often_enough, seconds)

    def started(self, *words: str, screen: Path) -> "subprocess.Popen[bytes]":
        """`ci` before this gateway; what it shows and says is in two files."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CI_")}
        mine = {
            "CI_GATEWAY": f"http://127.0.0.1:{self.gateway.port}",
            "CI_TOKEN": self.gateway.token,
            "CI_NAMESPACE": self.namespace,
            "HOME": str(self.gateway.folder),
        }
        with screen.open("wb") as out, said_by(screen).open("wb") as err:
            reader = subprocess.Popen([str(CI), *words], env=kept | mine, stdout=out, stderr=err)
        self.readers.append(reader)
        return reader

    def end_readers(self) -> None:
        """Whoever reads on is ended."""
        for reader in self.readers:
            reader.kill()
            reader.wait()

    def stored(self, name: str, uid: str) -> Account:
        """The account of what the bucket has."""
        account = Account(self.printed[name])
        for _, texts in self.bucket.texts(uid):
            account.add(texts)
        return account.close()

    def read(self, name: str) -> Account:
        """The account of what the gateway gives as plain text."""
        url = f"http://127.0.0.1:{self.gateway.port}{self.gateway.jobs(f'/{name}/logs')}"
        request = urllib.request.Request(url)
        request.add_header("Authorization", f"Bearer {self.gateway.token}")
        account = Account(self.printed[name])
        with urllib.request.urlopen(request, timeout=120) as answer:
            while piece := answer.read(PIECE):
                account.add(piece)
        return account.close()

    def shown(self, name: str, screen: Path) -> Account:
        """The account of what stands on a screen."""
        account = Account(self.printed[name])
        with screen.open("rb") as file:
            while piece := file.read(PIECE):
                account.add(piece)
        return account.close()

    def assert_whole(self, name: str, uid: str, *, seconds: float) -> Account:
        """In the bucket, in the status and by the gateway: what the job wrote, once, in order."""
        logs = self.archiver.archived(name, seconds)["logs"]
        wanted = self.printed[name].whole()
        assert (wanted.lost, wanted.repeated, wanted.strange) == (0, 0, 0)
        stored = self.stored(name, uid)
        assert stored == wanted, f"missing: {stored.holes}; said: {logs}"
        assert logs == said_of(wanted)
        assert self.read(name) == wanted
        return wanted

    def assert_followed_whole(
        self, name: str, printer: Printer, rotations: int, *, screen: Path, seconds: float
    ) -> Account:
        """A gated job through so many rotations: everywhere, and on a screen that follows it."""
        uid = self.print(name, printer)
        following = self.started("logs", "-f", name, screen=screen)
        self.send_on(name, uid)
        self.until_rotated(name, rotations, seconds)
        written = self.assert_whole(name, uid, seconds=seconds)
        assert following.wait(timeout=seconds) == 0, said_by(screen).read_text()
        assert self.shown(name, screen) == written
        return written

    def assert_losses_are_said(self, name: str, uid: str) -> None:
        """Nothing is there twice; what is missing is said in the status and at its place."""
        logs = self.archiver.archived(name)["logs"]
        account, said, at = Account(self.printed[name]), 0, []
        for notes, texts in self.bucket.texts(uid):
            before = account.lost
            account.add(texts)
            said += bool(notes.gap)
            if account.lost > before and not notes.gap:
                at.append(f"{account.lost - before} lines, unsaid, in the chunk of {notes.first}")
        account.close()
        assert at == [], logs
        assert account.repeated == 0
        # Where a loss begins and ends the rest of a line may stand.
        assert account.strange <= 2 * said
        assert (logs["lines"], logs["bytes"]) == (account.lines, account.size)
        assert logs["sha256"] == account.sha256
        assert logs["complete"] is (said == 0)
        assert bool(said) is bool(logs.get("message"))
        assert account.lost == 0 or said

    def tell(self, what: str, account: Account, began: float) -> None:
        """Print the figures, for whoever runs this to have figures."""
        archiver = self.archiver.resident_bytes(peak=True) >> 20
        gateway = self.gateway.resident_bytes(peak=True) >> 20
        print(
            f"shown: {what}: {account.lines:,} lines, {account.size:,} bytes, {account.lost} lost,"
            f" {account.repeated} repeated, in {time.monotonic() - began:.0f} s; at most {archiver}"
            f" MiB in the archiver, {gateway} in the gateway; load {os.getloadavg()[0]:.1f}"
        )

    @contextlib.contextmanager
    def supervised(self) -> Iterator[None]:
        """Start a server again whenever it has ended, as a kubelet does."""
        done = threading.Event()

        servers: tuple[Operator | Archiver | Gateway, ...]
        servers = (self.operator, self.archiver, self.gateway)

        def supervise() -> None:
            while not done.wait(0.5):
                for server in servers:
                    if server.process and server.process.poll() is not None:
                        server.start(wait=False)

        thread = threading.Thread(target=supervise, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(timeout=30)


def said_by(screen: Path) -> Path:
    """What `ci` said beside the log that it showed."""
    return screen.with_name(f"{screen.name}.said")


def said_of(account: Account) -> dict[str, Any]:
    """What a status says of a log that is whole."""
    counts = {"lines": account.lines, "bytes": account.size, "sha256": account.sha256}
    return {**counts, "complete": True}


@contextlib.contextmanager
def staged(
    cluster: Cluster,
    folder: Path,
    *,
    operators: Mapping[str, str] | None = None,
    archivers: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """All of it, ended whatever happens; with settings of the operator's and the archiver's own."""
    program = minio_program()
    assert program is not None
    with fresh_namespace(cluster) as namespace, contextlib.ExitStack() as ends:
        minio = Minio(folder, program).start()
        ends.callback(minio.kill)
        operator = Operator(cluster, namespace, folder, {**GRACE, **(operators or {})}).start()
        ends.callback(operator.stop, signal.SIGKILL)
        archiver = Archiver(cluster, namespace, folder, minio, dict(archivers or {})).start()
        ends.callback(archiver.stop, signal.SIGKILL)
        gateway = Gateway(cluster, namespace, folder, minio).start()
        ends.callback(gateway.stop, signal.SIGKILL)
        gateway.token = service_account(cluster, namespace, "user", *VERBS)
        stage = Stage(cluster, operator, archiver, gateway, minio)
        ends.callback(stage.end_readers)
        yield stage
