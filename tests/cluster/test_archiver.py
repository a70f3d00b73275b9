"""The archiver as a real process: what a job wrote is in the bucket, each line once, in order.

Whatever is killed meanwhile: the archiver, the object store, the Pod itself.
"""

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cijob_gateway.logs.archive import final_name, index_prefix, tail_name
from kit.archiver import Archiver, Bucket, running
from kit.cluster import Cluster, fresh_namespace
from kit.gateway import Minio
from kit.operator import Operator

pytestmark = pytest.mark.seam
Job = dict[str, Any]
GRACE = {"CIJOB_ARCHIVE_GRACE_SECONDS": "600"}


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """An operator that waits for the archive before it lets a Pod go."""
    with fresh_namespace(cluster) as namespace:
        folder = tmp_path_factory.mktemp("operator")
        operator = Operator(cluster, namespace, folder, GRACE).start()
        yield operator
        assert operator.stop() == 0, operator.log.read_text()[-3000:]


@pytest.fixture
def archiver(operator: Operator, minio: Minio, tmp_path: Path) -> Iterator[Archiver]:
    made = Archiver(operator.cluster, operator.namespace, tmp_path, minio)
    with running(made):
        yield made


@pytest.fixture
def bucket(operator: Operator, minio: Minio) -> Bucket:
    return Bucket(minio, operator.namespace)


def python(program: str) -> Job:
    """A job that is a Python program."""
    return {"command": ["python3", "-u", "-c", program]}


def numbered(count: int, *, words: str = " and more", pause: float = 0) -> tuple[Job, bytes]:
    """A job that prints numbered lines, 1000 at a time, and what it writes."""
    program = (
        "import sys, time\n"
        f"for start in range(0, {count}, 1000):\n"
        f" sys.stdout.write(''.join(f'{{n:06d}}{words}\\n' for n in range(start, start + 1000)))\n"
        f" time.sleep({pause})\n"
    )
    return python(program), b"".join(b"%06d%b\n" % (n, words.encode()) for n in range(count))


def uid_of(operator: Operator, name: str) -> str:
    job = operator.cluster.get("cij", "-n", operator.namespace, name)
    uid: str = job["metadata"]["uid"]
    return uid


def assert_whole(bucket: Bucket, uid: str, logs: dict[str, Any], written: bytes) -> None:
    """The bucket has what was written, once and in order, and the status says so."""
    lines = bucket.lines(uid)
    got = b"".join(lines.texts)
    assert (len(got), got.count(b"\n")) == (len(written), written.count(b"\n"))
    digest = hashlib.sha256(written).hexdigest()
    assert hashlib.sha256(got).hexdigest() == digest
    assert len(set(lines.ids(1))) == len(lines)
    assert logs == {
        "lines": len(lines),
        "bytes": len(written),
        "sha256": digest,
        "complete": True,
    }
    assert bucket.end(uid).model_dump(exclude_none=True) == logs


def until_no_pods(operator: Operator, name: str) -> None:
    operator.cluster.until(f"the end of {name}'s Pods", lambda: not operator.pods(name))


