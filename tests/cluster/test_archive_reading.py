"""What the archiver stored, read through a real gateway: the same bytes, whatever is gone.

The Pod, then the CIJob, the gateway itself again and again: 0 lines lost, 0 repeated.
"""

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.archiver import Archiver, running
from kit.cluster import Cluster, fresh_namespace
from kit.gateway import Gateway, Minio, service_account
from kit.installed import CI
from kit.operator import Operator

pytestmark = pytest.mark.seam
READERS = 20
VERBS = ("create", "get", "list", "patch", "delete")
GRACE = {"CIJOB_ARCHIVE_GRACE_SECONDS": "600"}
SECONDS = 180


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """An operator that waits for the archive before it lets a Pod go."""
    with fresh_namespace(cluster) as namespace:
        made = Operator(cluster, namespace, tmp_path_factory.mktemp("operator"), GRACE).start()
        yield made
        assert made.stop() == 0, made.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def archiver(operator: Operator, minio: Minio) -> Iterator[Archiver]:
    made = Archiver(operator.cluster, operator.namespace, operator.folder, minio)
    with running(made):
        yield made


@pytest.fixture(scope="module")
def gateway(operator: Operator, archiver: Archiver, minio: Minio) -> Iterator[Gateway]:
    made = Gateway(operator.cluster, operator.namespace, operator.folder, minio).start()
    made.token = service_account(operator.cluster, operator.namespace, "user", *VERBS)
    yield made
    assert made.stop() == 0, made.log.read_text()[-3000:]


