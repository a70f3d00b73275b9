"""The agent's Pod on this machine: its folders, its environment, and the wrapper's side of it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cijob_agent.settings import Archive, Paths
from unit.cijob_agent.collectors import TOKEN, Collector

PROGRAM = (
    "import os, sys\n"
    "from cijob_agent.settings import Paths\n"
    "from cijob_agent.stages import run\n"
    "sys.exit(run(os.environ, Paths(*sys.argv[1:])))"
)


class Pod:
    """The agent's folders and environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace, self.control = folder / "workspace", folder / "control"
        self.workspace.mkdir()
        self.control.mkdir()
        (folder / "token").write_text(TOKEN)
        self.words = folder / "termination-log"
        self.paths = Paths(
            str(self.workspace), str(self.control), str(folder / "token"), str(self.words)
        )
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, given: Archive, **more: str) -> subprocess.Popen[bytes]:
        return self.run(environment(given, **more))

    def run(self, told: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", PROGRAM, *self.paths]
        process = subprocess.Popen(
            command,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                **told,
            },
            stderr=subprocess.DEVNULL,
        )
        self.started.append(process)
        return process

    def said(self) -> dict[str, str]:
        """The last words, but for a time that is another one in each run."""
        said: dict[str, str] = json.loads(self.words.read_text())
        said.pop("waitedSeconds", None)
        return said

    def waited(self) -> float:
        waited: float = json.loads(self.words.read_text())["waitedSeconds"]
        return waited


def environment(given: Archive, **more: str) -> dict[str, str]:
    gateway = given.url.partition("/internal")[0]
    return {
        "CIJOB_GATEWAY": gateway,
        "CIJOB_NAMESPACE": "ci",
        "CIJOB_JOB": "tests",
        "CIJOB_SOURCE_SHA256": given.sha256,
        "CIJOB_SOURCE_BYTES": str(given.size),
        "CIJOB_START_TIMEOUT_SECONDS": "20",
        **more,
    }


class Job:
    """The wrapper's side of the control folder."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.alive: int | None = None

    def begin(self) -> None:
        while not (self.pod.control / "ready").exists():
            time.sleep(0.01)
        self.alive = os.open(self.pod.control / "alive", os.O_RDWR)
        os.write(self.alive, b"\n")

    def end(self, code: str | None = "0\n") -> None:
        assert self.alive is not None
        if code is not None:
            (self.pod.control / "exit-code").write_text(code)
        os.close(self.alive)


def told(collector: Collector, **plan: object) -> dict[str, str]:
    return {
        "CIJOB_GATEWAY": collector.url.partition("/internal")[0],
        "CIJOB_NAMESPACE": "ci",
        "CIJOB_JOB": "tests",
        "CIJOB_COLLECT": json.dumps(plan),
    }
