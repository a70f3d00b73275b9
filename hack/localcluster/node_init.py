"""The first process of the node: makes its mounts, then reaps orphans until it is killed.

Started by `node.py` in fresh namespaces with the node's folder as its argument. Standard
library only and no import from beside it, since Python runs it isolated.
"""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

# From <sys/mount.h>.
MS_BIND, MS_REC, MS_SHARED = 4096, 16384, 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]


def main() -> None:
    folder = Path(sys.argv[1])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    make_mounts(folder)
    (folder / "node.ready").touch()
    reap()


def make_mounts(folder: Path) -> None:
    """Cover the folders that Kubernetes writes to with the node's own."""
    resolver = Path("/run/systemd/resolve/resolv.conf")
    if not resolver.exists():
        resolver = Path("/etc/resolv.conf")
    (folder / "resolv.conf").write_text(resolver.read_text())
    # The kubelet spreads mounts to containers that ask for it.
    mount("none", "/", MS_REC | MS_SHARED)
    for name in ("lib", "log"):
        (folder / f"var-{name}").mkdir(exist_ok=True)
    # The node's own files stay where they are for the programs in it, below its own /var/lib.
    again = folder / "var-lib" / folder.relative_to("/var/lib")
    again.mkdir(parents=True, exist_ok=True)
    mount(folder, again, MS_BIND)
    mount(folder / "var-lib", "/var/lib", MS_BIND | MS_REC)
    mount(folder / "var-log", "/var/log", MS_BIND)
    mount("tmpfs", "/run", 0, kind="tmpfs", options="mode=755")


def mount(
    source: Path | str, target: Path | str, flags: int, *, kind: str = "", options: str = ""
) -> None:
    """The system call mount(2); the program of that name leaves a folder behind in /run."""
    words = [str(word).encode() for word in (source, target, kind)]
    if LIBC.mount(*words, flags, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def reap() -> None:
    """Collect every child that ends; SIGCHLD is blocked and waited for."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait({signal.SIGCHLD})


if __name__ == "__main__":
    main()
