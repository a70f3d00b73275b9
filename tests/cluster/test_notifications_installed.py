"""Notifications as the chart installs them: its rights, network policies and settings."""

import json
from pathlib import Path
from typing import Any

from kit import sink as sink_program
from kit.chart import Release
from kit.cluster import Cluster, pod
from kit.notifications import configure, events
from kit.operator import job
from kit.sink import Request

KEY = b"a long secret of both sides"


def test_the_installed_chart_tells_a_sink_of_the_cluster(
    cluster: Cluster, release: Release, namespace: str
) -> None:
    host = f"sink.{namespace}.svc"
    cluster.apply(namespace, *sink_pod())
    cluster.wait(namespace, "pod/sink", "condition=Ready")
    release.install(f"--set=notifications.allow={{{host}}}")
    sinks = {"chat": f"kind: webhook\nurl: http://{host}:8080/hook\nevents: [failed]\n"}
    sinks["other"] = "kind: webhook\nurl: https://kubernetes.default.svc/\n"
    configure(cluster, namespace, sinks, {"chat": KEY.decode()})
    cluster.apply(
        namespace,
        job("told", script="echo said; exit 1", notify=[{"name": "chat"}, {"name": "other"}]),
    )
    cluster.wait(namespace, "cij/told", "condition=Finished", 120)

    def requests() -> list[Request]:
        lines = cluster.kubectl("logs", "-n", namespace, "sink").stdout.splitlines()
        said = [json.loads(line) for line in lines]
        return [Request(s["path"], s["headers"], s["body"].encode(), 204) for s in said]

    cluster.until("a request", requests)
    (request,) = requests()
    assert request.json["type"] == "dev.cijob.job.failed"
    assert request.json["data"]["details"] == ["said"]
    assert request.is_signed(KEY)
    cluster.until("a refusal", lambda: "NotificationFailed" in events(cluster, namespace, "told"))
    refused = events(cluster, namespace, "told")["NotificationFailed"]["message"]
    assert "of kubernetes.default.svc is not public" in refused


def sink_pod() -> list[dict[str, Any]]:
    """A sink in the cluster: its program, its Pod and its Service."""
    program = Path(sink_program.__file__).read_text()
    metadata = {"name": "sink", "labels": {"app": "sink"}}
    mount = {"volumeMounts": [{"name": "program", "mountPath": "/program"}]}
    probe = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
    made = pod("sink", "exec python /program/sink.py 8080", **mount, **probe)
    made["metadata"] = metadata
    made["spec"]["volumes"] = [{"name": "program", "configMap": {"name": "sink"}}]
    service = {"selector": {"app": "sink"}, "ports": [{"port": 8080}]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
         "data": {"sink.py": program}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        made,
    ]  # fmt: skip
