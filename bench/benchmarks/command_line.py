"""`bench/run`: names of benchmarks in, tables out. Exit code 1 if a target was missed."""

import argparse
import asyncio
import json
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import (
    admission,
    archive,
    burst,
    collect,
    echo,
    fake_cluster,
    logs,
    memory,
    submit,
    upload,
)
from benchmarks.api import connect, namespace
from benchmarks.figures import Result, table
from benchmarks.operator_process import operator
from kit.cluster import ROOT, Cluster, establish_resources

NAMES = ("admission", "echo", "submit", "collect", "upload", "archive", "logs", "burst", "memory")
NODES = 20


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, or all."""
    options = parser().parse_args(words)
    if not options.kubeconfig.exists():
        print("ERROR: there is no cluster; run `make cluster images`", file=sys.stderr)
        return 2
    establish_resources(Cluster("cijob", options.kubeconfig, ROOT / ".local/bin/kubectl", "local"))
    results = []
    for name in options.names or NAMES:
        if name == "admission":
            result = admission.run()
        elif name == "submit":
            result = submit.run(options.kubeconfig, options.rounds)
        elif name == "collect":
            result = collect.run(options.kubeconfig, options.rounds)
        elif name == "upload":
            result = upload.run(options.kubeconfig, 3, mebibytes=options.mebibytes)
        elif name == "logs":
            result = logs.run(options.kubeconfig)
        elif name == "archive":
            result = archive.run(options.kubeconfig, options.lines)
        else:
            result = asyncio.run(measure(name, options))
        print(table(result), flush=True)
        results.append(result)
    if options.json:
        options.json.write_text(json.dumps([result.as_json() for result in results], indent=2))
    missed = any(figure.verdict == "MISSED" for result in results for figure in result.figures)
    return 1 if missed else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="|".join(NAMES))
    parser.add_argument(
        "--rounds", type=int, default=20, help="of echo, submit, collect (default 20)"
    )
    parser.add_argument("--mebibytes", type=int, default=1024, help="of an upload (default 1024)")
    parser.add_argument(
        "--lines", type=int, default=2_500_000, help="of an archived log (default 2500000)"
    )
    parser.add_argument("--jobs", type=int, default=1000, help="in the burst (default 1000)")
    parser.add_argument("--finished", type=int, default=10_000, help="of memory (default 10000)")
    parser.add_argument("--kubeconfig", type=Path, default=ROOT / ".local" / "kubeconfig")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="the operator, by cProfile")
    return parser


async def measure(name: str, options: argparse.Namespace) -> Result:
    """One benchmark, in a namespace and with an operator of its own."""
    if task := asyncio.current_task():  # nodes and namespace go, also when this is told to end
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cijob-bench-")))
        api = await stack.enter_async_context(connect(options.kubeconfig.read_text()))
        place = f"bench-{name}-{secrets.token_hex(3)}"
        await stack.enter_async_context(namespace(api, place))
        settings = {}
        if name == "burst":
            nodes = fake_cluster.nodes(api, options.kubeconfig, folder, count=NODES)
            await stack.enter_async_context(nodes)
            pool = {"maxConcurrent": 10 * options.jobs, **fake_cluster.POOL}
            settings["CIJOB_DEFAULT_POOL"] = json.dumps(pool)
        if name == "memory":
            await memory.forge(api, place, options.finished)
        log, profile = folder / "operator.log", options.profile
        process = await stack.enter_async_context(
            operator(options.kubeconfig, place, log, settings=settings, profile=profile)
        )
        if name == "echo":
            await process.settled()
            return await echo.run(api, place, options.rounds)
        if name == "burst":
            return await burst.run(api, place, process, options.jobs)
        return await memory.measure(process, options.finished)
