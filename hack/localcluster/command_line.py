"""`hack/kind`: kind's own command line, and a few verbs of ours, over the local cluster.

Ours are `create|delete nodes` (fake nodes), `kill|start component`, `exec`, `get audit-log` and
`get provider`. Everything else takes kind's options and prints what kind prints.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from localcluster import (
    cluster,
    components,
    daemons,
    fake_nodes,
    handover,
    image_builds,
    images,
    node,
)
from localcluster.errors import ClusterError, NotFound, Refused
from localcluster.running import say
from localcluster.settings import Settings, read_settings

DEFAULT_WAIT_SECONDS = 60
Action = Callable[[Settings, argparse.Namespace], None]
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 1 for a failure that is explained on stderr."""
    given = list(sys.argv[1:] if words is None else words)
    settings = read_settings()
    try:
        kind = handover.real_kind()
        if kind and given[:2] == ["get", "provider"]:
            print("kind")
        elif kind and given[:2] == ["get", "audit-log"]:
            print(handover.audit_log(settings))
        elif kind and given[:2] != ["build", "components"]:
            handover.hand_over(settings, kind, given)
        else:
            options = parser().parse_args(given)
            options.run(settings, options)
    except ClusterError as error:
        say(f"ERROR: {error}")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="kind", description=__doc__)
    verbs = top.add_subparsers(required=True, metavar="COMMAND")
    _create_options(verbs.add_parser("create", help="create cluster|nodes"))
    _delete_options(verbs.add_parser("delete", help="delete cluster|nodes"))
    _get_options(verbs.add_parser("get", help="get clusters|nodes|kubeconfig|…"))
    _load_options(verbs.add_parser("load", help="load docker-image|image-archive"))
    _component_options(verbs)
    export = verbs.add_parser("export", help="export logs").add_subparsers(required=True)
    logs = _leaf(export, "logs", export_logs)
    logs.add_argument("folder", nargs="?", type=Path)
    _leaf(verbs, "version", show_version)
    build = verbs.add_parser("build", help="build components").add_subparsers(required=True)
    _leaf(build, "components", lambda settings, _: _print_all(components.build_all(settings)))
    return top


def create_cluster(settings: Settings, options: argparse.Namespace) -> None:
    """`create cluster`"""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,40}[a-z0-9])?", options.name):
        raise Refused(f"{options.name!r} is no cluster name: lower case, digits, dots, dashes")
    if options.config or options.image:
        raise Refused("the local cluster takes no --config and no --image")
    kubeconfig = options.kubeconfig or settings.kubeconfig
    cluster.create(
        settings,
        options.name,
        kubeconfig,
        # kind does not wait by default, and its 0s says so; a local cluster is up in seconds.
        wait_seconds=seconds(options.wait) or DEFAULT_WAIT_SECONDS,
        retain=options.retain,
    )


def delete_cluster(settings: Settings, options: argparse.Namespace) -> None:
    """`delete cluster`"""
    cluster.delete(settings, options.name, options.kubeconfig or settings.kubeconfig)


def create_nodes(settings: Settings, options: argparse.Namespace) -> None:
    """`create nodes`"""
    here = cluster.find(settings, options.name)
    _print_all(fake_nodes.create(here, options.count, options.arch))


def get_clusters(settings: Settings, _: argparse.Namespace) -> None:
    """`get clusters`"""
    found = cluster.names(settings)
    if not found:
        say("No kind clusters found.")
    _print_all(found)


def get_nodes(settings: Settings, options: argparse.Namespace) -> None:
    """`get nodes`"""
    output = cluster.find(settings, options.name).kubectl("get", "nodes", "-oname")
    _print_all(line.removeprefix("node/") for line in output.split())


def get_kubeconfig(settings: Settings, options: argparse.Namespace) -> None:
    """`get kubeconfig`"""
    here = cluster.find(settings, options.name)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "kubeconfig"
        cluster.write_user_kubeconfig(here, file)
        print(file.read_text(), end="")


def load_image(settings: Settings, options: argparse.Namespace) -> None:
    """`load docker-image`: images that `make images` built with buildah."""
    here = cluster.find(settings, options.name)
    for image in options.image:
        archive = image_builds.archive_path(settings, image)
        if not archive.exists():
            raise NotFound(f"no image {image!r} was built here; `make images` builds ours")
        images.load_archive(settings, here.folder, archive)


def load_archive(settings: Settings, options: argparse.Namespace) -> None:
    """`load image-archive`"""
    here = cluster.find(settings, options.name)
    for archive in options.archive:
        images.load_archive(settings, here.folder, archive)


