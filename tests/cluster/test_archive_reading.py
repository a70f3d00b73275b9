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

from kit.archiver import Archiver, Bucket, running
from kit.cluster import Cluster, fresh_namespace
from kit.gates import GO, send_on
from kit.gateway import Gateway, Minio, service_account
from kit.installed import CI
from kit.operator import Operator

pytestmark = pytest.mark.seam
READERS, KILLS = 20, 6
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


def numbered(
    count: int, *, pause: float = 0, code: int = 0, gate: int = -1
) -> tuple[dict[str, Any], bytes]:
    """A job that prints numbered lines, 100 at a time, and what it writes.

    Before the line `gate` it waits until it is sent on. It waits before its end, too: some runtimes
    lose the last bytes of one that ends behind a burst.
    """
    program = (
        "import os, sys, time\n"
        f"for start in range(0, {count}, 100):\n"
        f" while start == {gate} and not os.path.exists('{GO}'): time.sleep(0.05)\n"
        f" sys.stdout.write(''.join(f'{{n:08d}} and more\\n' for n in range(start, start + 100)))\n"
        f" sys.stdout.flush(); time.sleep({pause})\n"
        f"time.sleep(0.5); sys.exit({code})\n"
    )
    spec = {"command": ["python3", "-c", program]}
    return spec, b"".join(b"%08d and more\n" % n for n in range(count))


# Until it is sent on; its last line says how many there were before it.
COUNTS = f"""
import itertools, os, time
for start in itertools.count(0, 100):
    print("".join(f"{{n:08d}} and more\\n" for n in range(start, start + 100)), end="", flush=True)
    time.sleep(0.15)
    if os.path.exists("{GO}"):
        break
time.sleep(0.5)
print(start + 100, flush=True)
time.sleep(0.5)
"""


def counted(screen: Path) -> bytes:
    """What COUNTS wrote, by the last line that was shown of it."""
    count = int(screen.read_bytes().splitlines()[-1])
    return b"".join(b"%08d and more\n" % n for n in range(count)) + b"%d\n" % count


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
    # Less than 10 MiB with the node's own marks: of a log that is rotated before it can be opened
    # nobody could read the beginning.
    spec, written = numbered(120_000, code=4)
    operator.submit("goes", **spec)
    results = archiver.archived("goes", SECONDS)
    assert results["logs"]["complete"]
    cluster.until("the end of its Pod", lambda: not operator.pods("goes"))
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
    operator: Operator, archiver: Archiver, gateway: Gateway, tmp_path: Path
) -> None:
    cluster = operator.cluster
    spec, written = numbered(100_000, pause=0.01, gate=20_000)
    operator.submit("middle", **spec)
    uid = cluster.get("cij", "-n", operator.namespace, "middle")["metadata"]["uid"]
    chunk = f"job/{uid}/log/1/"
    cluster.until(
        "the first of its log in the archive",
        lambda: any(chunk in name for name in gateway.minio.objects(operator.namespace)),
    )
    wishes = {"since": ("--since", "1s"), "tail": ("--tail", "10"), "1": (), "2": (), "3": ()}
    screens = {name: tmp_path / name for name in wishes}
    readers = {
        name: started(gateway, "logs", "-f", "middle", *words, screen=screens[name])
        for name, words in wishes.items()
    }
    # All but `since`, which may have nothing to show before more is printed.
    shown = [screen for name, screen in screens.items() if name != "since"]
    cluster.until("the others' first lines", lambda: all(one.stat().st_size for one in shown))
    operator.send_on("middle")
    for name, reader in readers.items():
        _, err = reader.communicate(timeout=SECONDS)
        assert (reader.returncode, b"missing" in err) == (0, False), err
        out = screens[name].read_bytes()
        if wishes[name]:
            assert written.endswith(out)
            assert 10 <= out.count(b"\n") < 100_000
        else:
            assert_same(out, written)
    archiver.archived("middle", SECONDS)
    assert_same(ci(gateway, "logs", "middle")[1], written)


