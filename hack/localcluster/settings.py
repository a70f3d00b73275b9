"""The environment, read in one place, and the fixed addresses and names of the cluster.

Called by the command line only; everything else is given a `Settings`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "v1.34.4"
NODE_SUBNET = "10.199.0.0/30"
HOST_ADDRESS = "10.199.0.1"
NODE_ADDRESS = "10.199.0.2"
POD_RANGE = "10.199.4.0/22"
FAKE_POD_RANGE = "10.198.0.1/16"
SERVICE_RANGE = "10.199.16.0/20"
API_SERVICE_ADDRESS = "10.199.16.1"
DNS_ADDRESS = "10.199.16.10"
API_SERVER = f"https://{NODE_ADDRESS}:6443"
HOST_LINK = "cijob0"
CGROUP = "cijob"
NFT_TABLE = "cijob_cluster"
PAUSE_IMAGE = "cijob.local/pause:1"
COREDNS_IMAGE = "cijob.local/coredns:1"
MINIO_IMAGE = "cijob/minio:dev"
# Several checkouts that share a cluster give their images tags of their own.
SYSTEM_IMAGE = f"cijob/cijob:{os.environ.get('CIJOB_IMAGE_TAG') or 'dev'}"


@dataclass(frozen=True)
class Settings:
    """Where things are kept: `cache` survives, `state` goes with the cluster."""

    cache: Path
    state: Path
    hack: Path
    kubeconfig: Path


def read_settings() -> Settings:
    """Read `CIJOB_CACHE`, `XDG_CACHE_HOME` and `KUBECONFIG`, with kind's own defaults."""
    home = Path(os.environ.get("HOME", "/root"))
    xdg = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    kubeconfig = os.environ.get("KUBECONFIG", "").split(":")[0]
    return Settings(
        cache=Path(os.environ.get("CIJOB_CACHE") or xdg / "cijob"),
        # One place for the whole machine: whoever asks, with whatever environment,
        # finds the cluster that runs on it.
        state=Path("/var/lib/cijob-cluster"),
        hack=Path(__file__).resolve().parent.parent,
        kubeconfig=Path(kubeconfig) if kubeconfig else home / ".kube" / "config",
    )


def child_environment(**extra: str) -> dict[str, str]:
    """The caller's environment with `extra` on top, for a process that we start."""
    return {**os.environ, **extra}


def search_path() -> str:
    """PATH, with the folders of system programs that a user's PATH may leave out."""
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
