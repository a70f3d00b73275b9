"""The daemons of the node: their command lines, starting one, signalling one.

Each is started inside the node and found again by a small record of its process beside its log.
"""

import contextlib
import os
import signal
from pathlib import Path

from localcluster import node
from localcluster.errors import NotFound
from localcluster.running import spawn, wait_for
from localcluster.settings import (
    FAKE_POD_RANGE,
    NODE_ADDRESS,
    SERVICE_RANGE,
    child_environment,
    search_path,
)

ETCD = "http://127.0.0.1:2379"
# In the order in which they are started.
NAMES = (
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)


def command_line(name: str, folder: Path, node_name: str) -> list[str]:
    """The program and arguments of a daemon. Raises NotFound for a name that is none."""
    makers = {
        "etcd": _etcd,
        "containerd": lambda folder: [f"--config={folder}/etc/containerd.toml"],
        "kube-apiserver": _api_server,
        "kube-controller-manager": _controller_manager,
        "kube-scheduler": _scheduler,
        "kubelet": lambda folder: _kubelet(folder, node_name),
        "kube-proxy": lambda folder: [f"--config={folder}/etc/kube-proxy.yaml"],
        "kwok": _kwok,
    }
    if name not in makers:
        raise NotFound(f"no component {name!r}; there are {', '.join(makers)}")
    return [name, *makers[name](folder)]


def start(name: str, folder: Path, node_name: str, programs: list[Path]) -> None:
    """Start a daemon inside the node, with its output in `logs/<name>.log`."""
    path = ":".join([*(str(p) for p in programs), search_path()])
    command = node.enter(folder, command_line(name, folder, node_name))
    process = spawn(command, log_file(folder, name), child_environment(PATH=path))
    _record(folder, name).write_text(str(process.pid))


def has_ended(folder: Path, name: str) -> bool:
    """Whether a daemon is not running and not starting either."""
    return _launcher(folder, name) is None


def running_pid(folder: Path, name: str) -> int | None:
    """The daemon's PID on the host, or None when it is not running (or not yet)."""
    launcher = _launcher(folder, name)
    if launcher is None:
        return None
    with contextlib.suppress(OSError):
        children = (launcher / "task" / launcher.name / "children").read_text().split()
        return int(children[0]) if children else None
    return None


def send_signal(folder: Path, name: str, number: signal.Signals) -> None:
    """Signal a daemon; after SIGKILL or SIGTERM wait until it is gone. Raises NotFound."""
    pid = running_pid(folder, name)
    if pid is None:
        raise NotFound(f"{name} is not running; start it by `kind start component {name}`")
    os.kill(pid, number)
    if number in {signal.SIGKILL, signal.SIGTERM}:
        wait_for(f"the end of {name}", lambda: running_pid(folder, name) != pid, seconds=30)


def log_file(folder: Path, name: str) -> Path:
    """Where a daemon's output goes."""
    return folder / "logs" / f"{name}.log"


def _launcher(folder: Path, name: str) -> Path | None:
    """The /proc entry of the `nsenter` that we started; the daemon is its only child."""
    record = _record(folder, name)
    if not record.exists():
        return None
    entry = Path("/proc") / record.read_text()
    with contextlib.suppress(OSError):
        # A foreign process that was given the same PID later has another command line;
        # one that has ended has none.
        if b"nsenter" in (entry / "cmdline").read_bytes():
            return entry
    return None


def _record(folder: Path, name: str) -> Path:
    return folder / "pids" / name


def _etcd(folder: Path) -> list[str]:
    return [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--quota-backend-bytes=8589934592",
        "--unsafe-no-fsync",  # a test cluster outlives no power cut
        "--log-level=warn",
    ]


def _api_server(folder: Path) -> list[str]:
    pki = folder / "pki"
    return [
        f"--etcd-servers={ETCD}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-account.key",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--audit-policy-file={folder}/etc/audit-policy.yaml",
        f"--audit-log-path={folder}/logs/audit.log",
        # 0 would mean the default of 100 MB, and rotation loses what a test counts.
        "--audit-log-maxsize=10000",
        "--audit-log-maxbackup=1",
        # Without them the scheduler and others complain of an incomplete authentication setup.
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--shutdown-delay-duration=0s",
    ]


def _controller_manager(folder: Path) -> list[str]:
    return [
        *_client(folder, "kube-controller-manager"),
        "--use-service-account-credentials=true",
        f"--root-ca-file={folder}/pki/ca.crt",
        f"--service-account-private-key-file={folder}/pki/service-account.key",
        f"--cluster-signing-cert-file={folder}/pki/ca.crt",
        f"--cluster-signing-key-file={folder}/pki/ca.key",
    ]


def _scheduler(folder: Path) -> list[str]:
    return _client(folder, "kube-scheduler")


def _client(folder: Path, name: str) -> list[str]:
    """What controller-manager and scheduler have in common."""
    kubeconfig = f"{folder}/etc/{name}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",  # one replica: no lease to wait for
        # The default of 20 requests a second would throttle Jobs in the benchmarks.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _kubelet(folder: Path, node_name: str) -> list[str]:
    return [
        f"--config={folder}/etc/kubelet.yaml",
        f"--kubeconfig={folder}/etc/kubelet.kubeconfig",
        f"--hostname-override={node_name}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def _kwok(folder: Path) -> list[str]:
    return [
        f"--kubeconfig={folder}/etc/admin.kubeconfig",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--cidr={FAKE_POD_RANGE}",
        f"--node-ip={NODE_ADDRESS}",
        "--node-lease-duration-seconds=40",
    ]
