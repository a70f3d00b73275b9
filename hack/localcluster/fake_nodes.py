"""Nodes that exist in the API only, kept alive by kwok: for tests of scale and placement.

They carry a taint, so that only Pods that tolerate it land there.
"""

import fcntl
import json
from typing import Any

from localcluster import daemons
from localcluster.cluster import Cluster, start_component

LABEL = "type=kwok"
TAINT = "kwok.x-k8s.io/node"


def create(cluster: Cluster, count: int, architecture: str) -> list[str]:
    """Add `count` fake nodes of an architecture (amd64, arm64 …); return their names."""
    with (cluster.folder / "fake-nodes.lock").open("w") as lock:
        # Two at once would start kwok twice, and choose the same names.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if daemons.has_ended(cluster.folder, "kwok"):
            start_component(cluster, "kwok")
        names = _create(cluster, count, architecture)
    ready = ["wait", "--for=condition=Ready", "--timeout=60s"]
    cluster.kubectl(*ready, *(f"node/{name}" for name in names))
    return names


def _create(cluster: Cluster, count: int, architecture: str) -> list[str]:
    there = set(cluster.kubectl("get", "nodes", "-l", LABEL, "-oname").split())
    free = (name for number in range(10**6) if f"node/{(name := f'fake-{number}')}" not in there)
    names = [next(free) for _ in range(count)]
    items = [manifest(name, architecture) for name in names]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    cluster.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(document))
    return names


def delete(cluster: Cluster) -> None:
    """Remove all fake nodes; the cluster drops their Pods."""
    cluster.kubectl("delete", "nodes", "-l", LABEL, "--ignore-not-found")


def manifest(name: str, architecture: str) -> dict[str, Any]:
    """A Node as kwok wants it: annotated as its own, with room for many Pods."""
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "type": "kwok",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture,
            },
        },
        "spec": {"taints": [{"key": TAINT, "value": "fake", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": room,
            "capacity": room,
            "nodeInfo": {"architecture": architecture, "operatingSystem": "linux"},
        },
    }
