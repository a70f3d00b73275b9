"""Running programs: run one to its end, wait for a condition, say what goes on.

Used by every other module here. Knows nothing of clusters.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from localcluster.errors import ClusterError, TimedOut


def say(text: str) -> None:
    """Tell the person at the terminal, on stderr: stdout belongs to answers."""
    print(text, file=sys.stderr, flush=True)


def run(
    command: Sequence[object],
    *,
    stdin: str | None = None,
    stdin_file: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return it with its output as text; words become strings.

    Raises ClusterError with the program's last words when it fails and `check` is set.
    """
    words = [str(word) for word in command]
    source: dict[str, Any] = {"stdin": stdin_file} if stdin_file else {"input": stdin}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment, **source
    )
    if check and done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise ClusterError(
            f"`{' '.join(words[:4])} …` ended with {done.returncode}: {'; '.join(last)}"
        )
    return done


def spawn(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a program that outlives us, with its output at the end of a log file.

    It has its command line in /proc by then: a process in the middle of its exec has none yet.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=environment,
        )
    words = Path(f"/proc/{process.pid}/cmdline")
    wait_for(
        f"the start of {command[0]}",
        lambda: process.poll() is not None or words.read_bytes() != b"",
        seconds=10,
    )
    return process


def wait_for(
    what: str, condition: Callable[[], bool], *, seconds: float, log: Path | None = None
) -> None:
    """Wait until `condition` holds, asking ten times a second.

    Raises TimedOut, naming `what` and carrying `log`, after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOut(f"{what} was not ready after {seconds:.0f} s", log)
        time.sleep(0.1)
