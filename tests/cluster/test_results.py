"""What a job leaves behind, on every way to end: the installed chart, real agents, the real `ci`.

The verdict is looked at in each: it never depends on what was collected.
"""

import contextlib
import hashlib
import io
import json
import os
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import gates
from kit.cluster import Cluster
from kit.installed import Installed
from kit.operator import Operator, job
from kit.stages import LONG

JUNIT = (
    '<testsuite name="s"><testcase classname="c" name="good"/>'
    '<testcase classname="c" name="bad"><failure message="1 != 2"/></testcase></testsuite>'
)
DIST = {"artifacts": [{"name": "dist", "path": "dist/"}]}
LEAVES = "mkdir dist; echo wheel > dist/a.whl; ln -s a.whl dist/latest; echo begun"
REPORTS = f"mkdir reports; printf '%s' '{JUNIT}' > reports/junit.xml"
STATUS = dict[str, Any]


def submit(installed: Installed, name: str, **spec: Any) -> str:
    """Create a CIJob by kubectl."""
    manifest = json.dumps(job(name, **spec))
    installed.cluster.kubectl("create", "-n", installed.namespace, "-f", "-", stdin=manifest)
    return name


def finished(installed: Installed, name: str, seconds: int = 90) -> STATUS:
    """The job's status at its end."""
    installed.cluster.wait(installed.namespace, f"cij/{name}", "condition=Finished", seconds)
    status: STATUS = installed.job(name)["status"]
    return status


def downloaded(installed: Installed, name: str, *names: str) -> dict[str, bytes]:
    """What `ci artifacts download` makes, by the file's name."""
    folder = installed.home / "downloads" / name
    ended = installed.ci("artifacts", "download", name, *names, "-o", str(folder))
    assert ended.returncode == 0, ended.stderr
    files = [Path(line) for line in ended.stdout.splitlines()]
    return {file.name: file.read_bytes() for file in files}


