"""The node: one init process with PID, mount and network namespaces of its own.

All daemons and containers of the cluster live below it, so that ending it ends them all and
takes their mounts and links along. This module starts it, finds it, runs programs in it and
ends it. The init process itself is `node_init.py`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from localcluster.errors import ClusterError, NotFound
from localcluster.running import spawn, wait_for
from localcluster.settings import HOST_ADDRESS, NODE_ADDRESS, child_environment, search_path

INIT = Path(__file__).with_name("node_init.py")


def start(folder: Path) -> int:
    """Start the node that keeps its files in `folder`; return its init's PID on the host.

    Raises TimedOut when the init process does not get ready.
    """
    ready = folder / "node.ready"
    ready.unlink(missing_ok=True)
    log = folder / "logs" / "node.log"
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--net"]
    command += ["--propagation", "private", "--mount-proc", "--"]
    command += [sys.executable, "-I", str(INIT), str(folder)]
    spawn(command, log, child_environment(PATH=search_path()))
    wait_for("the node", ready.exists, seconds=20, log=log)
    return init_pid(folder)


def configure_network(folder: Path) -> None:
    """Give the node its address and its way out; its end of the link is there already."""
    network = [
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{NODE_ADDRESS}/30", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
        ["ip", "route", "add", "default", "via", HOST_ADDRESS],
        ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ]
    for command in network:
        done = subprocess.run(enter(folder, command), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ClusterError(f"`{' '.join(command)}` in the node failed: {done.stderr.strip()}")


def enter(folder: Path, command: Sequence[object]) -> list[str]:
    """The command line that runs `command` inside the node. Raises NotFound without one."""
    namespaces = ["--mount", "--net", "--pid"]
    return [
        "nsenter",
        f"--target={init_pid(folder)}",
        *namespaces,
        "--",
        *(str(word) for word in command),
    ]


def init_pid(folder: Path) -> int:
    """The PID on the host of the node's init process. Raises NotFound when it is not running."""
    pids = _pids(folder)
    if not pids:
        raise NotFound("the node is not running")
    # The child comes after its parent `unshare`, whose command line holds ours as well.
    return next(pid for pid in pids if _is_init(pid))


def is_running(folder: Path) -> bool:
    """Whether the node's init process is there."""
    return any(_is_init(pid) for pid in _pids(folder))


def end(folder: Path, *, seconds: float = 20) -> None:
    """End the node and everything in it, at once. Raises ClusterError if it will not go."""
    deadline = time.monotonic() + seconds
    # Found by their command line, not by a PID file: so a `create` that was killed
    # before it could write anything down is cleaned up too.
    while pids := _pids(folder):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"the node's processes {pids} do not end")
        time.sleep(0.05)


def _pids(folder: Path) -> list[int]:
    """The node's init process and the `unshare` above it, by their last two words.

    Of the program only its name counts: the node may have been started from another checkout.
    """
    wanted = (INIT.name.encode(), str(folder).encode())
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            *_, program, last = [b"", b"", *words]
            if (program.rpartition(b"/")[2], last) == wanted and not _is_zombie(entry):
                found.append(int(entry.name))
    return sorted(found)


def _is_zombie(entry: Path) -> bool:
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}


def _is_init(pid: int) -> bool:
    """Whether the process is number 1 of an inner PID namespace."""
    with contextlib.suppress(OSError):
        for line in (Path("/proc") / str(pid) / "status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return len(line.split()) > 2 and line.split()[-1] == "1"
    return False
