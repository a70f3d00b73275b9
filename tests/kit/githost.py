"""A git server in a Pod of its own, with an authority of its own; over ssh, too, where asked for.

The repositories are made by a script in that Pod. Jobs trust the authority by the ConfigMaps
`cijob-ca` and `cijob-ca-env` of their namespace, which the chart makes, or `trust`.
"""

import base64
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit import gitserver, sshserver
from kit.cluster import SYSTEM_IMAGE, Cluster, fresh_namespace, pod

PORT, SSH_PORT = 8443, 2222
SERVED = "/tmp/git/repositories"  # in the server's own Pod
SSHD = sshserver.UNPACKED / "usr" / "sbin" / "sshd"
MOUNTS = ("program", "tls", "ssh")
_TRUST = ("SSL_CERT_FILE", "GIT_SSL_CAINFO")
_BEGIN = f"""
export HOME=/tmp GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.com
export GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.com
mkdir -p {SERVED}
ln -s /tls /tmp/git/tls
"""
_SSH = f"""
if [ -e /ssh/openssh.tgz ]; then
    tar -xzf /ssh/openssh.tgz -C /tmp
    cp /ssh/user.pub /tmp/authorized
    install -m 600 /ssh/host /tmp/host
    export LD_LIBRARY_PATH=$(echo /tmp/usr/lib/*)
    /tmp/usr/sbin/sshd -e -f /dev/null -p {SSH_PORT} -h /tmp/host \\
        -o AuthorizedKeysFile=/tmp/authorized -o StrictModes=no -o PidFile=none
    unset LD_LIBRARY_PATH
fi
"""


@dataclass(frozen=True)
class Host:
    """A server that runs."""

    cluster: Cluster
    namespace: str
    name: str  # as the cluster's DNS has it
    authority: str  # its certificate
    keys: dict[str, str] = field(default_factory=dict)  # of ssh: `host`, `user`, and their `.pub`

    @property
    def url(self) -> str:
        """Where the repositories are, by https."""
        return f"https://{self.name}:{PORT}"

    @property
    def ssh_url(self) -> str:
        """Where they are by ssh; empty: this machine has no sshd to put there, or nobody asked."""
        has_sshd = self.keys and SSHD.exists()
        return f"ssh://cijob@{self.name}:{SSH_PORT}{SERVED}" if has_sshd else ""

    def printed(self) -> str:
        """What the script has printed."""
        return self.cluster.kubectl("logs", "-n", self.namespace, "git").stdout

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
def hosting(
    cluster: Cluster, folder: Path, script: str, *, token: str = "", ssh: bool = False
) -> Iterator[Host]:
    """The server, in a namespace of its own; its authority is `ca.crt` in the folder, too.

    The script makes bare repositories in SERVED. With a token the server wants it over https.
    """
    with fresh_namespace(cluster) as namespace:
        name = f"git.{namespace}.svc"
        ca, certificate, key = gitserver.make_certificate(folder, name)
        keys = _ssh_keys(folder) if ssh else {}
        # Created: what is applied is kept twice, and the program is too large for that.
        program = json.dumps(_ssh_program(keys))
        cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=program)
        files = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
        source = Path(gitserver.__file__).read_text()
        ports = [{"name": f"p{port}", "port": port} for port in (PORT, SSH_PORT)]
        serve = f"exec python /program/gitserver.py /tmp/git {PORT} '{token}'"
        cluster.apply(
            namespace,
            named("ConfigMap", "program", data={"gitserver.py": source}),
            named("Secret", "tls", stringData=files),
            named("Service", "git", spec={"selector": {"app": "git"}, "ports": ports}),
            _server(f"{_BEGIN}{script}{_SSH}{serve}"),
        )
        cluster.wait(namespace, "pod/git", "condition=Ready")
        yield Host(cluster, namespace, name, ca.read_text(), keys)


def trust(host: Host, jobs: str) -> None:
    """Have the jobs of a namespace trust the authority, as the chart's caBundle does."""
    trusted = dict.fromkeys(_TRUST, "/etc/cijob-ca/ca.crt")
    host.cluster.apply(
        jobs,
        named("ConfigMap", "cijob-ca", data={"ca.crt": host.authority}),
        named("ConfigMap", "cijob-ca-env", data=trusted),
    )


def named(kind: str, name: str, **rest: Any) -> dict[str, Any]:
    """An object of the core."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **rest}


def _server(script: str) -> dict[str, Any]:
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in MOUNTS]
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    made = pod("git", script, image=SYSTEM_IMAGE, volumeMounts=mounts, readinessProbe=probe)
    secrets = [{"name": name, "secret": {"secretName": name}} for name in MOUNTS[1:]]
    made["spec"]["volumes"] = [{"name": "program", "configMap": {"name": "program"}}, *secrets]
    made["metadata"]["labels"] = {"app": "git"}
    return made


def _ssh_keys(folder: Path) -> dict[str, str]:
    """The keys of the server and of its user."""
    holders = ("host", "user")
    for name in holders:
        sshserver.make_key(folder, name)
    return {path.name: path.read_text() for path in folder.glob("*") if path.stem in holders}


def _ssh_program(keys: dict[str, str]) -> dict[str, Any]:
    """This machine's sshd, packed into a Secret with the keys; without it, none is started."""
    if not keys or not SSHD.exists():
        return named("Secret", "ssh")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in (sshserver.UNPACKED / "usr/sbin", *sshserver.UNPACKED.glob("usr/lib/*-*")):
            archive.add(path, path.relative_to(sshserver.UNPACKED))
    program = {"openssh.tgz": base64.b64encode(packed.getvalue()).decode()}
    return named("Secret", "ssh", stringData=keys, data=program)