def unpacked(content: bytes) -> dict[str, str]:
    """The files of an archive, and where its links lead."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {
            one.name: one.linkname or (archive.extractfile(one) or io.BytesIO()).read().decode()
            for one in archive
            if not one.isdir()
        }


def test_a_job_that_succeeds_leaves_artifacts_and_tests(installed: Installed) -> None:
    script = f"{LEAVES}; {REPORTS}; echo hello > hello.txt"
    wanted = [*DIST["artifacts"], {"name": "hello", "path": "hello.txt", "when": "OnSuccess"}]
    wanted.append({"name": "core", "path": "core", "when": "OnFailure"})
    spec = {"artifacts": wanted, "reports": {"junit": ["**/junit*.xml"]}}
    name = submit(installed, "succeeds", script=script, **spec)
    status = finished(installed, name)
    assert (status["reason"], status["exitCode"]) == ("Completed", 0)
    results = status["results"]
    assert results["collection"] == {"attempt": 1, "state": "Complete"}
    assert results["tests"]["summary"] == "1/2 failed"
    assert results["tests"]["firstFailures"][0]["message"] == "1 != 2"
    files = downloaded(installed, name)
    assert files["hello.txt"] == b"hello\n"
    assert unpacked(files["dist.tar.gz"]) == {"dist/a.whl": "wheel\n", "dist/latest": "a.whl"}
    assert [(one["name"], one["sha256"]) for one in results["artifacts"]] == [
        ("dist", hashlib.sha256(files["dist.tar.gz"]).hexdigest()),
        ("hello", hashlib.sha256(b"hello\n").hexdigest()),
    ]
    listed = installed.ci("artifacts", "list", name)
    assert [line.split()[:2] for line in listed.stdout.splitlines()] == [
        ["NAME", "FILE"],
        ["dist", "dist.tar.gz"],
        ["hello", "hello.txt"],
    ]


def test_a_pod_with_results_has_two_containers(installed: Installed) -> None:
    name = submit(installed, "two-containers", script=gates.WAITS, **DIST)
    installed.until_phase(name, "Running")
    pod = installed.cluster.get("pod", "-n", installed.namespace, f"{name}-1")["spec"]
    assert [one["name"] for one in pod["containers"]] == ["agent", "job"]
    assert "initContainers" not in pod
    gates.send_on(installed.cluster, installed.namespace, name)


ENDS: dict[str, tuple[dict[str, Any], tuple[str, str, int]]] = {
    "fails": ({"script": f"{LEAVES}; exit 3"}, ("Failed", "CommandFailed", 3)),
    "times-out": (
        {"script": f"{LEAVES}; sleep 300 & wait", "timeoutSeconds": 20},
        ("Failed", "TimedOut", 143),
    ),
    "ignores-term": (
        {
            "script": f"{LEAVES}; trap '' TERM; while :; do sleep 1; done",
            "timeoutSeconds": 20,
            "terminationGracePeriodSeconds": 2,
        },
        ("Failed", "TimedOut", 137),
    ),
    "out-of-memory": (
        {"script": f"{LEAVES}; exec python3 -c 'x = bytearray(1 << 30)'"},
        ("Failed", "OOMKilled", 137),
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_was_there_at_a_bad_end_is_kept(installed: Installed, name: str) -> None:
    spec, end = ENDS[name]
    submit(installed, name, **spec, **DIST)
    status = finished(installed, name)
    assert (status["phase"], status["reason"], status["exitCode"]) == end
    assert status["results"]["collection"] == {"attempt": 1, "state": "Complete"}
    archive = downloaded(installed, name)["dist.tar.gz"]
    assert unpacked(archive)["dist/a.whl"] == "wheel\n"


def test_what_a_cancelled_job_leaves_on_its_way_out_is_kept(installed: Installed) -> None:
    script = f"{LEAVES}; trap 'echo late > dist/late; exit 9' TERM; sleep 300 & wait"
    name = submit(installed, "cancelled", script=script, **DIST)
    installed.until_phase(name, "Running")
    installed.cluster.until("its start", lambda: "begun" in installed.ci("logs", name).stdout)
    assert installed.ci("cancel", name).returncode == 0
    status = finished(installed, name)
    assert (status["reason"], status["exitCode"]) == ("Cancelled", 9)
    assert unpacked(downloaded(installed, name)["dist.tar.gz"])["dist/late"] == "late\n"


def test_what_is_missing_is_said_and_changes_nothing(installed: Installed) -> None:
    spec = {"artifacts": [{"name": "docs", "path": "docs"}], "reports": {"junit": ["*.xml"]}}
    status = finished(installed, submit(installed, "leaves-nothing", script="true", **spec))
    assert status["reason"] == "Completed"
    collection = status["results"]["collection"]
    assert collection["state"] == "Failed"
    assert collection["message"] == (
        "reports *.xml: there is no such file; artifact docs: there is no 'docs'"
    )
    assert "artifacts" not in status["results"]
    listed = installed.ci("artifacts", "list", "leaves-nothing")
    assert "there is no 'docs'" in listed.stderr


def test_each_attempt_has_its_own_and_the_last_ones_count(installed: Installed) -> None:
    script = "date +%N > dist; exit 1"
    spec = {"artifacts": [{"name": "dist", "path": "dist"}]}
    again = {"limit": 1, "backoffSeconds": 0}
    name = submit(installed, "again", script=script, retry=again, **spec)
    status = finished(installed, name)
    assert [attempt["number"] for attempt in status["attempts"]] == [1, 2]
    assert status["results"]["collection"] == {"attempt": 2, "state": "Complete"}
    first = json.loads(
        installed.ci("artifacts", "list", name, "--attempt", "1", "-o", "json").stdout
    )
    last = json.loads(installed.ci("artifacts", "list", name, "-o", "json").stdout)
    assert (first["attempt"], last["attempt"]) == (1, 2)
    assert first["artifacts"][0]["sha256"] != last["artifacts"][0]["sha256"]


# A million files take a disk minutes.
FOLDERS, SECONDS = (1000, 900) if LONG else (120, 150)
HOSTILE = """
import os, socket, sys
os.chdir("/workspace")
os.mkdir("out"); os.chdir("out")
os.symlink("/var/run/cijob/token", "token")
os.symlink("/proc/self", "proc")
os.symlink("/", "root")
os.mkfifo("fifo")
socket.socket(socket.AF_UNIX).bind("socket")
os.symlink("/dev/zero", "device")
with open("../huge", "wb") as file:
    file.truncate(1 << 42)
os.mkdir("../many")
for folder in range(int(sys.argv[1])):
    os.mkdir(f"../many/{folder}")
    here = os.open(f"../many/{folder}", os.O_RDONLY)
    for number in range(1000):
        os.mknod(f"{number}", dir_fd=here)
    os.close(here)
