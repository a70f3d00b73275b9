"""The programs of the cluster: which they are, and how they come into the cache.

Each is built from a Go module pinned by its checked-in go.mod and go.sum, once, into a folder
named by the hash of what it is made from. Called by cluster creation and by `make setup`.
"""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import ClusterError, Missing
from localcluster.running import say
from localcluster.settings import KUBERNETES, Settings, child_environment

VERSION_FLAGS = " ".join(
    f"-X k8s.io/component-base/version.{key}={value}"
    for key, value in {
        "gitVersion": KUBERNETES,
        "gitMajor": KUBERNETES.split(".")[0].removeprefix("v"),
        "gitMinor": KUBERNETES.split(".")[1],
    }.items()
)
HEARTBEAT_SECONDS = 30


@dataclass(frozen=True)
class Component:
    """One Go module and the programs taken from it; `minutes` on two cores, first time."""

    name: str
    packages: tuple[str, ...]
    minutes: float


COMPONENTS = (
    Component(
        "kubernetes",
        tuple(
            f"k8s.io/kubernetes/cmd/{program}"
            for program in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        ),
        8,
    ),
    Component("etcd", ("go.etcd.io/etcd/server/v3",), 0.5),
    Component(
        "containerd",
        tuple(
            f"github.com/containerd/containerd/v2/cmd/{program}"
            for program in ("containerd", "containerd-shim-runc-v2", "ctr")
        ),
        1.7,
    ),
    Component("coredns", ("github.com/coredns/coredns",), 2.5),
    Component("kwok", ("sigs.k8s.io/kwok/cmd/kwok",), 2),
    Component("helm", ("helm.sh/helm/v3/cmd/helm",), 2.5),
    Component("minio", ("github.com/minio/minio",), 3),
    Component("pause", ("cijob.dev/hack/components/pause",), 0.1),
)
# Go names a program after its folder; etcd's is called server.
RENAMED = {"server": "etcd"}


def build_all(settings: Settings) -> list[Path]:
    """Build what the cache lacks; return the folders with the programs, for a PATH.

    Raises Missing without Go, ClusterError with the compiler's last words when a build fails.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    with (settings.cache / "components.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lacking = [c for c in COMPONENTS if not _folder(settings, c).exists()]
        if lacking:
            minutes = sum(component.minutes for component in lacking)
            say(f"Building {len(lacking)} components, once, about {minutes:.0f} min on 2 cores.")
        for component in lacking:
            _build(settings, component)
    return [_folder(settings, component) for component in COMPONENTS]


def program(settings: Settings, name: str) -> Path:
    """The path of a built program, such as `kubectl`. Raises Missing when it is not built."""
    for component in COMPONENTS:
        candidate = _folder(settings, component) / name
        if candidate.exists():
            return candidate
    raise Missing(f"{name} is not built yet; run `make setup`")


def _folder(settings: Settings, component: Component) -> Path:
    source = settings.hack / "components" / component.name
    digest = hashlib.sha256(repr((component.packages, VERSION_FLAGS)).encode())
    for file in sorted(source.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return settings.cache / "components" / f"{component.name}-{digest.hexdigest()[:16]}"


def _build(settings: Settings, component: Component) -> None:
    if shutil.which("go") is None:
        raise Missing("no Go compiler on PATH; install Go 1.25 or later, then run this again")
    target = _folder(settings, component)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
        output = Path(scratch) / "bin"
        output.mkdir()
        _compile(settings, component, output)
        for built in output.iterdir():
            built.rename(output / RENAMED.get(built.name, built.name))
        # Whole or not at all: a build that was killed leaves nothing that looks finished.
        output.rename(target)


def _compile(settings: Settings, component: Component, output: Path) -> None:
    began = time.monotonic()
    say(f"  {component.name}: building (about {component.minutes:g} min) …")
    command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    command += ["-ldflags", f"-s -w {VERSION_FLAGS}", "-o", f"{output}/", *component.packages]
    with subprocess.Popen(
        command,
        cwd=settings.hack / "components" / component.name,
        env=child_environment(CGO_ENABLED="0", GOWORK="off"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as compiler:
        words = _wait_with_heartbeat(compiler, component.name, began)
    if compiler.returncode != 0:
        raise ClusterError(f"building {component.name} failed:\n{words[-2000:]}")
    say(f"  {component.name}: built in {time.monotonic() - began:.0f} s")


def _wait_with_heartbeat(compiler: subprocess.Popen[str], name: str, began: float) -> str:
    while True:
        try:
            return compiler.communicate(timeout=HEARTBEAT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            say(f"  {name}: still building, {time.monotonic() - began:.0f} s")
