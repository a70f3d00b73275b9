"""Repositories in the cluster: a git server in a Pod of its own, with an authority of its own.

The repositories are made by a script in that Pod; jobs trust the authority by the ConfigMaps
`cijob-ca` and `cijob-ca-env` of their namespace, which the chart makes, or `trust`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit import gitserver
from kit.cluster import SYSTEM_IMAGE, Cluster, fresh_namespace, pod

PORT = 8443
_MAKE = """
export HOME=/tmp GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.com
export GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.com
mkdir -p /tmp/git/repositories
ln -s /tls /tmp/git/tls
{script}
exec python /program/gitserver.py /tmp/git {port} ''
"""
_TRUST = ("SSL_CERT_FILE", "GIT_SSL_CAINFO")


@contextmanager
def hosting(cluster: Cluster, folder: Path, script: str) -> Iterator[str]:
    """A server: its URL. The certificate of its authority is `ca.crt` in the folder.

    The script makes bare repositories below /tmp/git/repositories; what it prints is in the Pod's
    log.
    """
    with fresh_namespace(cluster) as namespace:
        host = f"git.{namespace}.svc"
        _, certificate, key = gitserver.make_certificate(folder, host)
        files = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
        program = {"gitserver.py": Path(gitserver.__file__).read_text()}
        cluster.apply(
            namespace,
            _object("ConfigMap", "git", data=program),
            _object("Secret", "git", stringData=files),
            _object("Service", "git", spec={"selector": {"app": "git"}, "ports": [{"port": PORT}]}),
            _server(_MAKE.format(script=script, port=PORT)),
        )
        cluster.wait(namespace, "pod/git", "condition=Ready")
        yield f"https://{host}:{PORT}"


def trust(cluster: Cluster, jobs: str, folder: Path) -> None:
    """Have the jobs of a namespace trust the authority, as the chart's caBundle does."""
    ca = (folder / "ca.crt").read_text()
    trusted = dict.fromkeys(_TRUST, "/etc/cijob-ca/ca.crt")
    cluster.apply(
        jobs,
        _object("ConfigMap", "cijob-ca", data={"ca.crt": ca}),
        _object("ConfigMap", "cijob-ca-env", data=trusted),
    )


def _server(script: str) -> dict[str, Any]:
    volumes = [
        {"name": "program", "configMap": {"name": "git"}},
        {"name": "tls", "secret": {"secretName": "git"}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    made = pod("git", script, image=SYSTEM_IMAGE, volumeMounts=mounts, readinessProbe=probe)
    made["spec"]["volumes"] = volumes
    made["metadata"]["labels"] = {"app": "git"}
    return made


def _object(kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **rest}
