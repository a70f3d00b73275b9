"""A registry on the node's loopback, with an image that is pulled as slowly as a test wants it.

The program of the Pod that registryhost makes (`python registry.py PORT SECONDS`, standard library
only). It has every tag: each is an image of its own, of a shell and little else, all from the same
layer.
"""

import gzip
import hashlib
import io
import json
import platform
import subprocess
import sys
import tarfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PROGRAMS = ("/bin/sh", "/bin/sleep", "/bin/cat", "/usr/bin/env")
MEDIA = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as images name them


class Image:
    """The blobs of all images: one layer, and of each tag a config and a manifest."""

    def __init__(self) -> None:
        layer = _layer()
        packed = gzip.compress(layer, mtime=0)
        self._layer = {"mediaType": f"{MEDIA}.layer.v1.tar+gzip", **_named(packed)}
        self._unpacked = _named(layer)["digest"]
        self.blobs = {_named(packed)["digest"]: packed}

    def manifest(self, tag: str) -> bytes:
        """The manifest of a tag; its config is a blob from now on."""
        config = _json(
            architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
            os="linux",
            config={"Env": ["PATH=/usr/bin:/bin"], "Labels": {"tag": tag}},
            rootfs={"type": "layers", "diff_ids": [self._unpacked]},
        )
        self.blobs[_named(config)["digest"]] = config
        made = _json(
            schemaVersion=2,
            mediaType=f"{MEDIA}.manifest.v1+json",
            config={"mediaType": f"{MEDIA}.config.v1+json", **_named(config)},
            layers=[self._layer],
        )
        self.blobs[_named(made)["digest"]] = made
        return made


class _Handler(BaseHTTPRequestHandler):
    # The runtime tries https first, and takes an answer in http for a reason to use that.
    protocol_version = default_request_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        *_, kind, wanted = ["", *self.path.partition("?")[0].split("/")]
        image = self.server.image
        if kind == "manifests" and not wanted.startswith("sha256:"):
            return self._answer(image.manifest(wanted), f"{MEDIA}.manifest.v1+json")
        if self.command == "GET" and kind == "blobs":
            time.sleep(self.server.seconds)
        media = f"{MEDIA}.manifest.v1+json" if kind == "manifests" else "application/octet-stream"
        return self._answer(image.blobs.get(wanted, b""), media)

    do_HEAD = do_GET  # noqa: N815  # the name that the standard library looks for

    def _answer(self, content: bytes, media: str) -> None:
        self.send_response(200 if content or self.path == "/v2/" else 404)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", _named(content)["digest"])
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.seconds = seconds
        self.image = Image()


def _layer() -> bytes:
    """A few programs of this machine's own, and the libraries that they need."""
    files = dict.fromkeys(PROGRAMS)
    for program in PROGRAMS:
        words = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files |= dict.fromkeys(word for word in words.split() if word.startswith("/"))
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for path in files:
            content = Path(path).read_bytes()
            entry = tarfile.TarInfo(path[1:])
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return layer.getvalue()


def _named(content: bytes) -> dict[str, Any]:
    return {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}


def _json(**content: Any) -> bytes:
    return json.dumps(content).encode()


if __name__ == "__main__":
    _Server(int(sys.argv[1]), float(sys.argv[2])).serve_forever()
