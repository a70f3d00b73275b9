"""MinIO in the cluster, from the image made of its pinned module, under `restricted`."""

import secrets
from typing import Any

from kit.cluster import SYSTEM_IMAGE, Cluster, pod, terminated


def minio(secret: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A MinIO Pod with its data in memory, and its Service."""
    server = pod("minio", "")
    server["metadata"]["labels"] = {"app": "minio"}
    container = server["spec"]["containers"][0]
    del container["command"]
    container |= {
        "image": "cijob/minio:dev",
        "args": ["server", "/data"],
        "env": [
            {"name": "MINIO_ROOT_USER", "value": "test"},
            {"name": "MINIO_ROOT_PASSWORD", "value": secret},
        ],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": {
            "httpGet": {"path": "/minio/health/ready", "port": 9000},
            "periodSeconds": 1,
        },
    }
    server["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "minio"},
        "spec": {"selector": {"app": "minio"}, "ports": [{"port": 9000}]},
    }
    return server, service


ROUND_TRIP = """/opt/cijob/bin/python - <<'END'
import io, os, time
from minio import Minio
client = Minio('minio:9000', 'test', os.environ['SECRET'], secure=False)
deadline = time.monotonic() + 30
while True:
    try:
        client.make_bucket('bucket')
        break
    except Exception:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
content = os.urandom(6 << 20)
client.put_object('bucket', 'object', io.BytesIO(content), len(content))
assert client.get_object('bucket', 'object').read() == content
print('same bytes')
END"""


def test_minio_stores_and_returns_an_object(cluster: Cluster, namespace: str) -> None:
    secret = secrets.token_hex(16)
    cluster.apply(namespace, *minio(secret))
    cluster.wait(namespace, "pod/minio", "condition=Ready")
    environment = [{"name": "SECRET", "value": secret}]
    client = pod("client", ROUND_TRIP, image=SYSTEM_IMAGE, env=environment)
    cluster.apply(namespace, client)
    ended = terminated(cluster, namespace, "client")
    assert cluster.kubectl("logs", "-n", namespace, "client").stdout == "same bytes\n"
    assert ended["exitCode"] == 0
