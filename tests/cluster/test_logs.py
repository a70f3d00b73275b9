"""Logs of real jobs on a real cluster: exactly what the job wrote, 0 lines lost, 0 repeated.

Followed by the gateway's own classes in this process, through the API server and its kubelet.
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_gateway.logs.follows import Batch, End, Follows, Gap, Item
from cijob_gateway.watches import Watch
from cijob_kube.api import Api
from kit.cluster import Cluster
from kit.operator import Operator
from kit.printers import Printer

# A TLS connection whose stream was left closes when the event loop is gone already (aiohttp's
# documentation, "Graceful Shutdown"); in a server the loop goes on.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SECONDS = 180


@dataclass
class Received:
    """What a reader was given."""

    ids: list[LineId] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    end: End | None = None

    def take(self, item: Item) -> None:
        """Keep it."""
        if isinstance(item, Batch):
            self.ids.extend(item.content.ids(item.attempt))
            self.texts.extend(item.lines)
        elif isinstance(item, Gap):
            self.gaps.append(item.message)
        elif isinstance(item, End):
            self.end = item

    def assert_is(self, written: bytes) -> None:
        """Everything that was written, once, in order, and said so."""
        assert self.gaps == []
        assert self.end is not None
        assert self.end.complete
        got = b"".join(self.texts)
        assert (len(got), got.count(b"\n")) == (len(written), written.count(b"\n"))
        digest = hashlib.sha256(written).hexdigest()
        assert hashlib.sha256(got).hexdigest() == digest
        assert (self.end.lines, self.end.bytes) == (len(self.texts), len(written))
        assert self.end.sha256 == digest
        assert len(set(self.ids)) == len(self.ids)


@contextlib.asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[Api]:
    """The API server as the gateway speaks to it."""
    configuration = Configuration()
    await config.load_kube_config(  # type: ignore[no-untyped-call]
        config_file=str(cluster.kubeconfig), client_configuration=configuration
    )
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Api(session, configuration)


@dataclass
class Scene:
    """A gateway's follows of one namespace."""

    follows: Follows
    watch: Watch[CIJob]
    operator: Operator

    async def submit(self, name: str, **spec: Any) -> CIJob:
        """Create a job and wait until the watch has it."""
        await asyncio.to_thread(self.operator.submit, name, **spec)
        # The watch wakes followers of a job, and nobody follows one that it has not seen.
        while not (job := self.watch.find(self.operator.namespace, name)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return job

    async def read(self, job: CIJob, into: Received | None = None, **wish: Any) -> Received:
        """Read a job's log to the end of the stream."""
        received = into or Received()
        async for item in self.follows.follow(job, **wish):
            received.take(item)
        return received

    async def print(self, name: str, printer: Printer, readers: int = 1) -> list[Received]:
        """Start a gated job that prints; what readers were given who came at its beginning."""
        job = await self.submit(name, **printer.spec)
        received = [Received() for _ in range(readers)]
        async with asyncio.TaskGroup() as tasks:
            for one in received:
                tasks.create_task(self.read(job, one))
            while not all(one.texts for one in received):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await asyncio.to_thread(self.operator.send_on, name)
        return received


def play(operator: Operator, script: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a script with a gateway's follows."""

    async def run() -> None:
        async with connected(operator.cluster) as api, asyncio.timeout(SECONDS):
            watch = Watch(api, CIJob, "cijobs", [operator.namespace])
            watching = asyncio.create_task(watch.run())
            try:
                await script(Scene(Follows(api, watch), watch, operator))
            finally:
                watching.cancel()
                await asyncio.wait({watching})

    asyncio.run(run())


def python(program: str) -> dict[str, Any]:
    """A job that is a Python program."""
    return {"command": ["python3", "-u", "-c", program]}


def test_a_burst_of_200000_lines_is_followed_whole(operator: Operator) -> None:
    printer = Printer(200_000, gated=True)
    written = printer.text(0, printer.lines)

    async def script(scene: Scene) -> None:
        for received in await scene.print("burst", printer, readers=3):
            received.assert_is(written)

    play(operator, script)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("nothing", b""),
        ("no-newline", b"first\nno newline at the end"),
        # No \r before \n: containerd records the two as \n, and no reader can bring it back.
        ("binary", bytes(range(256)) * 40 + b"\r \n\r\r \n\n\n\xff\xfe" + bytes(5000)),
        ("long-lines", b"".join(b"%d" % n * 100_000 + b"\n" for n in range(10, 30))),
        ("five-mebibytes", b"y" * 5 * 1024 * 1024 + b"\nshort\n"),
    ],
)
def test_bytes_come_as_they_were_written(operator: Operator, name: str, written: bytes) -> None:
    programs = {
        "nothing": "",
        "no-newline": "w(b'first\\nno newline at the end')",
        "binary": "w(bytes(range(256)) * 40 + b'\\r \\n\\r\\r \\n\\n\\n\\xff\\xfe' + bytes(5000))",
        "long-lines": "w(b''.join(b'%d' % n * 100000 + b'\\n' for n in range(10, 30)))",
        "five-mebibytes": "w(b'y' * 5 * 1024 * 1024 + b'\\nshort\\n')",
    }
    program = f"import sys\nw = sys.stdout.buffer.write\n{programs[name]}\nsys.stdout.flush()\n"

    async def script(scene: Scene) -> None:
        job = await scene.submit(name, **python(program))
        (await scene.read(job)).assert_is(written)
        job = scene.watch.find(*job.key) or job
        (await scene.read(job)).assert_is(written)  # and again after the end

    play(operator, script)


def test_two_streams_keep_their_own_order_and_any_line_can_be_come_back_to(
    operator: Operator,
) -> None:
    program = (
        "import os, threading\n"
        "def write(fd, name):\n"
        " for n in range(20000): os.write(fd, b'%s %d\\n' % (name, n))\n"
        "t = [threading.Thread(target=write, args=a) for a in ((1, b'out'), (2, b'err'))]\n"
        "[x.start() for x in t]; [x.join() for x in t]\n"
    )

    async def script(scene: Scene) -> None:
        job = await scene.submit("two-streams", **python(program))
        received = await scene.read(job)
        received.assert_is(b"".join(received.texts))
        for name in (b"out", b"err"):
            mine = [text for text in received.texts if text.startswith(name)]
            assert mine == [b"%s %d\n" % (name, n) for n in range(20_000)]
        job = scene.watch.find(*job.key) or job
        for place in (0, 1, 777, 20_000, 39_998, 39_999):
            back = await scene.read(job, after=received.ids[place])
            assert (back.gaps, back.ids) == ([], received.ids[place + 1 :])
            assert back.texts == received.texts[place + 1 :]

    play(operator, script)


def test_a_log_that_is_rotated_while_it_is_followed_is_whole(operator: Operator) -> None:
    # The kubelet looks every 10 s for files of more than 10 MiB. Few and long lines: of many short
    # ones the runtime holds some back where a file ends (test_log_rotations).
    printer = Printer(2_500, width=12_000, rate=100, step=1, gated=True)
    written = printer.text(0, printer.lines)

    async def script(scene: Scene) -> None:
        (received,) = await scene.print("rotated", printer)
        received.assert_is(written)
        job = scene.watch.find(operator.namespace, "rotated")
        assert job
        late = await scene.read(job)
        assert written.endswith(b"".join(late.texts))
        assert len(late.texts) < 2_500, "the log was not rotated: this test has shown nothing"

    play(operator, script)
