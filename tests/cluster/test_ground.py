"""The ground that everything stands on: what a node, a runtime and an API server must do."""

import json
import re
import subprocess

import pytest

from kit import audit
from kit.cluster import ROOT, Cluster, pod, terminated


def test_a_pod_runs_and_its_log_is_read(cluster: Cluster, namespace: str) -> None:
    cluster.apply(namespace, pod("hello", "echo hello from $(id -u)"))
    cluster.wait(namespace, "pod/hello", "jsonpath={.status.phase}=Succeeded")
    assert cluster.kubectl("logs", "-n", namespace, "hello").stdout == "hello from 1000\n"


@pytest.mark.parametrize("run", range(10))
def test_a_burst_right_before_the_exit_is_whole_in_the_log(
    cluster: Cluster, namespace: str, run: int
) -> None:
    cluster.apply(namespace, pod("burst", "seq -f 'line %.0f of the burst' 60000"))
    assert terminated(cluster, namespace, "burst")["exitCode"] == 0
    wanted = "".join(f"line {n} of the burst\n" for n in range(1, 60001))
    assert cluster.kubectl("logs", "-n", namespace, "burst").stdout == wanted


def test_a_service_resolves_by_dns_and_answers(cluster: Cluster, namespace: str) -> None:
    server = pod("server", "cd /tmp; echo found > index.html; exec python3 -m http.server 8080")
    server["metadata"]["labels"] = {"app": "server"}
    ports = [{"port": 80, "targetPort": 8080}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "server"}, "ports": ports},
    }
    cluster.apply(namespace, server, service)
    cluster.wait(namespace, "pod/server", "condition=Ready")
    ask = f"""python3 - <<'END'
import time, urllib.request
deadline = time.monotonic() + 20
while True:
    try:
        print(urllib.request.urlopen('http://web.{namespace}.svc', timeout=5).read().decode())
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
END"""
    cluster.apply(namespace, pod("client", ask))
    assert terminated(cluster, namespace, "client")["exitCode"] == 0
    assert "found" in cluster.kubectl("logs", "-n", namespace, "client").stdout


def test_restricted_refuses_a_privileged_pod_and_says_why(cluster: Cluster, namespace: str) -> None:
    privileged = pod("privileged", "true", securityContext={"privileged": True})
    done = cluster.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=json.dumps(privileged), check=False
    )
    assert done.returncode != 0
    assert "violates PodSecurity" in done.stderr
    assert "privileged" in done.stderr


def test_an_oom_kill_is_named(cluster: Cluster, namespace: str) -> None:
    limits = {"requests": {"memory": "16Mi"}, "limits": {"memory": "32Mi"}}
    eat = 'exec python3 -c "x = bytearray(256 << 20)"'
    cluster.apply(namespace, pod("hungry", eat, resources=limits))
    ended = terminated(cluster, namespace, "hungry")
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_exceeding_the_disk_limit_evicts(cluster: Cluster, namespace: str) -> None:
    limits = {"limits": {"ephemeral-storage": "8Mi", "memory": "128Mi"}}
    fill = "dd if=/dev/zero of=/tmp/full bs=1M count=64; exec sleep 300"
    cluster.apply(namespace, pod("full", fill, resources=limits))
    cluster.wait(namespace, "pod/full", "jsonpath={.status.reason}=Evicted", seconds=120)
    message = cluster.get("pod", "-n", namespace, "full")["status"]["message"]
    assert re.search(r"ephemeral.*limit", message)


def test_an_image_that_cannot_be_pulled_is_named(cluster: Cluster, namespace: str) -> None:
    missing = pod("nowhere", "true", image="localhost:1/no/such:image")
    cluster.apply(namespace, missing)
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    # ErrImagePull and ImagePullBackOff take turns.
    cluster.wait(namespace, "pod/nowhere", f"jsonpath={waiting}=ErrImagePull")


@pytest.mark.alone
@pytest.mark.seam
@pytest.mark.parametrize("component", ["kube-apiserver", "kubelet"])
@pytest.mark.usefixtures("whole_again")
def test_a_running_pod_outlives_a_killed_component(
    cluster: Cluster, namespace: str, component: str
) -> None:
    loop = "n=0; while [ ! -e /tmp/end ]; do n=$((n+1)); echo $n; sleep 0.1; done"
    cluster.apply(namespace, pod("steady", loop))
    cluster.wait(namespace, "pod/steady", "condition=Ready")
    cluster.kind("kill", "component", component)
    cluster.kind("start", "component", component)
    end = ("exec", "-n", namespace, "steady", "--", "touch", "/tmp/end")
    cluster.until("the kubelet's answer", lambda: not cluster.kubectl(*end, check=False).returncode)
    assert terminated(cluster, namespace, "steady")["exitCode"] == 0
    counted = cluster.kubectl("logs", "-n", namespace, "steady").stdout.split()
    assert counted == [str(n) for n in range(1, len(counted) + 1)]
    statuses = cluster.get("pod", "-n", namespace, "steady")["status"]["containerStatuses"]
    assert [status["restartCount"] for status in statuses] == [0]


@pytest.mark.alone
@pytest.mark.seam
def test_fake_nodes_of_another_architecture_accept_pods(cluster: Cluster, namespace: str) -> None:
    names = cluster.kind("create", "nodes", "--count=2", "--arch=arm64").split()
    assert len(names) == 2
    try:
        placed = pod("placed", "true")
        placed["spec"]["nodeSelector"] = {"kubernetes.io/arch": "arm64"}
        placed["spec"]["tolerations"] = [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]
        cluster.apply(namespace, placed)
        cluster.wait(namespace, "pod/placed", "condition=Ready")
        node = cluster.get("pod", "-n", namespace, "placed")["spec"]["nodeName"]
        assert cluster.get("node", node)["metadata"]["labels"]["kubernetes.io/arch"] == "arm64"
    finally:
        cluster.kubectl("delete", "pod", "-n", namespace, "placed", "--force")
        cluster.kind("delete", "nodes")


@pytest.mark.seam
def test_the_audit_log_has_every_mutating_call(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "-n", namespace, "counted")
    cluster.kubectl("delete", "configmap", "-n", namespace, "counted")
    uri = f"/api/v1/namespaces/{namespace}/configmaps"
    mine = [
        event["verb"]
        for event in audit.events(cluster, namespace)
        if event["objectRef"].get("name") == "counted" and uri in event["requestURI"]
    ]
    assert mine == ["create", "delete"]


def test_helm_installs_a_chart(cluster: Cluster, namespace: str) -> None:
    chart = ROOT / "tests" / "cluster" / "charts" / "trivial"
    helm = [str(ROOT / ".local" / "bin" / "helm"), f"--kubeconfig={cluster.kubeconfig}"]
    common = ["--namespace", namespace, "--wait", "--timeout=180s"]
    subprocess.run([*helm, "install", "trivial", str(chart), *common], check=True, timeout=240)
    data = cluster.get("configmap", "-n", namespace, "trivial-greeting")["data"]
    assert data == {"greeting": "hello"}
    subprocess.run([*helm, "uninstall", "trivial", *common], check=True, timeout=240)
