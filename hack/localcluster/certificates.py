"""The cluster's certificates: one authority, and what each part shows and trusts. By openssl."""

from dataclasses import dataclass
from pathlib import Path

from localcluster.running import run
from localcluster.settings import API_SERVICE_ADDRESS, NODE_ADDRESS

DAYS = "3650"
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", DAYS]


@dataclass(frozen=True)
class Identity:
    """A certificate to make: file name, common name, group, and the names it serves under."""

    file: str
    name: str
    group: str = ""
    serves: tuple[str, ...] = ()


def make(folder: Path, node_name: str) -> None:
    """Fill `folder` with `ca`, every identity, and the service account key, each .crt and .key."""
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-subj", "/CN=cijob-cluster"]
    authority += ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt")]
    run(["openssl", "req", "-x509", *KEY, *authority])
    for identity in identities(node_name):
        _issue(folder, identity)
    run(["openssl", "genrsa", "-out", folder / "service-account.key", "2048"])


def identities(node_name: str) -> list[Identity]:
    """Who needs a certificate in a cluster with one node."""
    kubernetes = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    in_cluster = tuple(f"DNS:{name}" for name in (*kubernetes, f"{kubernetes[2]}.cluster.local"))
    here = ("DNS:localhost", "IP:127.0.0.1", f"IP:{NODE_ADDRESS}")
    return [
        Identity(
            "apiserver", "kube-apiserver", "", (*in_cluster, *here, f"IP:{API_SERVICE_ADDRESS}")
        ),
        Identity("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Identity("admin", "kubernetes-admin", "system:masters"),
        Identity("kube-controller-manager", "system:kube-controller-manager"),
        Identity("kube-scheduler", "system:kube-scheduler"),
        Identity("kube-proxy", "system:kube-proxy"),
        Identity("kubelet", f"system:node:{node_name}", "system:nodes"),
        Identity(
            "kubelet-serving",
            f"system:node:{node_name}",
            "system:nodes",
            (f"DNS:{node_name}", *here),
        ),
    ]


def _issue(folder: Path, identity: Identity) -> None:
    group = f"/O={identity.group}" if identity.group else ""
    command = ["openssl", "req", "-x509", *KEY, "-CA", str(folder / "ca.crt")]
    command += ["-CAkey", str(folder / "ca.key"), "-subj", f"{group}/CN={identity.name}"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    if identity.serves:
        command += ["-addext", f"subjectAltName={','.join(identity.serves)}"]
    command += ["-keyout", str(folder / f"{identity.file}.key")]
    run([*command, "-out", folder / f"{identity.file}.crt"])