def test_what_a_job_wrote_is_in_the_bucket_and_its_pod_goes(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    # Less than 10 MiB with the node's own marks, here and below: of a log that is rotated before
    # it can be opened nobody could read the beginning.
    spec, written = numbered(100_000, words=" and more" + "x" * 16)
    operator.submit("burst", **spec)
    logs = archiver.archived("burst")["logs"]
    assert_whole(bucket, uid_of(operator, "burst"), logs, written)
    assert len(bucket.chunks(uid_of(operator, "burst"))) > 1
    until_no_pods(operator, "burst")


def test_a_job_that_fails_says_in_its_status_what_it_said_last(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    script = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; done; exit 3"
    operator.submit("fails", script=script)
    results = archiver.archived("fails")
    tail = b"".join(b"line %d\n" % n for n in range(201, 301))
    uid = uid_of(operator, "fails")
    assert bucket.read(tail_name(operator.namespace, uid, 1)) == tail
    said = results["failure"]["logTail"]
    assert said.endswith("line 299\nline 300")
    assert len(json.dumps(results)) <= 1536


def test_the_final_job_is_stored_and_found_by_its_name(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    operator.submit("first", script="echo one")
    operator.finished("first")
    archiver.archived("first")
    time.sleep(1.1)  # creationTimestamp has whole seconds
    operator.submit("second", script="echo two")
    archiver.archived("second")
    stored = json.loads(bucket.read(final_name(operator.namespace, uid_of(operator, "second"))))
    now = operator.cluster.get("cij", "-n", operator.namespace, "second")
    assert (stored["spec"], stored["status"]) == (now["spec"], now["status"])
    assert "managedFields" not in stored["metadata"]
    index = bucket.names(index_prefix(operator.namespace))
    newest = [name for name in index if "-first-" in name or "-second-" in name]
    assert ["-second-" in name for name in newest] == [True, False]


def test_a_job_that_never_ran_has_an_empty_whole_log(
    operator: Operator, archiver: Archiver
) -> None:
    operator.submit("never", script="echo no", suspend=True)
    operator.until_reason("never", "Suspended")
    operator.patch("never", desiredState="Cancelled")
    logs = archiver.archived("never")["logs"]
    assert (logs["lines"], logs["bytes"], logs["complete"]) == (0, 0, True)


def test_every_attempt_counts(operator: Operator, archiver: Archiver, bucket: Bucket) -> None:
    script = "echo $(hostname); exit 1"
    operator.submit("again", script=script, retry={"limit": 1, "backoffSeconds": 1})
    logs = archiver.archived("again")["logs"]
    uid = uid_of(operator, "again")
    texts = [text for n in (1, 2) for text in bucket.lines(uid, n).texts]
    assert texts == [b"again-1\n", b"again-2\n"]
    digest = hashlib.sha256(b"".join(texts)).hexdigest()
    assert (logs["lines"], logs["sha256"], logs["complete"]) == (2, digest, True)
    until_no_pods(operator, "again")


def test_an_archiver_that_is_killed_every_2_seconds_loses_and_repeats_nothing(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    # Less than 10 MiB with the node's own marks: of a rotated log nobody could read the old part.
    spec, written = numbered(200_000, words="", pause=0.1)
    operator.submit("killed", **spec)
    uid = uid_of(operator, "killed")
    archiver.cluster.until("a first chunk", lambda: bucket.chunks(uid))
    for _ in range(8):
        time.sleep(2)
        archiver.stop(signal.SIGKILL)
        archiver.start(wait=False)
    logs = archiver.archived("killed", 120)["logs"]
    assert_whole(bucket, uid, logs, written)


def test_an_object_store_that_is_away_for_a_while_costs_nothing(
    operator: Operator, archiver: Archiver, bucket: Bucket, minio: Minio
) -> None:
    spec, written = numbered(130_000, pause=0.08)
    operator.submit("s3-away", **spec)
    uid = uid_of(operator, "s3-away")
    archiver.cluster.until("a first chunk", lambda: bucket.chunks(uid))
    minio.kill()
    time.sleep(6)  # what is shown: so long away
    minio.start()
    logs = archiver.archived("s3-away", 120)["logs"]
    assert_whole(bucket, uid, logs, written)


def test_a_spool_that_is_full_waits_for_the_object_store(
    operator: Operator, archiver: Archiver, bucket: Bucket, minio: Minio
) -> None:
    archiver.stop(signal.SIGKILL)
    archiver.settings["CIJOB_SPOOL_BYTES"] = str(2 << 20)
    archiver.start()
    spec, written = numbered(70_000, words="x" * 60, pause=0.02)
    minio.kill()
    operator.submit("spool-full", **spec)
    operator.finished("spool-full")
    assert archiver.metric("cijob_archiver_spool_bytes") <= 3 << 20
    minio.start()
    logs = archiver.archived("spool-full", 120)["logs"]
    assert_whole(bucket, uid_of(operator, "spool-full"), logs, written)


def test_a_pod_forced_away_in_the_middle_leaves_what_it_wrote_until_then(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    program = (
        "import sys, time\n"
        "for n in range(100000):\n"
        " sys.stdout.write(f'{n:08d}\\n')\n"
        " if n == 1999: sys.stdout.flush(); time.sleep(600)\n"
    )
    operator.submit("forced", retry={"infrastructureLimit": 0}, **python(program))
    uid = uid_of(operator, "forced")
    archiver.cluster.until("2000 lines", lambda: len(bucket.lines(uid)) == 2000)
    operator.delete_pod("forced-1")
    logs = archiver.archived("forced")["logs"]
    assert bucket.lines(uid).texts == tuple(b"%08d\n" % n for n in range(2000))
    assert (logs["lines"], logs["complete"]) == (2000, False)
    assert "forced-1 is gone" in logs["message"]


def test_a_job_that_ended_while_the_archiver_was_down_is_archived_when_it_is_back(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    archiver.stop(signal.SIGKILL)
    spec, written = numbered(20_000)
    operator.submit("meanwhile", **spec)
    operator.finished("meanwhile")
    assert [pod["metadata"]["name"] for pod in operator.pods("meanwhile")] == ["meanwhile-1"]
    archiver.start()
    logs = archiver.archived("meanwhile")["logs"]
    assert_whole(bucket, uid_of(operator, "meanwhile"), logs, written)
    until_no_pods(operator, "meanwhile")


def test_a_job_that_is_deleted_while_it_runs_leaves_its_log_and_a_record(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    operator.submit("deleted", script="echo begun; trap 'exit 3' TERM; sleep 300 & wait")
    uid = uid_of(operator, "deleted")
    archiver.cluster.until("a first line", lambda: len(bucket.lines(uid)))
    operator.cluster.kubectl("delete", "cij", "-n", operator.namespace, "deleted")
    record = final_name(operator.namespace, uid)
    archiver.cluster.until("its record", lambda: bucket.names(record))
    assert bucket.lines(uid).texts == (b"begun\n",)


def until_leading(archiver: Archiver, value: float) -> None:
    """Wait until it says whether it leads."""
    line = f"cijob_archiver_leading {value}\n"
    what = f"{line} of {archiver.identity}"
    archiver.cluster.until(what, lambda: line in archiver.ask("/metrics"))


def test_two_archivers_and_one_of_them_writes(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    second = replace(archiver, identity="second", process=None, port=0)
    with running(second):
        until_leading(archiver, 1.0)
        until_leading(second, 0.0)
        spec, written = numbered(20_000, pause=0.2)
        operator.submit("handed-over", **spec)
        uid = uid_of(operator, "handed-over")
        archiver.cluster.until("a first chunk", lambda: bucket.chunks(uid))
        archiver.stop()  # it gives the lease back
        logs = second.archived("handed-over")["logs"]
        assert_whole(bucket, uid, logs, written)


def test_what_is_old_is_removed_unless_its_job_is_there(
    operator: Operator, archiver: Archiver, bucket: Bucket
) -> None:
    for name in ("kept", "old"):
        operator.submit(name, script="echo x")
        archiver.archived(name)
    uid = uid_of(operator, "old")
    operator.cluster.kubectl("delete", "cij", "-n", operator.namespace, "old")
    archiver.stop()
    archiver.settings["CIJOB_RETENTION_SECONDS"] = "1"
    archiver.start()
    everything = f"{operator.namespace}/"
    archiver.cluster.until(
        "the sweep", lambda: not [name for name in bucket.names(everything) if uid in name], 30
    )
    assert [name for name in bucket.names(everything) if uid_of(operator, "kept") in name]