here = os.open(".", os.O_RDONLY)
for _ in range(500):
    os.mkdir("deep", dir_fd=here)
    inner = os.open("deep", os.O_RDONLY, dir_fd=here)
    os.close(here)
    here = inner
os.chdir("..")
open(b"out/two\\nlines", "w").write("x")
open(b"out/\\xff\\xfe", "w").write("x")
open("out/..dots", "w").write("x")
os.unlink("/cijob/exit-code") if os.path.exists("/cijob/exit-code") else None
print("laid")
"""


def test_a_hostile_workspace_gives_nothing_away_and_is_done_in_time(installed: Installed) -> None:
    artifacts = [
        {"name": "out", "path": "out"},
        {"name": "token", "path": "out/token"},
        {"name": "environ", "path": "out/proc/environ"},
        {"name": "shadow", "path": "out/root/etc/*"},
        {"name": "fifo", "path": "out/fifo"},
        {"name": "device", "path": "out/device"},
        {"name": "huge", "path": "huge"},
        {"name": "many", "path": "many"},
        {"name": "last", "path": "out/..dots"},
    ]
    command = ["python3", "-c", HOSTILE, str(FOLDERS)]
    name = submit(installed, "hostile", command=command, artifacts=artifacts)
    status = finished(installed, name, SECONDS)
    print(f"shown: {FOLDERS},000 files and worse: {status['attempts'][-1]['spent']}", end=" ")
    print(f"{status['attempts'][-1]['completionTime']} to {status['completionTime']}")
    assert (status["reason"], status["exitCode"]) == ("Completed", 0)
    collection = status["results"]["collection"]
    assert collection["state"] == "Partial"
    assert [one["name"] for one in status["results"]["artifacts"]] == ["out", "last"]
    everything = json.loads(installed.ci("artifacts", "list", name, "-o", "json").stdout)
    for word in ("token: 'out/token' is a link", "huge: 4096.0 GiB", "more than 100000 files"):
        assert word in everything["message"]
    files = downloaded(installed, name)
    found = unpacked(files["out.tar.gz"])
    assert sorted(found) == ["out/..dots", "out/two\nlines", "out/\udcff\udcfe"]
    assert files["dots"] == b"x"


def test_a_large_artifact_passes_through_a_gateway_that_stays_small(
    cluster: Cluster, installed: Installed
) -> None:
    mebibytes = int(os.environ.get("CIJOB_LARGE_MIB") or 192)
    write = f"dd if=/dev/urandom of=big bs=1M count={mebibytes} 2>/dev/null; sha256sum big"
    before = peak_of_gateway(cluster, installed)
    name = submit(installed, "large", script=write, artifacts=[{"name": "big", "path": "big"}])
    status = finished(installed, name, 300)
    (one,) = status["results"]["artifacts"]
    assert one["sizeBytes"] == mebibytes << 20
    assert installed.ci("logs", name).stdout.split()[0] == one["sha256"]
    folder = installed.home / "large"
    ended = installed.ci("artifacts", "download", name, "-o", str(folder), timeout=600)
    assert ended.returncode == 0, ended.stderr
    with (folder / "big").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == one["sha256"]
    (folder / "big").unlink()
    assert peak_of_gateway(cluster, installed) - before < 60 << 20


def peak_of_gateway(cluster: Cluster, installed: Installed) -> int:
    """The most memory that the gateway's process ever had, in bytes."""
    words = ("exec", "-n", installed.system, "deploy/cijob-gateway", "--", "cat", "/proc/1/status")
    text = cluster.kubectl(*words).stdout
    line = next(line for line in text.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_artifacts_are_there_when_pod_and_cijob_are_gone(installed: Installed) -> None:
    name = submit(installed, "goes", script=f"{LEAVES}; {REPORTS}", **DIST)
    finished(installed, name)
    gone = ("wait", "-n", installed.namespace, f"pod/{name}-1", "--for=delete", "--timeout=90s")
    installed.cluster.kubectl(*gone)
    there = downloaded(installed, name)
    installed.cluster.kubectl("delete", "cij", "-n", installed.namespace, name)
    folder = installed.home / "gone"
    ended = installed.ci("artifacts", "download", name, "dist", "-o", str(folder))
    assert ended.returncode == 0, ended.stderr
    assert (folder / "dist.tar.gz").read_bytes() == there["dist.tar.gz"]
    record = json.loads(installed.ci("get", name, "-o", "json").stdout)
    assert record["status"]["results"]["artifacts"][0]["name"] == "dist"
    assert record["status"]["results"]["collection"]["state"] == "Complete"


def test_another_teams_artifacts_are_not_there(installed: Installed) -> None:
    name = submit(installed, "private", script=LEAVES, **DIST)
    finished(installed, name)
    words = ("artifacts", "list", name, "-n", installed.other)
    assert installed.ci(*words).returncode == 5


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.fixture
def alone(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator whose agents find no gateway."""
    settings = {"CIJOB_GATEWAY": "http://127.0.0.1:1"}
    operator = Operator(cluster, namespace, tmp_path, settings).start()
    yield operator
    assert operator.stop() == 0


def test_without_a_gateway_a_job_ends_in_time_and_says_what_is_missing(alone: Operator) -> None:
    names = {"well": "true", "badly": "exit 4"}
    for name, script in names.items():
        alone.submit(name, script=f"{LEAVES}; {script}", **DIST)
    ends = {name: alone.finished(name, 100) for name in names}
    assert [status["reason"] for status in ends.values()] == ["Completed", "CommandFailed"]
    for status in ends.values():
        assert (
            "its results were not collected: the agent ended at stage collect"
            in (status["message"])
        )
        assert "artifact dist" in status["message"]
        assert "127.0.0.1:1 does not answer" in status["message"]
        assert "results" not in status
    assert 'cijob_collection_seconds_count{result="missing"} 2.0' in alone.ask("/metrics")


def agents_of(name: str) -> list[int]:
    """The processes of a job's agent, as this machine sees them."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and b"cijob_agent" in (folder / "cmdline").read_bytes():
                told = (folder / "environ").read_bytes().split(b"\0")
                if f"CIJOB_JOB={name}".encode() in told:
                    found.append(int(folder.name))
    return found


def until_begun(operator: Operator, name: str) -> None:
    """Wait until a job's command runs: its agent is ready then, and there."""
    operator.until_reason(name, "Running")
    words = ("logs", "-n", operator.namespace, f"{name}-1", "-c", "job")
    begun = lambda: "begun" in operator.cluster.kubectl(*words, check=False).stdout  # noqa: E731
    operator.cluster.until(f"the begin of {name}", begun)
    assert agents_of(name)


@pytest.mark.seam
@pytest.mark.parametrize("when", ["while it runs", "while it is collected"])
def test_a_killed_agent_is_said_and_the_verdict_stands(alone: Operator, when: str) -> None:
    script = f"echo begun; {gates.WAITS}; exit 5"
    name = alone.submit(f"killed-{int(time.time())}", script=script, **DIST)
    until_begun(alone, name)
    if when == "while it is collected":
        for process in agents_of(name):
            os.kill(process, signal.SIGSTOP)
        alone.send_on(name)

        def container_ended() -> bool:
            states = alone.pods(name)[0]["status"]["containerStatuses"]
            return any(one["name"] == "job" and "terminated" in one["state"] for one in states)

        alone.cluster.until("the end of its container", container_ended)
        assert alone.status(name)["phase"] == "Running"
    for process in agents_of(name):
        os.kill(process, signal.SIGKILL)
    if when == "while it runs":
        alone.send_on(name)
    status = alone.finished(name)
    assert (status["reason"], status["exitCode"]) == ("CommandFailed", 5)
    assert "its results were not collected: the agent ended at stage ready" in status["message"]


@pytest.mark.seam
def test_an_agent_that_hangs_is_given_up_after_a_minute_and_stopped(alone: Operator) -> None:
    name = alone.submit(f"hangs-{int(time.time())}", script=f"echo begun; {gates.WAITS}", **DIST)
    until_begun(alone, name)
    for process in agents_of(name):
        os.kill(process, signal.SIGSTOP)
    alone.send_on(name)
    status = alone.finished(name, 100)
    assert status["reason"] == "Completed"
    assert status["message"].endswith("its results were not collected: not done after 60 s")
    pod = alone.pods(name)[0]
    assert pod["spec"]["activeDeadlineSeconds"] == 1
    alone.cluster.until("the end of its agent", lambda: not agents_of(name), 120)
