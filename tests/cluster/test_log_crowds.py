"""Many jobs at once, and readers of whom one has stopped: nobody costs another a line.

Short here; `make soak` (CIJOB_SOAK=1) has the figures of the README.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kit import chaos
from kit.cluster import Cluster, pod
from kit.printers import Account, Printer
from kit.stages import LONG, Stage, said_by, said_of, staged

# Alone: a kubelet that has no time for its logs is another test.
pytestmark = [pytest.mark.seam, pytest.mark.alone]
JOBS = 300 if LONG else 30
CROWD = Printer(4000)
READERS = 4
STOPPED_SECONDS = 70 if LONG else 10
LIVE = Printer(15_000 * (STOPPED_SECONDS + 10), rate=15_000, gated=True)
# What is kept for all readers of a log is 4 MiB; the rest is the streams' own buffers.
MEMORY = 48 << 20
SECONDS = 900 if LONG else 180
PORT = 8081
DOUBT = "the first lines may be missing: the container started at"
FOLLOWING = "cijob_archiver_following"
GATE = f"""
import socketserver, time
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        time.sleep(3600)
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 400
Server(("", {PORT}), Handler).serve_forever()
"""
# The default of 4 GiB of disk each is more than a node has for 300.
TINY = {
    "requests": {"cpu": "1m", "memory": "16Mi"},
    "limits": {"memory": "64Mi", "ephemeral-storage": "64Mi"},
}
# Half of the lines, then the wait until the gate goes, then the other half.
WAITS = """
import contextlib, socket, sys, time
def show(start, stop):
    sys.stdout.write("".join(f"{{n:09d}} {filling}\\n" for n in range(start, stop)))
    sys.stdout.flush()
show(0, {half})
with contextlib.suppress(OSError):
    socket.create_connection(("{gate}", {port})).recv(1)
show({half}, {lines})
time.sleep(1)
"""


@pytest.fixture(scope="module")
def stage(
    cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    places = {"CIJOB_MAX_CONCURRENT": str(JOBS)}
    with staged(cluster, tmp_path_factory.mktemp("stage"), operators=places) as made:
        yield made


def gate(stage: Stage) -> str:
    """A Pod that lets everybody wait until it goes; its address."""
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    server = pod("gate", "", command=["python3", "-c", GATE], readinessProbe=probe)
    stage.cluster.apply(stage.namespace, server)
    stage.cluster.wait(stage.namespace, "pod/gate", "condition=Ready")
    address: str = stage.cluster.get("pod", "-n", stage.namespace, "gate")["status"]["podIP"]
    return address


def waiting(address: str) -> dict[str, Any]:
    """The spec of a job that prints CROWD in two halves."""
    program = WAITS.format(
        half=CROWD.lines // 2,
        lines=CROWD.lines,
        gate=address,
        port=PORT,
        filling="x" * (CROWD.width - 11),
    )
    return {"command": ["python3", "-c", program], "resources": TINY}


@asynccontextmanager
async def reading(stage: Stage, names: list[str]) -> AsyncIterator[list[Account]]:
    """Follow the logs of all these jobs at once; at the end all have been read to theirs."""
    headers = {"Authorization": f"Bearer {stage.gateway.token}"}
    accounts = [Account(CROWD) for _ in names]
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{stage.gateway.port}",
        headers=headers,
        connector=connector,
        timeout=timeout,
    ) as session:

        async def read(name: str, account: Account) -> None:
            path = stage.gateway.jobs(f"/{name}/logs?follow=true")
            async with session.get(path) as answer:
                assert answer.status == 200
                async for piece in answer.content.iter_any():
                    account.add(piece)

        async with asyncio.TaskGroup() as tasks:
            for name, account in zip(names, accounts, strict=True):
                tasks.create_task(read(name, account))
            yield accounts
    for account in accounts:
        account.close()


def archived(stage: Stage) -> list[dict[str, Any]]:
    """The jobs whose logs are archived."""
    items = stage.cluster.get("cij", "-n", stage.namespace)["items"]
    return [job for job in items if "logs" in job.get("status", {}).get("results", {})]


def test_many_jobs_are_followed_at_once(stage: Stage) -> None:
    began, names = time.monotonic(), [f"one-of-many-{n}" for n in range(JOBS)]
    spec = waiting(gate(stage))
    chaos.create_all(stage.operator, dict.fromkeys(names, spec))

    async def follow() -> list[Account]:
        async with reading(stage, names) as accounts:
            deadline = time.monotonic() + SECONDS
            while not all(account.lines >= CROWD.lines // 2 for account in accounts):
                assert time.monotonic() < deadline, sorted(a.lines for a in accounts)
                await asyncio.sleep(0.2)
            all_followed = lambda: stage.archiver.metric(FOLLOWING) == JOBS  # noqa: E731
            await asyncio.to_thread(stage.cluster.until, "the archiver's follows", all_followed)
            await asyncio.to_thread(stage.operator.delete_pod, "gate")
        return accounts

    whole = CROWD.whole()
    assert asyncio.run(follow()) == [whole] * JOBS
    stage.cluster.until("all archives", lambda: len(archived(stage)) == JOBS, SECONDS)
    doubted = 0
    for job in archived(stage):
        name, logs = job["metadata"]["name"], job["status"]["results"]["logs"]
        stage.printed[name] = CROWD
        # A kubelet that tells of a start 5 s late may have rotated a log by then: that is said.
        if logs.pop("message", "").startswith(DOUBT):
            doubted, logs["complete"] = doubted + 1, True
        assert logs == said_of(whole)
        assert stage.stored(name, job["metadata"]["uid"]) == whole
    stage.tell(f"each of {JOBS} jobs at once, {doubted} of them doubted", whole, began)


def test_a_reader_that_stops_reading_costs_nobody_anything_and_gets_all_of_it_later(
    stage: Stage, tmp_path: Path
) -> None:
    began = time.monotonic()
    uid = stage.print("live", LIVE)
    screens = [tmp_path / str(number) for number in range(READERS)]
    readers = [stage.started("logs", "-f", "live", screen=screen) for screen in screens]
    stage.cluster.until("a line on each screen", lambda: all(s.stat().st_size for s in screens))
    assert stage.runs("live")
    before = stage.gateway.resident_bytes()
    stopped, screen = readers[0], screens[0]
    stopped.send_signal(signal.SIGSTOP)
    stage.send_on("live", uid)
    try:
        for reader, shown in zip(readers[1:], screens[1:], strict=True):
            assert reader.wait(timeout=SECONDS) == 0, said_by(shown).read_text()
        written = LIVE.whole()
        assert [stage.shown("live", shown) for shown in screens[1:]] == [written] * (READERS - 1)
        assert screen.stat().st_size < written.size
        used = stage.gateway.resident_bytes(peak=True) - before
        assert used < MEMORY
    finally:
        stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(timeout=SECONDS) == 0, said_by(screen).read_text()
    assert stage.shown("live", screen) == written
    assert stage.assert_whole("live", uid, seconds=SECONDS) == written
    stage.tell(f"one of {READERS} readers stopped, {used >> 20} MiB more", written, began)
