"""What the operator writes for a job, counted where it cannot be argued with: the audit log.

A write is a create, update, patch or delete of a stored object, without Events, Leases and
reviews. In a test's namespace only the operator speaks through aiohttp.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import audit
from kit.cluster import Cluster
from kit.githost import named
from kit.gitproject import hosted_project
from kit.installed import Installed
from kit.operator import Operator
from kit.operator import job as job_manifest
from kit.sources import archive, serve

# On a busy node a Pod takes over five seconds to start, and that is worth a write.
pytestmark = pytest.mark.alone
Json = dict[str, Any]
# kopf's requests and the operator's own have it both.
OPERATORS_AGENT = ("aiohttp", "kopf")
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
UNCOUNTED = {"events", "leases", "selfsubjectaccessreviews", "subjectaccessreviews", "tokenreviews"}
CREATE, STATUS, STOP = "create pods", "patch cijobs/status", "patch pods"
# Long enough that the operator sees it run; a shell ends at once by TERM if it traps it.
RUNS = {"script": "sleep 2"}
LASTS = {"script": "trap 'exit 3' TERM; sleep 300 & wait"}
SETTLES_SECONDS = 1.5


def writes(operator: Operator, job: str = "") -> list[str]:
    """What the operator wrote in its namespace, in order; for one job, or for all.

    Without what is written because a busy node is slow to start a Pod.
    """
    found = [said(event) for event in audited(operator.cluster, operator.namespace, job)]
    for attempt in operator.late_starts(job):
        creations = [place for place, write in enumerate(found) if write == CREATE]
        assert found.pop(creations[attempt - 1] + 1) == STATUS
    return found


def audited(cluster: Cluster, namespace: str, job: str = "") -> list[Json]:
    """The writes of our servers in a namespace, in order; for one job, or for all."""
    time.sleep(SETTLES_SECONDS)  # what comes late, and is too much, must be counted too
    found = []
    for event in audit.events(cluster, namespace):
        name = event["objectRef"].get("name", "")
        mine = not job or name == job or name.rpartition("-")[0] == job
        if mine and is_write(event):
            found.append(event)
    return sorted(found, key=lambda event: str(event["requestReceivedTimestamp"]))


def is_write(event: Json) -> bool:
    """Whether one of our servers stored something by this request."""
    return (
        any(agent in event.get("userAgent", "") for agent in OPERATORS_AGENT)
        and event["verb"] in WRITES
        and event["stage"] == "ResponseComplete"
        and event["objectRef"]["resource"] not in UNCOUNTED
        and int(event["responseStatus"]["code"]) < 400
    )


def said(event: Json) -> str:
    """A request in two words: `patch cijobs/status`."""
    target = event["objectRef"]
    subresource = f"/{target['subresource']}" if "subresource" in target else ""
    return f"{event['verb']} {target['resource']}{subresource}"


@pytest.fixture
def one_place(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator that runs one job at a time."""
    settings = {"CIJOB_MAX_CONCURRENT": "1"}
    operator = Operator(cluster, namespace, tmp_path, settings).start()
    yield operator
    assert operator.stop() == 0


@pytest.mark.seam
def test_a_job_that_runs_costs_three_writes(operator: Operator) -> None:
    job = operator.submit("runs", **RUNS)
    assert operator.finished(job)["reason"] == "Completed"
    assert writes(operator, job) == [CREATE, STATUS, STATUS]


