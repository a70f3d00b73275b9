"""A registry in a Pod of the node's own network: from there a runtime takes plain http."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit import registry
from kit.cluster import SYSTEM_IMAGE, Cluster, pod


@contextmanager
def serving(cluster: Cluster, seconds: float) -> Iterator[str]:
    """The registry: its address, as the node's runtime knows it; a blob takes so many seconds."""
    port = 20_000 + secrets.randbelow(10_000)
    name = f"registry-{secrets.token_hex(4)}"
    # Of its own: the node's network is not for Pods of a restricted namespace.
    cluster.kubectl("create", "namespace", name)
    try:
        program = {"registry.py": Path(registry.__file__).read_text()}
        probe = {"tcpSocket": {"host": "127.0.0.1", "port": port}, "periodSeconds": 1}
        mounts = [{"name": "program", "mountPath": "/program"}]
        script = f"exec python /program/registry.py {port} {seconds}"
        made = pod(
            "registry", script, image=SYSTEM_IMAGE, volumeMounts=mounts, readinessProbe=probe
        )
        made["spec"]["volumes"] = [{"name": "program", "configMap": {"name": "program"}}]
        made["spec"]["hostNetwork"] = True
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "program"}}
        cluster.apply(name, {**config, "data": program}, made)
        cluster.wait(name, "pod/registry", "condition=Ready")
        yield f"127.0.0.1:{port}"
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")
