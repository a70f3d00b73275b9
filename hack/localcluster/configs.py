"""The configuration files of the daemons, written into the node's folder before they start."""

import json
from pathlib import Path
from typing import Any

from localcluster.running import run
from localcluster.settings import (
    API_SERVER,
    CGROUP,
    DNS_ADDRESS,
    NODE_ADDRESS,
    PAUSE_IMAGE,
    POD_RANGE,
)

MAX_PODS = 400


def write_all(folder: Path, node_name: str, kubectl: Path) -> None:
    """Write every file that `daemons.py` names. The certificates are there already."""
    etc = folder / "etc"
    (etc / "cni").mkdir(parents=True, exist_ok=True)
    _write_json(etc / "audit-policy.yaml", audit_policy())
    _write_json(etc / "cni" / "10-bridge.conflist", bridge_network())
    _write_json(etc / "kubelet.yaml", kubelet(folder))
    _write_json(etc / "kube-proxy.yaml", kube_proxy(folder, node_name))
    (etc / "containerd.toml").write_text(containerd(folder))
    for user in ("kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "admin"):
        write_kubeconfig(kubectl, folder / "etc" / f"{user}.kubeconfig", folder / "pki", user)


def write_kubeconfig(
    kubectl: Path, file: Path, pki: Path, user: str, *, context: str = "cijob"
) -> None:
    """Add cluster, user and context to a kubeconfig, keeping what else is in it."""
    config = [kubectl, "config", f"--kubeconfig={file}"]
    authority = [f"--certificate-authority={pki / 'ca.crt'}", "--embed-certs=true"]
    run([*config, "set-cluster", context, f"--server={API_SERVER}", *authority])
    certificate = [f"--client-certificate={pki / user}.crt", f"--client-key={pki / user}.key"]
    run([*config, "set-credentials", context, *certificate, "--embed-certs=true"])
    run([*config, "set-context", context, f"--cluster={context}", f"--user={context}"])
    run([*config, "use-context", context])


def audit_policy() -> dict[str, Any]:
    """Every mutating call, without bodies: benchmarks and tests count writes here."""
    mutating = ["create", "update", "patch", "delete", "deletecollection"]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "verbs": mutating}, {"level": "None"}],
    }


def bridge_network() -> dict[str, Any]:
    """One bridge for all Pods of the node, with masquerading outwards."""
    return {
        "cniVersion": "1.0.0",
        "name": "cijob",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_RANGE}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def kubelet(folder: Path) -> dict[str, Any]:
    """A kubelet for a small shared machine; each odd setting has its reason beside it."""
    pki = folder / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-serving.key"),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "maxPods": MAX_PODS,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        # Disk pressure of the machine is not the cluster's business here.
        "evictionHard": {"memory.available": "100Mi"},
        # 100 turns it off: what was loaded cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        # emptyDir usage is looked at once a minute by default; tests of disk limits wait for it.
        "volumeStatsAggPeriod": "10s",
    }


def kube_proxy(folder: Path, node_name: str) -> dict[str, Any]:
    """Service addresses by iptables; the machine's connection tracking limits stay alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": node_name,
        "clientConnection": {"kubeconfig": str(folder / "etc" / "kube-proxy.kubeconfig")},
        "clusterCIDR": POD_RANGE,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "nodePortAddresses": [f"{NODE_ADDRESS}/32"],
    }


def containerd(folder: Path) -> str:
    """containerd 2 with runc and the bridge network."""
    return f"""version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{PAUSE_IMAGE}'
[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE no process may lower its score below its parent's:
  # every sandbox would die with "can't get final child's PID from pipe".
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['/usr/lib/cni', '/opt/cni/bin']
    conf_dir = '{folder}/etc/cni'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
"""


def _write_json(file: Path, content: dict[str, Any]) -> None:
    """JSON is YAML, too: no library is needed to write it."""
    file.write_text(json.dumps(content, indent=2) + "\n")
