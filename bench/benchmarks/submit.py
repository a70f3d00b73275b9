"""`submit`, side by side: `ci submit test` of an example, and the same pytest run by `kubectl run`.

Once with an unchanged tree, to the first line of pytest's log; once with a new tree each time,
upload included, to the end. They alternate in random order with random gaps, as in `echo`.
"""

import json
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks import manifests
from benchmarks.figures import Figure, Result, spread
from kit.cluster import ROOT, Cluster
from kit.installed import CI, Installed, installation

EXAMPLE = ROOT / "examples" / "passing"
PYTEST = "test session starts"
GAP_SECONDS = (0.3, 1.3)
FIRST_LINE_LATER_MS = 500
LIMIT_SECONDS = 120


def run(kubeconfig: Path, rounds: int) -> Result:
    """Install the chart, measure `rounds` of each, uninstall."""
    kubectl = ROOT / ".local" / "bin" / "kubectl"
    cluster = Cluster("cijob", kubeconfig, kubectl, "local")
    with (
        tempfile.TemporaryDirectory(prefix="cijob-bench-") as folder,
        installation(cluster, Path(folder)) as installed,
    ):
        took: dict[str, list[float]] = defaultdict(list)
        kinds = {"ci": submit, "kubectl": kubectl_run, "new": submit_new, "pod": bare_pod}
        for number in range(rounds + 1):
            for kind in random.sample(list(kinds), len(kinds)):
                seconds = kinds[kind](installed, number)
                if number:  # the first round warms up
                    took[kind].append(seconds)
                time.sleep(random.uniform(*GAP_SECONDS))  # noqa: S311
    return summary(took)


def summary(took: dict[str, list[float]]) -> Result:
    """The figures of all rounds."""
    later = (median(took["ci"]) - median(took["kubectl"])) * 1000
    figures = [
        *spread("kubectl run → first line of pytest", took["kubectl"]),
        *spread("ci submit, unchanged → first line of pytest", took["ci"]),
        Figure("ci later than kubectl", later, "ms", FIRST_LINE_LATER_MS),
        *spread("bare Pod, create → Succeeded", took["pod"]),
        *spread("ci submit, new tree → exit", took["new"]),
        Figure("ci ÷ bare Pod", median(took["new"]) / median(took["pod"]), "", 1),
    ]
    return Result("submit", f"{len(took['ci'])} of each, interleaved", tuple(figures))


def submit(installed: Installed, number: int) -> float:  # noqa: ARG001 (as all kinds are called)
    """`ci submit` of the unchanged example, to pytest's first line."""
    words = [str(CI), "submit", "test", str(EXAMPLE)]
    return first_line(words, installed.environment())


def kubectl_run(installed: Installed, number: int) -> float:
    """`kubectl run` of the same image and command, to pytest's first line."""
    name = f"bare-{number}"
    kubectl = [str(installed.cluster.kubectl_path), f"--kubeconfig={installed.cluster.kubeconfig}"]
    words = [*kubectl, "run", name, "-n", installed.namespace, "--image=cijob/python:dev"]
    options = ["--restart=Never", "--attach", "--quiet", "--overrides", json.dumps(pod(name))]
    seconds = first_line([*words, *options], installed.environment())
    installed.cluster.kubectl("delete", "pod", "-n", installed.namespace, name, "--wait=false")
    return seconds


def submit_new(installed: Installed, number: int) -> float:
    """`ci submit` of a tree that was never uploaded, to its exit."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(EXAMPLE, tree)
        (tree / "round.txt").write_text(f"{number} {random.random()}")  # noqa: S311
        began = perf_counter()
        ended = installed.ci("submit", "test", str(tree))
        seconds = perf_counter() - began
    assert ended.returncode == 0, ended.stderr  # noqa: S101
    return seconds


def bare_pod(installed: Installed, number: int) -> float:
    """The same command in a bare Pod, from its creation until it is Succeeded."""
    name, where = f"pod-{number}", ("-n", installed.namespace)
    document = json.dumps({"apiVersion": "v1", "kind": "Pod", **pod(name)})
    began = perf_counter()
    installed.cluster.kubectl("create", *where, "-f", "-", stdin=document)
    phase = "--for=jsonpath={.status.phase}=Succeeded"
    installed.cluster.kubectl("wait", *where, f"pod/{name}", phase, "--timeout=60s")
    seconds = perf_counter() - began
    installed.cluster.kubectl("delete", "pod", *where, name, "--wait=false")
    return seconds


def first_line(words: list[str], environment: dict[str, str]) -> float:
    """Seconds until a command's stdout has pytest's first line; the command runs to its end."""
    began = perf_counter()
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout  # noqa: S101
        stop = threading.Timer(LIMIT_SECONDS, process.kill)
        stop.start()
        seconds = None
        for line in process.stdout:
            if PYTEST in line and seconds is None:
                seconds = perf_counter() - began
        stop.cancel()
    if seconds is None:
        raise RuntimeError(f"{' '.join(words[:3])} never showed pytest's first line")
    return seconds


def pod(name: str) -> dict[str, Any]:
    """A bare Pod that has the example's files and runs what the template runs."""
    spec = manifests.pod_spec()
    files = {
        str(path.relative_to(EXAMPLE)): path.read_text()
        for path in sorted(EXAMPLE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    lines = ["cd /tmp"]
    for file, text in files.items():
        lines += [f"mkdir -p $(dirname {file})", f"cat > {file} <<'END'", text.rstrip("\n"), "END"]
    lines.append("PYTHONPATH=src:. exec python -m pytest")
    command = ["sh", "-euc", "\n".join(lines)]
    limits = {"cpu": "1", "memory": "1Gi"}  # those of a job that names none
    resources = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": limits}
    changes = {"name": name, "command": command, "resources": resources}
    spec["containers"][0] |= changes
    with suppress(KeyError):
        del spec["containers"][0]["args"]
    return {"metadata": {"name": name}, "spec": spec}