@pytest.mark.seam
def test_a_job_with_a_source_costs_three_writes_as_well(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    tree = archive({"hello.txt": "hello"})
    settings = {"CIJOB_GATEWAY": serve(cluster, namespace, tree)}
    operator = Operator(cluster, namespace, tmp_path, settings).start()
    job = operator.submit("sourced", source=tree.source, script="cat hello.txt; sleep 2")
    status = operator.finished(job)
    assert status["reason"] == "Completed"
    assert status["results"] == {"source": {"sha256": tree.source["archive"]["sha256"]}}
    assert writes(operator, job) == [CREATE, STATUS, STATUS]
    assert operator.stop() == 0


@pytest.mark.seam
def test_a_job_from_git_costs_three_writes_as_well(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    # As the chart's caBundle does it; the server's authority is added to the empty bundle.
    variables = {"GIT_SSL_CAINFO": "/etc/cijob-ca/ca.crt"}
    cluster.apply(
        namespace,
        named("ConfigMap", "cijob-ca", data={"ca.crt": ""}),
        named("ConfigMap", "cijob-ca-env", data=variables),
    )
    operator = Operator(cluster, namespace, tmp_path, {"CIJOB_CA_BUNDLE": "true"}).start()
    with hosted_project(cluster, namespace, tmp_path) as hosted:
        source = {"git": {"url": hosted.url, "secretName": "git-token"}}
        job = operator.submit("cloned", source=source, script="cat number; sleep 2")
        status = operator.finished(job)
        assert status["reason"] == "Completed", status
        assert status["results"] == {"source": {"commit": hosted.tip}}
        assert writes(operator, job) == [CREATE, STATUS, STATUS]
    assert operator.stop() == 0


@pytest.mark.seam
def test_results_cost_one_write_more_and_it_is_the_gateways(installed: Installed) -> None:
    reports = {"reports": {"junit": ["*.xml"]}, "artifacts": [{"name": "all", "path": "."}]}
    by: dict[str, dict[str, list[str]]] = {}
    for name, spec in (("with-none", {}), ("with-results", reports)):
        manifest = job_manifest(name, script="echo '<testsuite/>' > /tmp/a.xml; sleep 2", **spec)
        words = ("create", "-n", installed.namespace, "-f", "-")
        installed.cluster.kubectl(*words, stdin=json.dumps(manifest))
        installed.cluster.wait(installed.namespace, f"cij/{name}", "condition=Finished")
        stored = "jsonpath={.status.results.logs.complete}=true"
        installed.cluster.wait(installed.namespace, f"cij/{name}", stored)
        by[name] = {}
        for event in audited(installed.cluster, installed.namespace, name):
            account = event["user"]["username"].rpartition("-")[2]
            if event["verb"] != "delete":  # the Pod is let go of when its log is stored
                by[name].setdefault(account, []).append(said(event))
    assert by["with-none"] == {"operator": [CREATE, STATUS, STATUS], "archiver": [STATUS]}
    assert by["with-results"] == {**by["with-none"], "gateway": [STATUS]}


@pytest.mark.seam
def test_an_agent_that_failed_costs_the_end_and_a_stop(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    settings = {"CIJOB_GATEWAY": serve(cluster, namespace, archive({}))}
    operator = Operator(cluster, namespace, tmp_path, settings).start()
    job = operator.submit("rejected", source=archive({"a": "b"}).source, script="true")
    assert operator.finished(job)["reason"] == "SourceRejected"
    ran = writes(operator, job)
    assert ran in ([CREATE, STATUS, STOP], [CREATE, STATUS, STATUS, STOP])  # Running, or not yet
    assert operator.stop() == 0


@pytest.mark.seam
def test_other_words_under_a_reason_cost_one_write_in_30_seconds(operator: Operator) -> None:
    huge = {"requests": {"cpu": "1000"}}
    job = operator.submit("wordy", command=["true"], resources=huge)
    operator.until_reason(job, "Unschedulable")
    for name in ("first", "second", "third"):
        waiting = {"reason": "CreateContainerConfigError", "message": f"{name} is missing"}
        states = [{"name": "job", "state": {"waiting": waiting}}]
        operator.forge(f"{job}-1", containerStatuses=states)
        if name == "first":
            operator.until_reason(job, "ConfigMissing")
    operator.cluster.until(
        "the last words", lambda: operator.status(job)["message"] == "third is missing", 45
    )
    assert writes(operator, job) == [CREATE, STATUS, STATUS, STATUS]


@pytest.mark.seam
def test_a_job_that_ends_before_running_was_written_costs_two(operator: Operator) -> None:
    phases = ["get", "cij", "--watch", "-ojsonpath={.metadata.name}:{.status.phase}{'\\n'}"]
    known = operator.submit("known", command=["true"], suspend=True)
    operator.until_reason(known, "Suspended")
    kubectl = [str(operator.cluster.kubectl_path), f"--kubeconfig={operator.cluster.kubeconfig}"]
    with subprocess.Popen(
        [*kubectl, "-n", operator.namespace, *phases], stdout=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout
        while not watch.stdout.readline().startswith(f"{known}:"):
            assert watch.poll() is None
        operator.submit("echo", command=["echo", "hello"])
        operator.finished("echo")
        counted = writes(operator, "echo")
        watch.terminate()
        output, _ = watch.communicate()
    ran = [STATUS] if "echo:Running" in output.split() else []
    assert "echo:Succeeded" in output.split()
    assert counted == [CREATE, *ran, STATUS]


@pytest.mark.seam
def test_a_reason_to_wait_costs_one_write_more(operator: Operator) -> None:
    job = operator.submit("waits", templateRef={"name": "late"})
    operator.until_reason(job, "TemplateNotFound")
    manifest = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJobTemplate",
        "metadata": {"name": "late"},
        "spec": {"image": "cijob/python:dev", **RUNS},
    }
    operator.cluster.apply(operator.namespace, manifest)
    assert operator.finished(job)["reason"] == "Completed"
    assert writes(operator, job) == [STATUS, CREATE, STATUS, STATUS]


@pytest.mark.seam
def test_a_cancelled_job_costs_one_stop_more(operator: Operator) -> None:
    job = operator.submit("stopped", **LASTS)
    operator.until_reason(job, "Running")
    operator.patch(job, desiredState="Cancelled")
    assert operator.finished(job)["reason"] == "Cancelled"
    assert writes(operator, job) == [CREATE, STATUS, STOP, STATUS]


@pytest.mark.seam
def test_a_job_cancelled_in_the_queue_costs_its_end_only(one_place: Operator) -> None:
    first = one_place.submit("first", **LASTS)
    one_place.until_reason(first, "Running")
    second = one_place.submit("second", **RUNS)
    one_place.patch(second, desiredState="Cancelled")
    assert one_place.finished(second)["reason"] == "Cancelled"
    assert one_place.pods(second) == []
    assert writes(one_place, second) == [STATUS]


@pytest.mark.seam
def test_a_retry_costs_its_reason_and_another_run(operator: Operator) -> None:
    job = operator.submit(
        "again", script="sleep 2; exit 1", retry={"limit": 1, "backoffSeconds": 1}
    )
    assert operator.finished(job)["reason"] == "CommandFailed"
    assert writes(operator, job) == [CREATE, STATUS, STATUS, CREATE, STATUS, STATUS]


@pytest.mark.seam
def test_cleaning_up_deletes_the_job_and_leaves_its_pod_to_the_owner_reference(
    operator: Operator,
) -> None:
    job = operator.submit("goes", **RUNS, ttlSecondsAfterFinished={"succeeded": 2})
    gone = ("wait", "-n", operator.namespace, f"cij/{job}", "--for=delete", "--timeout=180s")
    operator.cluster.kubectl(*gone)
    operator.cluster.until("the end of its Pod", lambda: not operator.pods(job))
    assert writes(operator, job) == [CREATE, STATUS, STATUS, "delete cijobs"]


@pytest.mark.seam
def test_a_second_look_writes_nothing(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    settings = {"CIJOB_RESYNC_SECONDS": "1"}
    operator = Operator(cluster, namespace, tmp_path, settings).start()
    done, runs = operator.submit("done", **RUNS), operator.submit("lasts", **LASTS)
    operator.finished(done)
    operator.until_reason(runs, "Running")
    before = writes(operator)
    assert operator.stop() == 0
    operator.start()
    operator.cluster.until("leadership", lambda: "cijob_leading 1.0" in operator.ask("/metrics"))
    time.sleep(3)  # three resyncs
    assert writes(operator) == before
    assert operator.stop() == 0


@pytest.mark.seam
def test_nothing_of_ours_carries_finalizers_or_kopfs_annotations(operator: Operator) -> None:
    job = operator.submit("plain", **RUNS)
    operator.finished(job)
    objects = [operator.cluster.get("cij", "-n", operator.namespace, job), *operator.pods(job)]
    assert len(objects) == 2
    for each in objects:
        assert "finalizers" not in each["metadata"]
        assert "kopf" not in json.dumps(each)
