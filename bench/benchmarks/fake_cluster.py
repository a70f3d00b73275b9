"""Fake nodes that complete every Pod: kwok with rules of our own, for as long as a block runs.

The cluster's own kwok lets ordinary Pods run for ever, as its default rules complete Pods of batch
Jobs only. This one is a second process, which looks after nodes of the benchmark's only.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.api import Api, until
from localcluster import fake_nodes
from localcluster.settings import read_settings

Json = dict[str, Any]
OURS = "cijob-bench"
TAINT = "cijob.dev/bench"
POOL = {
    "nodeSelector": {"type": OURS},
    "tolerations": [{"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}],
}
RUNNING = """
{{ $now := Now }}
phase: Running
podIP: 10.198.0.1
startTime: {{ $now | Quote }}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: true,
   restartCount: 0, state: {running: {startedAt: {{ $now | Quote }}}}}
{{ end }}
"""
COMPLETE = """
{{ $now := Now }}
phase: Succeeded
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: false,
   restartCount: 0, state: {terminated: {exitCode: 0, reason: Completed,
   startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}}
{{ end }}
"""


def stage(name: str, phase: str, then: Json) -> Json:
    """A kwok rule: what happens to Pods of that phase."""
    match = [{"key": ".status.phase", "operator": "In", "values": [phase]}]
    if "delete" not in then:
        match.append({"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"})
    else:
        match = [{"key": ".metadata.deletionTimestamp", "operator": "Exists"}]
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": match},
            "next": then,
        },
    }


def rules() -> str:
    """kwok's configuration: Pods run, complete, and go when they are deleted."""
    stages = [
        stage("run", "Pending", {"statusTemplate": RUNNING}),
        stage("complete", "Running", {"statusTemplate": COMPLETE}),
        stage("delete", "", {"finalizers": {"empty": True}, "delete": True}),
    ]
    return "\n---\n".join(json.dumps(each) for each in stages)


@asynccontextmanager
async def nodes(api: Api, kubeconfig: Path, folder: Path, *, count: int) -> AsyncIterator[None]:
    """`count` fake nodes that complete Pods while the block runs."""
    program = next((read_settings().cache / "components").glob("kwok-*/kwok"))
    config = folder / "kwok.yaml"
    config.write_text(rules())
    command = [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--config={config}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node={OURS}",
        "--node-lease-duration-seconds=40",
        "--server-address=127.0.0.1:0",
    ]
    names = [f"{OURS}-{number}" for number in range(count)]
    with (folder / "kwok.log").open("wb") as log:
        kwok = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220
    try:
        await asyncio.gather(*(api.send("POST", "/api/v1/nodes", node(name)) for name in names))
        for name in names:
            await until(api, f"/api/v1/nodes/{name}", is_ready)
        yield
    finally:
        await asyncio.gather(*(api.send("DELETE", f"/api/v1/nodes/{n}", {}) for n in names))
        kwok.terminate()
        await asyncio.to_thread(kwok.wait, 30)


def node(name: str) -> Json:
    """One fake node: the cluster's own kind, with our annotation and taint."""
    body = fake_nodes.manifest(name, "amd64")
    body["metadata"]["annotations"] = {"kwok.x-k8s.io/node": OURS}
    body["metadata"]["labels"]["type"] = OURS
    body["spec"]["taints"] = [{"key": TAINT, "value": "fake", "effect": "NoSchedule"}]
    return body


def is_ready(body: Json) -> bool:
    """Whether kwok has taken the node over."""
    conditions = body.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
