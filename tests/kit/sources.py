"""A source without a gateway: a Pod in the cluster that gives every agent the same archive.

For tests of operator and agent alone; who asks is not looked at.
"""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import Any

from kit.cluster import Cluster, pod

PORT = 8081
SERVER = """
import base64, http.server, os
content = base64.b64decode(os.environ["ARCHIVE"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
http.server.ThreadingHTTPServer(("", 8081), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Archive:
    """The bytes of a zip."""

    content: bytes

    @property
    def source(self) -> dict[str, Any]:
        """The `source` of a job that names it."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {"archive": {"sha256": digest, "sizeBytes": len(self.content)}}


def archive(files: dict[str, str]) -> Archive:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return Archive(buffer.getvalue())


def serve(cluster: Cluster, namespace: str, what: Archive) -> str:
    """Start the Pod that serves the archive; the URL for `CIJOB_GATEWAY`."""
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    variables = [{"name": "ARCHIVE", "value": base64.b64encode(what.content).decode()}]
    command = ["python3", "-c", SERVER]
    server = pod("source", "", command=command, env=variables, readinessProbe=probe)
    cluster.apply(namespace, server)
    cluster.wait(namespace, "pod/source", "condition=Ready")
    address = cluster.get("pod", "-n", namespace, "source")["status"]["podIP"]
    return f"http://{address}:{PORT}"
