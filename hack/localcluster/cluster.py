"""One local cluster, from nothing to ready and back to nothing.

Called by the command line. `create` is a list of steps, each of which `delete` can undo whatever
happened to the others.
"""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localcluster import addons, certificates, configs, daemons, host, images, node, requirements
from localcluster.components import build_all, program
from localcluster.errors import ClusterError, NotFound, Refused, TimedOut
from localcluster.running import run, say, wait_for
from localcluster.settings import COREDNS_IMAGE, NODE_ADDRESS, PAUSE_IMAGE, Settings

READY = "ready"
KUBECONFIG_RECORD = "kubeconfig.path"


@dataclass(frozen=True)
class Cluster:
    """A cluster's name and the folder with all that belongs to it."""

    name: str
    settings: Settings

    @property
    def folder(self) -> Path:
        """Where its keys, data and logs are until it is deleted."""
        return self.settings.state / self.name

    @property
    def node_name(self) -> str:
        """The name of its one node, as kind names it."""
        return f"{self.name}-control-plane"

    @property
    def admin(self) -> Path:
        """A kubeconfig with all rights."""
        return self.folder / "etc" / "admin.kubeconfig"

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as administrator and return what it prints."""
        binary = program(self.settings, "kubectl")
        return run([binary, f"--kubeconfig={self.admin}", *words], stdin=stdin, check=check).stdout


def names(settings: Settings) -> list[str]:
    """The clusters of this machine whose creation was finished and whose node is there."""
    if not settings.state.exists():
        return []
    return sorted(
        folder.name
        for folder in settings.state.iterdir()
        if (folder / READY).exists() and node.is_running(folder)
    )


def find(settings: Settings, name: str) -> Cluster:
    """The running cluster of that name. Raises NotFound."""
    if name not in names(settings):
        raise NotFound(f"no cluster {name!r} is running; `kind get clusters` lists what is")
    return Cluster(name, settings)


def create(
    settings: Settings, name: str, kubeconfig: Path, *, wait_seconds: float, retain: bool = False
) -> None:
    """Make the cluster `name` and add it to `kubeconfig`; nothing to do if it runs already.

    What was made is removed again when a step fails, unless `retain` is set.
    Raises Missing, Refused or TimedOut, each with what to do.
    """
    with _one_at_a_time():
        if name in names(settings):
            write_user_kubeconfig(Cluster(name, settings), kubeconfig)
            say(f"cluster {name!r} is running already")
            return
        requirements.check(settings)
        _clear_the_ground(settings, name)
        programs = build_all(settings)
        began = time.monotonic()
        cluster = Cluster(name, settings)
        try:
            _make(cluster, programs, kubeconfig)
            _await_ready(cluster, wait_seconds)
        except BaseException as error:
            if not retain:
                if isinstance(error, TimedOut) and error.log and error.log.exists():
                    say("\n".join(error.log.read_text(errors="replace").splitlines()[-15:]))
                _remove(cluster, kubeconfig)
            raise
        (cluster.folder / READY).touch()
        say(f"cluster {name!r} is ready after {time.monotonic() - began:.1f} s")


def delete(settings: Settings, name: str, kubeconfig: Path | None = None) -> None:
    """Remove the cluster and every trace of it on this machine, in whatever state it is."""
    with _one_at_a_time():
        folder = settings.state / name
        if not folder.exists():
            say(f"no cluster {name!r}: nothing to delete")
            return
        _remove(Cluster(name, settings), kubeconfig)
        say(f"deleted cluster {name!r}")


def export_logs(cluster: Cluster, target: Path) -> None:
    """Copy the logs of daemons and Pods to `target`."""
    shutil.copytree(cluster.folder / "logs", target / "daemons", dirs_exist_ok=True)
    pods = cluster.folder / "var-log" / "pods"
    if pods.exists():
        shutil.copytree(pods, target / "pods", dirs_exist_ok=True)


def start_component(cluster: Cluster, name: str) -> None:
    """Start a daemon that is not running, and wait until it answers."""
    if not daemons.has_ended(cluster.folder, name):
        say(f"{name} is running already")
        return
    daemons.start(name, cluster.folder, cluster.node_name, build_all(cluster.settings))
    if name == "kube-apiserver":
        _await_api_server(cluster)


def _make(cluster: Cluster, programs: list[Path], kubeconfig: Path) -> None:
    folder = cluster.folder
    for name in ("logs", "pids"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / KUBECONFIG_RECORD).write_text(str(kubeconfig))
    certificates.make(folder / "pki", cluster.node_name)
    configs.write_all(folder, cluster.node_name, program(cluster.settings, "kubectl"))
    host.change_sysctls(folder / "sysctls.json")
    host.make_cgroups()
    host.make_link(node.start(folder))
    node.configure_network(folder)
    for name in ("etcd", "containerd", "kube-apiserver"):
        daemons.start(name, folder, cluster.node_name, programs)
    runtime = folder / "logs" / "containerd.log"
    wait_for("containerd", lambda: _runtime_answers(cluster), seconds=30, log=runtime)
    for image in (PAUSE_IMAGE, COREDNS_IMAGE):
        archive = images.static_archive(cluster.settings, image)
        images.load_archive(cluster.settings, folder, archive)
    _await_api_server(cluster)
    for name in daemons.NAMES[3:]:
        daemons.start(name, folder, cluster.node_name, programs)
    cluster.kubectl("apply", "-f", "-", stdin=addons.manifests())
    write_user_kubeconfig(cluster, kubeconfig)


def _runtime_answers(cluster: Cluster) -> bool:
    ctr = [program(cluster.settings, "ctr"), "--address=/run/containerd/containerd.sock"]
    return run(node.enter(cluster.folder, [*ctr, "version"]), check=False).returncode == 0


def _await_api_server(cluster: Cluster) -> None:
    log = daemons.log_file(cluster.folder, "kube-apiserver")

    def answers() -> bool:
        if daemons.has_ended(cluster.folder, "kube-apiserver"):
            raise TimedOut("the API server has ended by itself", log)
        ready = ["get", "--raw=/readyz", "--request-timeout=2s"]
        return cluster.kubectl(*ready, check=False) == "ok"

    wait_for("the API server", answers, seconds=60, log=log)


def _await_ready(cluster: Cluster, seconds: float) -> None:
    """Ready: the node is, Pods can be made (their ServiceAccount is there), and names resolve."""
    log = daemons.log_file(cluster.folder, "kubelet")

    def answers(*words: str) -> str:
        return cluster.kubectl("get", *words, check=False)

    ready = '-ojsonpath={.status.conditions[?(@.type=="Ready")].status}'
    node_words = ("node", cluster.node_name, ready)
    wait_for("the node", lambda: answers(*node_words) == "True", seconds=seconds, log=log)
    cluster.kubectl(
        "label", "node", cluster.node_name, "node-role.kubernetes.io/control-plane=", "--overwrite"
    )
    account = ("serviceaccount", "default", "-oname")
    wait_for("the default ServiceAccount", lambda: answers(*account) != "", seconds=seconds)
    dns = ("-nkube-system", "deployment", "coredns", "-ojsonpath={.status.availableReplicas}")
    wait_for("DNS", lambda: answers(*dns) == "1", seconds=max(seconds, 30), log=log)


def _clear_the_ground(settings: Settings, name: str) -> None:
    """Refuse beside another cluster; remove what a crash left of this or any other name."""
    for folder in sorted(settings.state.iterdir()) if settings.state.exists() else []:
        if (folder / READY).exists() and node.is_running(folder) and folder.name != name:
            raise Refused(
                f"cluster {folder.name!r} is running, and this machine holds one at a time; "
                f"`kind delete cluster --name {folder.name}` ends it"
            )
        say(f"removing what is left of cluster {folder.name!r}")
        _remove(Cluster(folder.name, settings), None)
    host.refuse_taken_subnet()


def _remove(cluster: Cluster, kubeconfig: Path | None) -> None:
    folder = cluster.folder
    record = folder / KUBECONFIG_RECORD
    recorded = Path(record.read_text()) if record.exists() else None
    for file in {kubeconfig, recorded} - {None}:
        _remove_from_kubeconfig(cluster, file)
    node.end(folder)
    host.remove_link()
    host.remove_cgroups()
    host.restore_sysctls(folder / "sysctls.json")
    shutil.rmtree(folder)
    with contextlib.suppress(OSError):
        cluster.settings.state.rmdir()


def write_user_kubeconfig(cluster: Cluster, kubeconfig: Path) -> None:
    """Add the cluster to a kubeconfig as its current context, keeping what else is in it."""
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    configs.write_kubeconfig(
        program(cluster.settings, "kubectl"),
        kubeconfig,
        cluster.folder / "pki",
        "admin",
        context=f"kind-{cluster.name}",
    )
    kubeconfig.chmod(0o600)


def _remove_from_kubeconfig(cluster: Cluster, kubeconfig: Path | None) -> None:
    if kubeconfig is None or not kubeconfig.exists():
        return
    try:
        binary = program(cluster.settings, "kubectl")
    except ClusterError:  # never built: then nothing was ever added
        return
    context = f"kind-{cluster.name}"
    config = [binary, "config", f"--kubeconfig={kubeconfig}"]
    for kind in ("context", "cluster", "user"):
        run([*config, f"delete-{kind}", context], check=False)
    if run([*config, "current-context"], check=False).stdout.strip() == context:
        run([*config, "unset", "current-context"])


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let one `create` or `delete` run on this machine; a killed one leaves no lock behind."""
    with socket.socket(socket.AF_UNIX) as mutex:
        try:
            mutex.bind("\0cijob-cluster")
        except OSError as error:
            raise Refused(
                "another create or delete is at work on this machine; wait for its end"
            ) from error
        yield


def describe(settings: Settings) -> str:
    """One line about where a cluster would run, for `kind version`."""
    return f"local cluster at {NODE_ADDRESS}, {os.uname().machine}, cache {settings.cache}"
