"""A project of two commits on a git server in the cluster, and the credentials for it.

Jobs trust the server, and Secrets of theirs open it or do not.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.cluster import Cluster
from kit.githost import SERVED, SSH_PORT, Host, hosting, named

TOKEN = "not-a-real-token"
REPOSITORIES = f"""
git init -q -b main /tmp/work
cd /tmp/work
echo one > number && git add . && git commit -qm one && git tag v1
echo two > number && git commit -qam two
git clone -q --bare /tmp/work {SERVED}/project.git
git clone -q --bare /tmp/work {SERVED}/second.git
git -C /tmp/work rev-parse v1 main
"""


@dataclass(frozen=True)
class Project:
    """A repository in the cluster: where it is, and its two commits."""

    host: Host
    first: str
    tip: str

    @property
    def url(self) -> str:
        """Where it is, by https."""
        return f"{self.host.url}/project.git"

    @property
    def ssh_url(self) -> str:
        """Where it is by ssh; empty: this machine has no sshd to put there."""
        return self.host.ssh_url and f"{self.host.ssh_url}/project.git"


@contextmanager
def hosted_project(cluster: Cluster, jobs: str, folder: Path) -> Iterator[Project]:
    """The project, its server trusted and its credentials known in the namespace of the jobs."""
    with hosting(cluster, folder, REPOSITORIES, token=TOKEN, ssh=True) as host:
        first, tip = host.printed().split()[:2]
        before = _bundle(cluster, jobs)
        _set_bundle(cluster, jobs, f"{before}\n{host.authority}")
        _make_secrets(host, jobs)
        yield Project(host, first, tip)
        _set_bundle(cluster, jobs, before)


def _make_secrets(host: Host, jobs: str) -> None:
    """Credentials that open it, and some that do not."""
    key = {"ssh-privatekey": host.keys["user"]}
    server = f"[{host.name}]:{SSH_PORT}"
    secrets = {
        "git-token": {"token": TOKEN},
        "git-wrong": {"token": "wrong"},
        "git-key": {**key, "known_hosts": f"{server} {host.keys['host.pub']}"},
        "git-stranger": {**key, "known_hosts": f"{server} {host.keys['user.pub']}"},
        "git-unknown": key,
    }
    made = [named("Secret", name, stringData=content) for name, content in secrets.items()]
    host.cluster.apply(jobs, *made)


def _bundle(cluster: Cluster, namespace: str) -> str:
    """The certificates that the namespace's agents and jobs trust."""
    found: str = cluster.get("configmap", "-n", namespace, "cijob-ca")["data"]["ca.crt"]
    return found


def _set_bundle(cluster: Cluster, namespace: str, certificates: str) -> None:
    patch = json.dumps({"data": {"ca.crt": certificates}})
    # By stdin: a machine's whole bundle is too long for an argument.
    words = ("patch", "configmap", "cijob-ca", "-n", namespace, "--type=merge")
    cluster.kubectl(*words, "--patch-file=/dev/stdin", stdin=patch)
