"""Images: one made of a single static program, and loading archives into the node.

An image here is a file in `docker save` format: a tar of one or more layers, a configuration and
a manifest (the format is described in the Docker image specification v1.2).
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from localcluster import node
from localcluster.components import program
from localcluster.errors import NotFound, Refused
from localcluster.running import run, say
from localcluster.settings import COREDNS_IMAGE, MINIO_IMAGE, PAUSE_IMAGE, Settings

USER = "1000:1000"


def write_static_image(binary: Path, image: str, target: Path, *, folders: tuple[str, ...]) -> None:
    """Write an archive whose image holds `binary` as its entrypoint, run as user 1000.

    `folders` are made inside, writable for everyone.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name in folders:
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
        entry = tarfile.TarInfo(binary.name)
        entry.mode, entry.size = 0o755, binary.stat().st_size
        with binary.open("rb") as program_file:
            tar.addfile(entry, program_file)
    configuration = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {"Entrypoint": [f"/{binary.name}"], "User": USER, "Env": ["PATH=/"]},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"],
        },
    }
    manifest = [{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]
    members = {
        "layer.tar": layer.getvalue(),
        "config.json": json.dumps(configuration).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    partial = target.with_suffix(".part")
    with tarfile.open(partial, "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    partial.rename(target)


def static_archive(settings: Settings, image: str) -> Path:
    """The archive of one of our single-program images, made once per build of its program."""
    programs = {PAUSE_IMAGE: "pause", COREDNS_IMAGE: "coredns", MINIO_IMAGE: "minio"}
    binary = program(settings, programs[image])
    target = settings.cache / "images" / f"{binary.parent.name}.tar"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_static_image(binary, image, target, folders=("/tmp", "/data"))  # noqa: S108
    return target


def load_archive(settings: Settings, folder: Path, archive: Path) -> None:
    """Load an archive into the node's containerd, unless this very file was loaded before.

    Raises NotFound without such a file, Refused when it is no image archive.
    """
    if not archive.is_file():
        raise NotFound(f"there is no file {archive}")
    stamp = archive.stat()
    mark = (
        folder
        / "loaded"
        / hashlib.sha256(
            f"{archive.resolve()} {stamp.st_size} {stamp.st_mtime_ns}".encode()
        ).hexdigest()
    )
    if mark.exists():
        say(f"{archive.name} is in the cluster already")
        return
    ctr = [program(settings, "ctr"), "--address=/run/containerd/containerd.sock"]
    # Through standard input: the archive may lie where the node's own mounts cover it.
    with archive.open("rb") as content:
        done = run(
            node.enter(folder, [*ctr, "--namespace=k8s.io", "images", "import", "-"]),
            stdin_file=content,
            check=False,
        )
    if done.returncode != 0:
        raise Refused(f"{archive} could not be loaded: {done.stderr.strip().splitlines()[-1:]}")
    mark.parent.mkdir(exist_ok=True)
    mark.touch()


def _architecture() -> str:
    machine = run(["uname", "-m"]).stdout.strip()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
