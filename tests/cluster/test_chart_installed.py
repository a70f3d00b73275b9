"""The chart in a cluster: it works under `restricted`, and comes and goes while jobs run."""

import json
import shutil
from pathlib import Path

from kit import gates
from kit.chart import CHART, Release, helm
from kit.cluster import Cluster, terminated
from kit.operator import job

# Runs until it is told, so that no test depends on how long something takes.
UNTIL_TOLD = ["sh", "-c", f"{gates.WAITS}; echo went"]


def start(release: Release, name: str) -> None:
    """Create a job that runs until it is told to end, and wait until it runs."""
    create(release, name, command=UNTIL_TOLD, terminationGracePeriodSeconds=1)
    release.cluster.until(f"start of {name}", lambda: phase(release, name) == "Running")


def create(release: Release, name: str, **spec: object) -> None:
    """Create a CIJob by kubectl."""
    manifest = json.dumps(job(name, **spec))
    release.cluster.kubectl("create", "-n", release.namespace, "-f", "-", stdin=manifest)


def tell(release: Release, name: str) -> None:
    """Let a job of `start` end."""
    gates.send_on(release.cluster, release.namespace, name)


def phase(release: Release, name: str) -> str:
    """The job's phase now."""
    found: str = release.cluster.get("cij", "-n", release.namespace, name)["status"]["phase"]
    return found


def finished(release: Release, name: str) -> str:
    """The job's phase once it has finished; it had one attempt."""
    release.cluster.wait(release.namespace, f"cij/{name}", "condition=Finished")
    status = release.cluster.get("cij", "-n", release.namespace, name)["status"]
    assert [attempt["number"] for attempt in status["attempts"]] == [1]
    phase: str = status["phase"]
    return phase


def keys(release: Release) -> dict[str, str]:
    """The keys of the bundled MinIO."""
    data: dict[str, str] = release.cluster.get("secret", "-n", release.namespace, "cijob-minio")[
        "data"
    ]
    return data


def test_all_parts_are_ready_in_a_restricted_namespace_and_helm_test_runs_a_job(
    release: Release,
) -> None:
    release.install()
    assert "Phase:          Succeeded" in release.test()
    left = release.cluster.get("pods,roles", "-n", release.namespace)["items"]
    assert "cijob-test" not in {item["metadata"]["name"] for item in left}


def test_a_job_starts_from_a_template_of_the_chart(release: Release) -> None:
    release.install()
    command = ["sh", "-c", f"echo hello; {gates.WAITS}"]
    create(release, "hello", templateRef={"name": "run"}, command=command)
    # While it runs: when its log is archived its Pod goes.
    words = ("logs", "-n", release.namespace, "hello-1")
    greets = lambda: release.cluster.kubectl(*words, check=False).stdout == "hello\n"  # noqa: E731
    release.cluster.until("its greeting", greets)
    tell(release, "hello")
    assert finished(release, "hello") == "Succeeded"
    status = release.cluster.get("cij", "-n", release.namespace, "hello")["status"]
    assert status["exitCode"] == 0


def test_a_job_that_runs_does_not_notice_an_upgrade(release: Release) -> None:
    release.install()
    before = keys(release)
    start(release, "long")
    release.upgrade("--set=pool.maxConcurrent=3", "--set=gateway.sourceTtlSeconds=3600")
    assert phase(release, "long") == "Running"
    tell(release, "long")
    assert finished(release, "long") == "Succeeded"
    assert keys(release) == before


def test_a_job_that_runs_outlives_an_uninstall_and_is_found_again(release: Release) -> None:
    release.install()
    start(release, "long")
    release.uninstall()
    of_helm = "app.kubernetes.io/managed-by=Helm"
    kinds = "pods,deployments,services,secrets,configmaps,serviceaccounts,roles,rolebindings"
    left = release.cluster.get(kinds, "-n", release.namespace, "-l", of_helm)["items"]
    assert left == []
    pod = release.cluster.get("pod", "-n", release.namespace, "long-1")
    assert (pod["status"]["phase"], "deletionTimestamp" in pod["metadata"]) == ("Running", False)
    tell(release, "long")
    terminated(release.cluster, release.namespace, "long-1")
    assert phase(release, "long") == "Running", "nobody was there to write"
    release.install()
    assert finished(release, "long") == "Succeeded"


def test_a_namespace_goes_with_its_jobs_while_nothing_is_installed(
    cluster: Cluster, crds: None, namespace: str
) -> None:
    release = Release(cluster, f"{namespace}-gone")
    cluster.kubectl("create", "namespace", release.namespace)
    release.install()
    start(release, "long")
    release.uninstall()
    cluster.kubectl("delete", "namespace", release.namespace, "--timeout=180s")
    assert cluster.kubectl("get", "ns", release.namespace, check=False).returncode != 0


def test_the_first_install_in_a_cluster_knows_the_kinds_that_it_brings(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    group = f"{namespace}.example"
    chart = tmp_path / "cijob"
    shutil.copytree(CHART, chart)
    for file in [path for path in chart.rglob("*") if path.is_file()]:
        file.write_text(file.read_text().replace("cijob.dev", group))
    common = (f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}")
    none = "--set=operator.replicas=0,gateway.replicas=0,crds.keep=false"
    # Without --wait: Helm itself does not wait for the new kinds then.
    helm("install", "cijob", str(chart), *common, none)
    try:
        found = cluster.get(f"cijobtemplates.{group}", "-n", namespace)["items"]
        assert [item["metadata"]["name"] for item in found] == ["build", "run", "test"]
    finally:
        helm("uninstall", "cijob", *common, "--wait", "--timeout=180s")
