"""Handing over to the real kind where Docker is running.

kind gets our audit policy and a folder of the host for the audit log. What it has no word for
(components of the node) is refused by name, so that tests can skip it by name.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from localcluster import configs
from localcluster.errors import Refused
from localcluster.running import run
from localcluster.settings import Settings, search_path

OURS = {("create", "nodes"), ("delete", "nodes"), ("kill", "component"), ("start", "component")}


def real_kind() -> Path | None:
    """The real kind, if it is on PATH and Docker answers; never this project's own `kind`."""
    if shutil.which("docker") is None or run(["docker", "info"], check=False).returncode != 0:
        return None
    for folder in search_path().split(os.pathsep):
        candidate = Path(folder or ".") / "kind"
        if os.access(candidate, os.X_OK) and not _is_ours(candidate):
            return candidate
    return None


def _is_ours(kind: Path) -> bool:
    """Whether that is this program, of this checkout or another whose programs are on PATH."""
    return (kind.resolve().parent / Path(__file__).parent.name).is_dir()


def hand_over(settings: Settings, kind: Path, words: list[str]) -> None:
    """Become the real kind. Does not return.

    Raises Refused for what only the local cluster can do.
    """
    if tuple(words[:2]) in OURS or words[:1] == ["exec"]:
        raise Refused(f"`{' '.join(words[:2])}` needs the local cluster, and Docker runs kind here")
    if words[:2] == ["create", "cluster"] and not any(w.startswith("--config") for w in words):
        words = [*words, f"--config={write_config(settings)}"]
    os.execv(kind, [str(kind), *words])  # noqa: S606


def audit_log(settings: Settings) -> Path:
    """Where the audit log of a cluster made through the hand-over appears on the host."""
    return settings.cache / "kind" / "audit" / "audit.log"


def write_config(settings: Settings) -> Path:
    """Write the kind configuration and the audit policy it mounts; return its path."""
    folder = audit_log(settings).parent.parent
    (folder / "audit").mkdir(parents=True, exist_ok=True)
    (folder / "policy.yaml").write_text(json.dumps(configs.audit_policy()))
    file = folder / "kind.yaml"
    file.write_text(json.dumps(kind_config(folder), indent=2))
    return file


def kind_config(folder: Path) -> dict[str, Any]:
    """A one-node cluster whose API server logs every mutating call to `folder`/audit."""
    inside = "/var/log/kubernetes"
    patch = {
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": {
                "audit-log-path": f"{inside}/audit/audit.log",
                "audit-policy-file": f"{inside}/policy.yaml",
            },
            "extraVolumes": [{"name": "audit", "hostPath": inside, "mountPath": inside}],
        },
    }
    kubelet = {"kind": "KubeletConfiguration", "maxPods": configs.MAX_PODS}
    patches = [json.dumps(patch), json.dumps(kubelet)]
    mounts = [{"hostPath": str(folder), "containerPath": inside}]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"podSubnet": "10.244.0.0/16"},
        "nodes": [
            {"role": "control-plane", "kubeadmConfigPatches": patches, "extraMounts": mounts}
        ],
    }


def clusters(kind: Path) -> list[str]:
    """The clusters that the real kind runs."""
    return run([kind, "get", "clusters"]).stdout.split()
