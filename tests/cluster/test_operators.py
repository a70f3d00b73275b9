"""The operator as a process: one of two acts, it says what it may not do, it leaves nothing behind
and nothing in the way.
"""

import json
import secrets
import signal
from pathlib import Path
from typing import Any

from kit import servers
from kit.cluster import Cluster
from kit.operator import Operator

LASTS = {"script": "exec sleep 300", "terminationGracePeriodSeconds": 1}
CREATED = "created a Pod"


def says(operator: Operator, message: str) -> bool:
    """Whether its log has a line that begins so."""
    return any(line["message"].startswith(message) for line in operator.lines())


def test_of_two_operators_one_acts_and_the_other_takes_over(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    first = Operator(cluster, namespace, tmp_path, {}, "first").start()
    cluster.until("leadership", lambda: says(first, "leading"))
    second = Operator(cluster, namespace, tmp_path, {}, "second").start()
    try:
        names = [first.submit(f"job-{n}", command=["true"]) for n in range(3)]
        assert [first.finished(name)["reason"] for name in names] == ["Completed"] * 3
        assert [first.pods_ever(name) for name in names] == [[f"{name}-1"] for name in names]
        assert not says(second, CREATED)
        assert not says(second, "leading")
        assert "cijob_leading 1.0" in first.ask("/metrics")
        assert "cijob_leading 0.0" in second.ask("/metrics")
        assert first.stop() == 0
        assert second.finished(second.submit("after", command=["true"]))["reason"] == "Completed"
        assert second.pods_ever("after") == ["after-1"]
        assert second.stop() == 0
    finally:
        for operator in (first, second):
            operator.stop(signal.SIGKILL)


def test_a_standby_says_in_its_log_that_it_stands_by(
    cluster: Cluster, operator: Operator, tmp_path: Path
) -> None:
    cluster.until("leadership", lambda: says(operator, "leading"))
    standby = Operator(cluster, operator.namespace, tmp_path, {}, "standby").start()
    try:
        # It has asked for the lease at least once when a renewal of the holder's has passed.
        before = renewed(operator)
        cluster.until("a renewal", lambda: renewed(operator) != before)
        assert says(standby, f"standing by: {operator.identity} leads")
    finally:
        standby.stop()


def renewed(operator: Operator) -> str:
    """When the lease was renewed."""
    lease = operator.cluster.get("lease", "-n", operator.namespace, "cijob-operator")
    return str(lease["spec"]["renewTime"])


def test_an_operator_that_is_told_to_end_ends_at_once(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    """Until it has, it holds the lease, and sees nothing any more.

    kopf by itself would ask on for the cluster's resources with a connection that is closed.
    """
    operator = Operator(cluster, namespace, tmp_path).start()
    cluster.until("leadership", lambda: says(operator, "leading"))
    assert operator.stop() == 0
    assert says(operator, "ending, as told")
    assert not says(operator, "Request attempt #2")


def test_an_operator_that_waits_for_the_api_server_ends_when_told_to(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    config = as_user(cluster, "unused")
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{servers.free_port()}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    settings = {"KUBECONFIG": str(kubeconfig)}
    operator = Operator(cluster, namespace, tmp_path, settings).start(wait=False)
    cluster.until("its waiting", lambda: says(operator, "waiting for the API server"))
    assert operator.stop() == 0
    assert operator.lines()[-1]["message"] == "ending, as told"


def test_an_operator_of_many_namespaces_has_connections_left_to_work_with(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    """Each namespace has watches of its own, which never give their connection back."""
    others = ",".join(f"{namespace}-{number}" for number in range(40))
    settings = {"CIJOB_NAMESPACES": f"{namespace},{others}"}
    operator = Operator(cluster, namespace, tmp_path, settings).start()
    job = operator.submit("one-of-many", script="true")
    assert operator.finished(job)["reason"] == "Completed"
    assert operator.stop() == 0


def test_an_operator_with_few_rights_names_those_that_it_lacks(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    words = ("-n", namespace)
    cluster.kubectl("create", "serviceaccount", "weak", *words)
    rules = ("--verb=get,list,watch", "--resource=cijobs.cijob.dev,pods")
    cluster.kubectl("create", "role", "weak", *rules, *words)
    account = f"--serviceaccount={namespace}:weak"
    cluster.kubectl("create", "rolebinding", "weak", "--role=weak", account, *words)
    token = cluster.kubectl("create", "token", "weak", *words).stdout.strip()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(as_user(cluster, token)))
    settings = {"KUBECONFIG": str(kubeconfig)}
    operator = Operator(cluster, namespace, tmp_path, settings).start(wait=False)
    assert operator.process is not None
    assert operator.process.wait(timeout=120) == 1
    last = operator.lines()[-1]
    assert last["level"] == "error"
    assert "exception" not in last
    for missing in (
        "delete cijobs.cijob.dev",
        "patch cijobs/status.cijob.dev",
        "list cijobtemplates.cijob.dev",
        "create pods",
        "update leases/cijob-operator.coordination.k8s.io",
    ):
        assert f"{missing} in {namespace}" in last["message"]
    assert f"watch pods in {namespace}" not in last["message"]


def as_user(cluster: Cluster, token: str) -> dict[str, Any]:
    """The tests' own kubeconfig, for the bearer of a token."""
    view = cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-ojson")
    config: dict[str, Any] = json.loads(view.stdout)
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    return config


def test_a_pod_whose_job_is_gone_goes_at_the_next_resync(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    """And so does one that was left while no operator was there."""
    often = {"CIJOB_RESYNC_SECONDS": "2"}
    operator = Operator(cluster, namespace, tmp_path, often).start()
    for name in ("runs", "runs-too", "stays"):
        operator.submit(name, **LASTS)
    for name in ("runs", "runs-too", "stays"):
        operator.until_reason(name, "Running")
    leave_orphan(operator, "runs")
    cluster.until("the end of the orphan", lambda: not operator.pods("runs"))
    assert operator.stop() == 0
    leave_orphan(operator, "runs-too")
    operator.start()
    cluster.until("the end of the second orphan", lambda: not operator.pods("runs-too"))
    assert operator.status("stays")["reason"] == "Running"
    assert len(operator.pods("stays")) == 1
    assert operator.stop() == 0


def leave_orphan(operator: Operator, job: str) -> None:
    """Delete a job and leave its Pod, which the garbage collector then lets go of."""
    words = ("delete", "cij", "-n", operator.namespace, job, "--cascade=orphan")
    operator.cluster.kubectl(*words)


def test_a_namespace_with_running_jobs_is_deleted_while_no_operator_is_there(
    cluster: Cluster, crds: None, tmp_path: Path
) -> None:
    namespace = f"test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", namespace)
    words = ("get", "serviceaccount", "default", "-n", namespace)
    cluster.until("the ServiceAccount", lambda: not cluster.kubectl(*words, check=False).returncode)
    operator = Operator(cluster, namespace, tmp_path).start()
    names = [operator.submit(f"job-{n}", **LASTS) for n in range(3)]
    operator.submit("waits", command=["true"], suspend=True)
    for name in names:
        operator.until_reason(name, "Running")
    operator.stop(signal.SIGKILL)
    cluster.kubectl("delete", "namespace", namespace, "--timeout=180s")
    gone = cluster.kubectl("get", "namespace", namespace, check=False)
    assert "NotFound" in gone.stderr