def started(gateway: Gateway, *words: str, screen: Path | None = None) -> subprocess.Popen[bytes]:
    """`ci`, as a person before this gateway starts it; what it shows, in a file if one is named."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CI_")}
    mine = {
        "CI_GATEWAY": f"http://127.0.0.1:{gateway.port}",
        "CI_TOKEN": gateway.token,
        "CI_NAMESPACE": gateway.namespace,
        "HOME": str(gateway.folder),
    }
    with contextlib.ExitStack() as files:
        out = files.enter_context(screen.open("wb")) if screen else subprocess.PIPE
        command = [str(CI), *words]
        return subprocess.Popen(command, env=kept | mine, stdout=out, stderr=subprocess.PIPE)


def ci(gateway: Gateway, *words: str) -> tuple[int, bytes, str]:
    """Exit code, stdout and stderr of `ci`."""
    process = started(gateway, *words)
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out, err.decode()


def numbered(count: int, *, pause: float = 0, code: int = 0) -> tuple[dict[str, Any], bytes]:
    """A job that prints numbered lines, 100 at a time, and what it writes.

    It waits before its end: some runtimes lose the last bytes of one that ends behind a burst.
    """
    program = (
        "import sys, time\n"
        f"for start in range(0, {count}, 100):\n"
        f" sys.stdout.write(''.join(f'{{n:08d}} and more\\n' for n in range(start, start + 100)))\n"
        f" sys.stdout.flush(); time.sleep({pause})\n"
        f"time.sleep(0.5); sys.exit({code})\n"
    )
    spec = {"command": ["python3", "-c", program]}
    return spec, b"".join(b"%08d and more\n" % n for n in range(count))


def assert_same(got: bytes, written: bytes) -> None:
    """Nothing lost, nothing repeated, in order."""
    assert (len(got), got.count(b"\n")) == (len(written), written.count(b"\n"))
    assert hashlib.sha256(got).hexdigest() == hashlib.sha256(written).hexdigest()


def assert_read_as_written(gateway: Gateway, name: str, written: bytes) -> None:
    """By every way to read a log."""
    path = gateway.jobs(f"/{name}/logs")
    plain = gateway.ask("GET", path)
    assert plain.status == 200
    assert_same(plain.body, written)
    head = gateway.ask("HEAD", path)
    assert int(head.headers["content-length"]) == len(written)
    assert head.headers["accept-ranges"] == "bytes"
    for asked, wanted in (
        ("bytes=0-99", written[:100]),
        ("bytes=1000-", written[1000:]),
        ("bytes=-77", written[-77:]),
        (f"bytes=500000-{10**9}", written[500_000:]),
    ):
        part = gateway.ask("GET", path, headers={"Range": asked})
        assert (part.status, part.body) == (206, wanted), asked
    beyond = gateway.ask("GET", path, headers={"Range": f"bytes={len(written)}-"})
    assert beyond.status == 416
    for words in (("logs", name), ("logs", "-f", name)):
        code, out, err = ci(gateway, *words)
        assert (code, err) == (0, "")
        assert_same(out, written)
    code, out, _ = ci(gateway, "logs", name, "--tail", "7")
    assert (code, out) == (0, b"".join(written.splitlines(keepends=True)[-7:]))
    code, out, err = ci(gateway, "wait", name)
    assert (code, "Failed (CommandFailed)" in err) == (1, True), err
    assert_same(out, written)


def test_a_log_is_the_same_when_the_pod_is_gone_and_when_the_cijob_is_gone(
    operator: Operator, archiver: Archiver, gateway: Gateway, cluster: Cluster
) -> None:
    spec, written = numbered(300_000, code=4)
    operator.submit("goes", **spec)
    results = archiver.archived("goes", SECONDS)
    assert results["logs"]["complete"]
    cluster.until("the end of its Pod", lambda: not operator.pods("goes"), 60)
    assert_read_as_written(gateway, "goes", written)
    before = gateway.ask("GET", gateway.jobs("/goes")).json
    cluster.kubectl("delete", "-n", operator.namespace, "cij", "goes")
    cluster.until(
        "the end of the CIJob",
        lambda: not gateway.ask("GET", gateway.jobs("?match=goes")).json["items"],
    )
    record = gateway.ask("GET", gateway.jobs("/goes")).json
    for field in ("spec", "status"):
        assert record[field] == before[field]
    assert record["metadata"]["uid"] == before["metadata"]["uid"]
    assert_read_as_written(gateway, "goes", written)
    for words in (("list", "--all", "-o", "name"), ("get", "goes", "-o", "name")):
        assert b"goes\n" in ci(gateway, *words)[1]
    assert b"goes\n" not in ci(gateway, "list", "-o", "name")[1]
    assert ci(gateway, "cancel", "goes")[0] == 2  # it has finished already
    assert gateway.ask("DELETE", gateway.jobs("/goes")).status == 404
    stranger = service_account(cluster, operator.namespace, "stranger")
    for path in ("/goes", "/goes/logs"):
        answer = gateway.ask("GET", gateway.jobs(path), token=stranger)
        assert (answer.status, answer.slug) == (404, "not-found")
    assert gateway.ask("GET", gateway.jobs("?all=true"), token=stranger).status == 403
    assert gateway.ask("GET", gateway.jobs("/never-was")).status == 404


def test_jobs_that_are_there_and_gone_are_one_list_page_by_page(
    operator: Operator, archiver: Archiver, gateway: Gateway, cluster: Cluster
) -> None:
    names = [f"listed-{n}" for n in range(7)]
    for name in names:
        operator.submit(name, command=["echo", name])
    for name in names:
        archiver.archived(name, SECONDS)
    cluster.kubectl("delete", "-n", operator.namespace, "cij", *names[1::2])

    def there() -> list[str]:
        items = gateway.ask("GET", gateway.jobs("?match=listed-")).json["items"]
        return [job["metadata"]["name"] for job in items]

    cluster.until("the end of half of them", lambda: sorted(there()) == names[::2])
    listed: list[tuple[str, str]] = []
    token = ""
    while True:
        query = f"?all=true&match=listed-&limit=2&continue={token}"
        page = gateway.ask("GET", gateway.jobs(query)).json
        assert len(page["items"]) <= 2
        listed += [
            (job["metadata"]["creationTimestamp"], job["metadata"]["name"]) for job in page["items"]
        ]
        token = page["continue"]
        if not token:
            break
    assert sorted(name for _, name in listed) == names
    assert listed == sorted(listed, reverse=True)
    query = "?all=true&match=listed-&phase=Failed"
    assert gateway.ask("GET", gateway.jobs(query)).json["items"] == []


def test_a_reader_who_comes_in_the_middle_gets_archive_and_live_log_once(
    operator: Operator, archiver: Archiver, gateway: Gateway, cluster: Cluster
) -> None:
    spec, written = numbered(100_000, pause=0.01)
    operator.submit("middle", **spec)
    uid = cluster.get("cij", "-n", operator.namespace, "middle")["metadata"]["uid"]
    chunk = f"job/{uid}/log/1/"
    cluster.until(
        "the first of its log in the archive",
        lambda: any(chunk in name for name in gateway.minio.objects(operator.namespace)),
        60,
    )
    following = [started(gateway, "logs", "-f", "middle") for _ in range(3)]
    tail = started(gateway, "logs", "-f", "middle", "--tail", "10")
    since = started(gateway, "logs", "-f", "middle", "--since", "1s")
    for process in following:
        out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, b"missing" in err) == (0, False), err
        assert_same(out, written)
    for process in (tail, since):
        out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, b"missing" in err) == (0, False), err
        assert written.endswith(out)
        assert 10 <= out.count(b"\n") < 100_000
    archiver.archived("middle", SECONDS)
    assert_same(ci(gateway, "logs", "middle")[1], written)


def test_a_gateway_killed_every_3_seconds_costs_twenty_readers_no_line(
    operator: Operator, archiver: Archiver, gateway: Gateway, tmp_path: Path
) -> None:
    cluster = operator.cluster
    spec, written = numbered(40_000, pause=0.15)
    operator.submit("killed", **spec)
    cluster.until("the job to run", lambda: operator.status("killed").get("phase") == "Running", 60)
    screens = [tmp_path / str(number) for number in range(READERS)]
    readers = [started(gateway, "logs", "-f", "killed", screen=screen) for screen in screens]
    cluster.until(
        "the first line on each screen", lambda: all(s.stat().st_size for s in screens), 60
    )
    kills = 0
    while operator.status("killed")["phase"] == "Running":
        time.sleep(3)  # what is shown: a kill every 3 s
        assert gateway.process is not None
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
        kills += 1
    assert kills >= 5
    for process, screen in zip(readers, screens, strict=True):
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err.decode()
        assert_same(screen.read_bytes(), written)


def test_without_the_store_a_live_log_is_read_and_a_gone_one_is_said_to_come_back(
    operator: Operator, archiver: Archiver, gateway: Gateway, cluster: Cluster
) -> None:
    operator.submit("gone", command=["echo", "it was"])
    archiver.archived("gone", SECONDS)
    cluster.until("the end of its Pod", lambda: not operator.pods("gone"), 60)
    gateway.minio.kill()
    try:
        cluster.until("that this is noticed", lambda: not ready(gateway), 30)
        operator.submit("live", script="echo begun; sleep 3; echo ended")
        code, out, _ = ci(gateway, "logs", "-f", "live")
        assert (code, out) == (0, b"begun\nended\n")
        answer = gateway.ask("GET", gateway.jobs("/gone/logs"))
        assert (answer.status, answer.slug) == (503, "unavailable")
        assert gateway.ask("GET", gateway.jobs("/never-was")).status == 503
        waiting = started(gateway, "logs", "-f", "gone")
    finally:
        gateway.minio.start()
    out, err = waiting.communicate(timeout=SECONDS)
    assert (waiting.returncode, out) == (0, b"it was\n"), err
    cluster.until("readiness", lambda: ready(gateway), 30)


def ready(gateway: Gateway) -> bool:
    return gateway.ask("GET", "/readyz", internal=True).status == 200
