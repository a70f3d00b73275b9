"""What the cluster changes on the host outside its own namespaces, and how that is put back.

Four things: a few sysctls, one cgroup per hierarchy, one packet filter table and one link.
Each `undo` here also works after a crash in the middle, and when there is nothing to undo.
"""

import contextlib
import json
import time
from pathlib import Path

from localcluster.errors import ClusterError, Refused
from localcluster.running import run
from localcluster.settings import CGROUP, HOST_LINK, NFT_TABLE, NODE_ADDRESS, NODE_SUBNET

SYSCTLS = Path("/proc/sys")
CGROUPS = Path("/sys/fs/cgroup")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Raised for the many log followers and watches of a test node.
WANTED_SYSCTLS = {"fs/inotify/max_user_instances": 8192, "fs/inotify/max_user_watches": 524288}
# The kubelet sets these by itself; they belong to the whole machine, so we put them back.
KUBELET_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
POD_RANGES = "10.199.0.0/16"


def uplink() -> str | None:
    """The link that leads out of this machine, or None where there is no default route."""
    words = run(["ip", "-o", "-4", "route", "show", "default"]).stdout.split()
    return words[words.index("dev") + 1] if "dev" in words else None


def refuse_taken_subnet() -> None:
    """Raise Refused when another network of this machine uses the cluster's addresses."""
    words = run(["ip", "-o", "-4", "route", "get", NODE_ADDRESS], check=False).stdout.split()
    if "via" not in words and "dev" in words and words[words.index("dev") + 1] != HOST_LINK:
        link = words[words.index("dev") + 1]
        raise Refused(f"{NODE_SUBNET} is in use on link {link}; take that link down first")


def change_sysctls(record: Path) -> None:
    """Write what is there now to `record`, then set what the cluster needs."""
    wanted = dict(WANTED_SYSCTLS)
    if link := uplink():
        # Of this one link, not ip_forward: changing that resets other settings of all links.
        wanted[f"net/ipv4/conf/{link}/forwarding"] = 1
    before = {
        key: (SYSCTLS / key).read_text().strip()
        for key in (*wanted, *KUBELET_SYSCTLS)
        if (SYSCTLS / key).exists()
    }
    record.write_text(json.dumps({"boot": BOOT_ID.read_text(), "sysctls": before}))
    for key, value in wanted.items():
        if int(before[key]) < value:
            (SYSCTLS / key).write_text(str(value))


def restore_sysctls(record: Path) -> None:
    """Put back what `change_sysctls` wrote down, unless the machine was booted since."""
    if not record.exists():
        return
    try:
        content = json.loads(record.read_text())
    except ValueError:  # killed while writing it, so before anything was changed
        return
    if content["boot"] != BOOT_ID.read_text():
        return
    for key, value in content["sysctls"].items():
        path = SYSCTLS / key
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)


def make_link(node_pid: int) -> None:
    """Join host and node by a pair of links, and let the node's traffic out by the host's name."""
    run(["ip", "link", "add", HOST_LINK, "type", "veth", "peer", "eth0", "netns", str(node_pid)])
    run(["ip", "address", "add", NODE_SUBNET.replace(".0/", ".1/"), "dev", HOST_LINK])
    run(["ip", "link", "set", HOST_LINK, "up"])
    (SYSCTLS / f"net/ipv4/conf/{HOST_LINK}/forwarding").write_text("1")
    run(
        ["nft", "-f", "-"],
        stdin=f"""table ip {NFT_TABLE} {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {POD_RANGES} oifname != "{HOST_LINK}" masquerade;
            }}
        }}""",
    )


def remove_link() -> None:
    """Remove the host's end of the link and our packet filter table."""
    run(["ip", "link", "delete", HOST_LINK], check=False)
    run(["nft", "delete", "table", "ip", NFT_TABLE], check=False)


def make_cgroups() -> None:
    """Make the cgroup that the kubelet keeps its Pods in, in every hierarchy that has one."""
    for hierarchy in _hierarchies():
        group = hierarchy / CGROUP
        group.mkdir(exist_ok=True)
        if (group / "cpuset.cpus").exists():
            for name in ("cpuset.cpus", "cpuset.mems"):
                source = hierarchy / name
                if source.exists():  # cgroup v1 starts empty; v2 inherits
                    (group / name).write_text(source.read_text())
        controllers = group / "cgroup.controllers"
        if controllers.exists():
            enable = " ".join(f"+{name}" for name in controllers.read_text().split())
            (group / "cgroup.subtree_control").write_text(enable)


def remove_cgroups(*, seconds: float = 20) -> None:
    """Remove that cgroup; the kernel lets go of the last processes with a delay.

    Raises ClusterError when something still lives in it after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while left := [h / CGROUP for h in _hierarchies() if (h / CGROUP).exists()]:
        for group in left:
            below = (path for path in group.rglob("*") if path.is_dir())
            for folder in [*sorted(below, key=lambda path: -len(path.parts)), group]:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if time.monotonic() > deadline:
            raise ClusterError(f"processes are left in {left[0]}")
        time.sleep(0.05)


def _hierarchies() -> list[Path]:
    """Every cgroup mount of this machine: one with cgroup v2, one per controller with v1."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(fields[1]) for fields in mounts if fields[2] in {"cgroup", "cgroup2"}]