def export_logs(settings: Settings, options: argparse.Namespace) -> None:
    """`export logs`"""
    target = options.folder or Path(tempfile.mkdtemp(prefix="kind-logs-"))
    cluster.export_logs(cluster.find(settings, options.name), target)
    print(target)


def kill_component(settings: Settings, options: argparse.Namespace) -> None:
    """`kill component`"""
    here = cluster.find(settings, options.name)
    daemons.send_signal(here.folder, options.component, signal.Signals[f"SIG{options.signal}"])


def start_component(settings: Settings, options: argparse.Namespace) -> None:
    """`start component`"""
    cluster.start_component(cluster.find(settings, options.name), options.component)


def execute(settings: Settings, options: argparse.Namespace) -> None:
    """`exec`: run a program inside the node, with its exit code."""
    here = cluster.find(settings, options.name)
    command = node.enter(here.folder, options.command)
    os.execvp(command[0], command)  # noqa: S606


def show_version(settings: Settings, _: argparse.Namespace) -> None:
    """`version`"""
    print(f"kind v0.0.0-cijob, {cluster.describe(settings)}")


def seconds(duration: str) -> float:
    """Parse Go's durations, such as `1m30s`. Raises Refused. kind's own default is `0s`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration)
    if not parts or "".join(f"{n}{unit}" for n, unit in parts) != duration:
        raise Refused(f"{duration!r} is no duration; write it like 90s or 1m30s")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _create_options(create: argparse.ArgumentParser) -> None:
    kinds = create.add_subparsers(required=True)
    make = _leaf(kinds, "cluster", create_cluster)
    make.add_argument("--kubeconfig", type=Path)
    make.add_argument("--wait", default="0s", help="how long to wait for the node (0s: a minute)")
    make.add_argument("--retain", action="store_true", help="keep what a failure leaves")
    make.add_argument("--config", help=argparse.SUPPRESS)
    make.add_argument("--image", help=argparse.SUPPRESS)
    nodes = _leaf(kinds, "nodes", create_nodes)
    nodes.add_argument("--count", type=int, default=1)
    nodes.add_argument("--arch", default="amd64")


def _delete_options(delete: argparse.ArgumentParser) -> None:
    kinds = delete.add_subparsers(required=True)
    _leaf(kinds, "cluster", delete_cluster).add_argument("--kubeconfig", type=Path)
    _leaf(
        kinds,
        "nodes",
        lambda settings, options: fake_nodes.delete(cluster.find(settings, options.name)),
    )


def _get_options(get: argparse.ArgumentParser) -> None:
    kinds = get.add_subparsers(required=True)
    _leaf(kinds, "clusters", get_clusters)
    _leaf(kinds, "nodes", get_nodes)
    _leaf(kinds, "kubeconfig", get_kubeconfig)
    _leaf(kinds, "provider", lambda *_: print("local"))
    _leaf(
        kinds,
        "audit-log",
        lambda settings, options: print(
            cluster.find(settings, options.name).folder / "logs" / "audit.log"
        ),
    )


def _load_options(load: argparse.ArgumentParser) -> None:
    kinds = load.add_subparsers(required=True)
    _leaf(kinds, "docker-image", load_image).add_argument("image", nargs="+")
    _leaf(kinds, "image-archive", load_archive).add_argument("archive", nargs="+", type=Path)


def _component_options(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    kill = verbs.add_parser("kill", help="kill component").add_subparsers(required=True)
    leaf = _leaf(kill, "component", kill_component)
    leaf.add_argument("component")
    leaf.add_argument("--signal", default="KILL", choices=["KILL", "TERM", "STOP", "CONT"])
    start = verbs.add_parser("start", help="start component").add_subparsers(required=True)
    _leaf(start, "component", start_component).add_argument("component")
    _leaf(verbs, "exec", execute).add_argument("command", nargs="+")


def _leaf(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, action: Action
) -> argparse.ArgumentParser:
    leaf = kinds.add_parser(name)
    leaf.add_argument("-n", "--name", default=os.environ.get("KIND_CLUSTER_NAME", "kind"))
    leaf.add_argument("-q", "--quiet", action="store_true", help=argparse.SUPPRESS)
    leaf.add_argument("-v", "--verbosity", type=int, help=argparse.SUPPRESS)
    leaf.set_defaults(run=action)
    return leaf


def _print_all(lines: Iterable[object]) -> None:
    for line in lines:
        print(line)
