"""The machine before and after: a listing of everything that a cluster could leave behind."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "cijob-machine"


def kind(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `hack/kind` to its end; the output is part of the failure, if there is one."""
    command = [str(ROOT / "hack" / "kind"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr
    return done


def listing() -> dict[str, list[str]]:
    """Processes, mounts, links, packet filters, cgroups, sysctls and top-level files, sorted."""
    return {
        "processes": _processes(),
        "mounts": sorted(Path("/proc/self/mountinfo").read_text().splitlines()),
        "links": _lines("ip", "-o", "link", "show"),
        "addresses and routes": [*_lines("ip", "-o", "addr"), *_lines("ip", "route")],
        "iptables": [line for line in _lines("iptables-save") if not line.startswith("#")],
        "nftables": _lines("nft", "list", "ruleset"),
        "cgroups": sorted(map(str, Path("/sys/fs/cgroup").glob("*/*/"))),
        "sysctls": _sysctls(),
        "files": sorted(
            str(path)
            for folder in ("/", "/etc", "/opt", "/run", "/var", "/var/lib", "/var/log", "/var/run")
            for path in Path(folder).iterdir()
        ),
    }


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _processes() -> list[str]:
    """Command lines of what runs in user space, by the words that a cluster's programs have."""
    words = (
        "kube",
        "etcd",
        "containerd",
        "nsenter",
        "unshare",
        "pause",
        "coredns",
        "kwok",
        "node_init",
    )
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if entry.name.isdigit() and line and any(word in line for word in words):
            found.append(line)
    return sorted(found)


def _sysctls() -> list[str]:
    watched = (
        "fs/inotify",
        "kernel/panic",
        "kernel/panic_on_oops",
        "kernel/keys",
        "vm",
        "net/ipv4/conf",
    )
    files: list[Path] = []
    for name in watched:
        path = Path("/proc/sys") / name
        files += [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    lines = []
    for file in files:
        try:
            lines.append(f"{file} = {file.read_text().strip()}")
        except OSError:
            continue
    return lines