def test_a_gateway_killed_every_3_seconds_costs_twenty_readers_no_line(
    operator: Operator, archiver: Archiver, gateway: Gateway, tmp_path: Path
) -> None:
    cluster = operator.cluster
    operator.submit("killed", command=["python3", "-c", COUNTS])
    screens = [tmp_path / str(number) for number in range(READERS)]
    readers = [started(gateway, "logs", "-f", "killed", screen=screen) for screen in screens]
    cluster.until(
        "the first line on each screen", lambda: all(s.stat().st_size for s in screens), 60
    )
    for _ in range(KILLS):
        time.sleep(3)  # what is shown: a kill every 3 s
        assert operator.status("killed")["phase"] == "Running"
        assert gateway.process is not None
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
    operator.send_on("killed")
    for process, screen in zip(readers, screens, strict=True):
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err.decode()
        assert_same(screen.read_bytes(), counted(screen))


def test_without_the_store_a_live_log_is_read_and_a_gone_one_is_said_to_come_back(
    operator: Operator, archiver: Archiver, gateway: Gateway, cluster: Cluster
) -> None:
    operator.submit("gone", command=["echo", "it was"])
    archiver.archived("gone", SECONDS)
    cluster.until("the end of its Pod", lambda: not operator.pods("gone"))
    gateway.minio.kill()
    try:
        cluster.until("that this is noticed", lambda: not ready(gateway))
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
    cluster.until("readiness", lambda: ready(gateway))


def ready(gateway: Gateway) -> bool:
    return gateway.ask("GET", "/readyz", internal=True).status == 200


def test_a_log_has_also_the_attempts_that_the_status_names_no_more(
    operator: Operator, archiver: Archiver, gateway: Gateway, cluster: Cluster
) -> None:
    name, tries = "a-job-of-a-name-as-long-as-it-may-be-and-many-attempts", 12
    name = name[:52].rstrip("-")
    spec = {"script": "hostname; sleep 0.5; exit 3"}
    operator.submit(name, **spec, retry={"limit": tries - 1, "backoffSeconds": 0})
    cluster.until("the first attempt", lambda: operator.status(name).get("attempts"), 60)
    follower = started(gateway, "logs", "-f", name)
    logs = archiver.archived(name, SECONDS)["logs"]
    written = b"".join(b"%s-%d\n" % (name.encode(), n) for n in range(1, tries + 1))
    assert operator.status(name)["attempts"][0]["number"] > 2
    assert (logs["lines"], logs["bytes"], logs["complete"]) == (tries, len(written), True)
    out, err = follower.communicate(timeout=SECONDS)
    assert (follower.returncode, out) == (0, written), err
    assert ci(gateway, "logs", name) == ci(gateway, "logs", "-f", name) == (0, written, "")
    assert ci(gateway, "logs", name, "--attempt", "2")[:2] == (0, f"{name}-2\n".encode())
    code, out, words = ci(gateway, "logs", name, "--attempt", "99")
    assert (code, out) == (5, b"")
    assert f"no attempt 99: it has had {tries}" in words


def test_a_log_that_is_rotated_while_its_job_is_silent_lacks_nothing(
    operator: Operator, archiver: Archiver, gateway: Gateway, cluster: Cluster
) -> None:
    count = 1060  # a little more than a file of 10 MiB: it is written whole before it is rotated
    written = b"".join(b"%08d %s\n" % (n, b"x" * 9990) for n in range(count))
    program = (
        "import os, sys, time\n"
        f"for n in range({count}): print(f'{{n:08d}}', 'x' * 9990, flush=True)\n"
        f"while not os.path.exists({GO!r}): time.sleep(0.1)\n"
        "print('the last', flush=True); time.sleep(0.5)\n"
    )
    operator.submit("silent", command=["python3", "-c", program])
    uid = cluster.get("cij", "-n", operator.namespace, "silent")["metadata"]["uid"]
    bucket = Bucket(gateway.minio, operator.namespace)
    size = f"cat /var/log/pods/{operator.namespace}_silent-1_*/job/0.log | wc -c"

    def rotated() -> bool:
        return len(bucket.lines(uid)) == count and cluster.in_node("sh", "-c", size).strip() == "0"

    cluster.until("the rotation of its log, all of which is archived", rotated, 60)
    assert ci(gateway, "logs", "silent") == (0, written, "")
    follower = started(gateway, "logs", "-f", "silent")
    assert follower.stdout
    assert follower.stdout.read(len(written)) == written
    send_on(cluster, operator.namespace, "silent")
    out, err = follower.communicate(timeout=SECONDS)
    assert (follower.returncode, out, b"missing" in err) == (0, b"the last\n", False), err
    logs = archiver.archived("silent", SECONDS)["logs"]
    assert (logs["lines"], logs["complete"]) == (count + 1, True)
