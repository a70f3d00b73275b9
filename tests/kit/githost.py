"""A git server in the cluster, over https and ssh, with an authority of its own.

The authority gets to agents and jobs as the chart's caBundle does, by the ConfigMap `cijob-ca`.
"""

import base64
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import gitserver, sshserver
from kit.cluster import SYSTEM_IMAGE, Cluster, fresh_namespace, pod
from kit.installed import Installed

TOKEN, PORT, SSH_PORT = "not-a-real-token", 8443, 2222
SSHD = sshserver.UNPACKED / "usr" / "sbin" / "sshd"
SERVED = "/tmp/git/repositories"  # in the server's own Pod
HOLDERS = ("host", "user")  # of ssh keys
REPOSITORIES = f"""
export HOME=/tmp GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.com
export GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.com
mkdir -p /tmp/git/repositories
ln -s /tls /tmp/git/tls
git init -q -b main /tmp/work
cd /tmp/work
echo one > number && git add . && git commit -qm one && git tag v1
echo two > number && git commit -qam two
git clone -q --bare /tmp/work /tmp/git/repositories/project.git
git clone -q --bare /tmp/work /tmp/git/repositories/second.git
git -C /tmp/work rev-parse v1 main
if [ -e /ssh/openssh.tgz ]; then
    tar -xzf /ssh/openssh.tgz -C /tmp
    cp /ssh/user.pub /tmp/authorized
    install -m 600 /ssh/host /tmp/host
    export LD_LIBRARY_PATH=$(echo /tmp/usr/lib/*)
    /tmp/usr/sbin/sshd -e -f /dev/null -p {SSH_PORT} -h /tmp/host \\
        -o AuthorizedKeysFile=/tmp/authorized -o StrictModes=no -o PidFile=none
    unset LD_LIBRARY_PATH
fi
exec python /program/gitserver.py /tmp/git {PORT} {TOKEN}
"""


@dataclass(frozen=True)
class Hosted:
    """A repository in the cluster: where it is, and its two commits."""

    cluster: Cluster
    namespace: str
    url: str
    first: str
    tip: str
    ssh_url: str  # empty: this machine has no sshd to put there

    def plant(self, root: Path) -> None:
        """Serve the repositories of a folder, too."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(root, ".")
        self.run(f"base64 -d | tar -xz -C {SERVED}", base64.b64encode(packed.getvalue()))

    def run(self, script: str, stdin: bytes = b"") -> None:
        """Run something beside the server."""
        words = ("exec", "-i", "-n", self.namespace, "git", "--", "sh", "-euc", script)
        self.cluster.kubectl(*words, stdin=stdin.decode())


@contextmanager
def hosting(installed: Installed, folder: Path) -> Iterator[Hosted]:
    """The server in a namespace of its own, trusted and its token known where the jobs run."""
    cluster = installed.cluster
    with fresh_namespace(cluster) as namespace:
        host = f"git.{namespace}.svc"
        ca, certificate, key = gitserver.make_certificate(folder, host)
        keys = ssh_keys(folder)
        # Created: what is applied is kept twice, and the program is too large for that.
        program = json.dumps(ssh_program(keys))
        cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=program)
        cluster.apply(namespace, *server(certificate, key))
        cluster.wait(namespace, "pod/git", "condition=Ready")
        first, tip = cluster.kubectl("logs", "-n", namespace, "git").stdout.split()[:2]
        before = bundle(cluster, installed.namespace)
        set_bundle(cluster, installed.namespace, f"{before}\n{ca.read_text()}")
        secrets = ("git-token", TOKEN), ("git-wrong", "wrong")
        cluster.apply(installed.namespace, *(token_secret(*one) for one in secrets))
        known = f"[{host}]:{SSH_PORT} {keys['host.pub']}"
        stranger = f"[{host}]:{SSH_PORT} {keys['user.pub']}"
        cluster.apply(
            installed.namespace,
            key_secret("git-key", {"ssh-privatekey": keys["user"], "known_hosts": known}),
            key_secret("git-stranger", {"ssh-privatekey": keys["user"], "known_hosts": stranger}),
            key_secret("git-unknown", {"ssh-privatekey": keys["user"]}),
        )
        path = "/tmp/git/repositories/project.git"
        ssh_url = f"ssh://cijob@{host}:{SSH_PORT}{path}" if SSHD.exists() else ""
        url = f"https://{host}:{PORT}/project.git"
        yield Hosted(cluster, namespace, url, first, tip, ssh_url)
        set_bundle(cluster, installed.namespace, before)


def server(certificate: Path, key: Path) -> list[dict[str, Any]]:
    """The server's Pod, its Service, its program and its certificate."""
    volumes = [
        {"name": "program", "configMap": {"name": "git"}},
        {"name": "tls", "secret": {"secretName": "git"}},
        {"name": "ssh", "secret": {"secretName": "ssh"}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    program = pod(
        "git", REPOSITORIES, image=SYSTEM_IMAGE, volumeMounts=mounts, readinessProbe=probe
    )
    program["spec"]["volumes"] = volumes
    program["metadata"]["labels"] = {"app": "git"}
    files = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
    source = Path(gitserver.__file__).read_text()
    ports = [{"name": f"p{port}", "port": port} for port in (PORT, SSH_PORT)]
    return [
        named("ConfigMap", "git", data={"gitserver.py": source}),
        named("Secret", "git", stringData=files),
        named("Service", "git", spec={"selector": {"app": "git"}, "ports": ports}),
        program,
    ]


def ssh_keys(folder: Path) -> dict[str, str]:
    """The keys of the server and of its user."""
    for name in ("host", "user"):
        sshserver.make_key(folder, name)
    return {path.name: path.read_text() for path in folder.glob("*") if path.stem in HOLDERS}


def ssh_program(keys: dict[str, str]) -> dict[str, Any]:
    """This machine's sshd, packed into a Secret with the keys; without it, none is started."""
    if not SSHD.exists():
        return named("Secret", "ssh")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in (sshserver.UNPACKED / "usr/sbin", *sshserver.UNPACKED.glob("usr/lib/*-*")):
            archive.add(path, path.relative_to(sshserver.UNPACKED))
    program = {"openssh.tgz": base64.b64encode(packed.getvalue()).decode()}
    return named("Secret", "ssh", stringData=keys, data=program)


def key_secret(name: str, keys: dict[str, str]) -> dict[str, Any]:
    return named("Secret", name, stringData=keys)


def named(kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **rest}


def token_secret(name: str, token: str) -> dict[str, Any]:
    return named("Secret", name, stringData={"token": token})


def bundle(cluster: Cluster, namespace: str) -> str:
    """The certificates that the namespace's agents and jobs trust."""
    found: str = cluster.get("configmap", "-n", namespace, "cijob-ca")["data"]["ca.crt"]
    return found


def set_bundle(cluster: Cluster, namespace: str, certificates: str) -> None:
    patch = json.dumps({"data": {"ca.crt": certificates}})
    # By stdin: a machine's whole bundle is too long for an argument.
    words = ("patch", "configmap", "cijob-ca", "-n", namespace, "--type=merge")
    cluster.kubectl(*words, "--patch-file=/dev/stdin", stdin=patch)
