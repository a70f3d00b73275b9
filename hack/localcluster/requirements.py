"""What this machine must have before a cluster is made; each lack is one line with what to do."""

import os
import shutil
import sys
from pathlib import Path

from localcluster.errors import Missing
from localcluster.settings import Settings, search_path

# Program → the Debian package that brings it.
PROGRAMS = {
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "runc": "runc",
    "openssl": "openssl",
    "mount": "mount",
    "sysctl": "procps",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
NETWORK_PLUGIN = Path("/usr/lib/cni/bridge")
COVERED = ("/var/lib", "/var/log", "/run")


def check(settings: Settings, *, uid: int | None = None, platform: str = sys.platform) -> None:
    """Raise Missing for the first thing that is not there. `uid` is the caller's own by default."""
    if platform != "linux":
        raise Missing("a local cluster needs Linux; elsewhere start Docker and install kind")
    if (os.geteuid() if uid is None else uid) != 0:
        raise Missing("a local cluster needs root; run this as root, or install Docker and kind")
    for program, package in PROGRAMS.items():
        if shutil.which(program, path=search_path()) is None:
            raise Missing(f"{program} is missing; run `make setup`, or install {package}")
    if not NETWORK_PLUGIN.exists():
        raise Missing(
            f"{NETWORK_PLUGIN} is missing; run `make setup`, or install containernetworking-plugins"
        )
    if any(settings.cache.resolve().is_relative_to(folder) for folder in COVERED):
        raise Missing(
            f"the node cannot see a cache below {', '.join(COVERED)}, and CIJOB_CACHE is "
            f"{settings.cache}; choose another folder"
        )
