"""What only a process of its own can show: signals, pipes, how fast it starts."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unit.cijob_cli.loopback import HANG, Loopback, job, log

pytestmark = pytest.mark.process

CLI = "from cijob_cli.main import main; main(prog_name='ci')"
# For a machine on which a process may stall for longer than a person would wait.
PATIENT = (
    "from cijob_cli import completing, interrupts; "
    f"completing.SECONDS = 60; interrupts._SECOND_CHANCE = 60; {CLI}"
)
ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(gateway: Loopback, home: Path) -> Iterator[Start]:
    """Start `ci` as a process before the gateway on the loopback."""
    started: list[subprocess.Popen[str]] = []
    environment = os.environ | {
        "CI_GATEWAY": gateway.url,
        "CI_TOKEN": "secret",
        "CI_NAMESPACE": "team",
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("cli", "crds")),
    }

    def begin(*arguments: str, program: str = CLI, **more: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield begin
    for child in started:
        if child.poll() is None:
            child.kill()
        child.communicate()


def test_ctrl_c_says_how_to_come_back_and_the_job_goes_on(start: Start, gateway: Loopback) -> None:
    gateway.jobs["test-01"] = job("test-01")
    gateway.streams = [[log("one\n"), HANG]]
    child = start("wait", "test-01")
    assert gateway.streaming.wait(60)
    assert child.stdout
    assert child.stdout.readline() == "one\n"
    child.send_signal(signal.SIGINT)
    _, words = child.communicate(timeout=60)
    assert child.returncode == 130
    assert words == (
        "ci: the job goes on. Come back: ci wait test-01. "
        "Cancel: Ctrl-C again now, or ci cancel test-01\n"
    )
    assert not gateway.asked("POST", "/cancel")


def test_a_second_ctrl_c_cancels_the_job(start: Start, gateway: Loopback) -> None:
    gateway.jobs["test-01"] = job("test-01")
    gateway.streams = [[log("one\n"), HANG]]
    child = start("wait", "test-01", program=PATIENT)
    assert gateway.streaming.wait(60)
    assert child.stdout
    assert child.stderr
    assert child.stdout.readline() == "one\n"
    child.send_signal(signal.SIGINT)
    assert "the job goes on" in child.stderr.readline()
    child.send_signal(signal.SIGINT)
    _, words = child.communicate(timeout=60)
    assert (child.returncode, words) == (130, "ci: cancelled test-01\n")
    assert gateway.jobs["test-01"]["status"]["phase"] == "Cancelled"


def test_a_reader_that_goes_away_is_no_error(start: Start, gateway: Loopback) -> None:
    gateway.jobs["test-01"] = job("test-01")
    gateway.log = b"a line of the log\n" * 100_000
    child = start("logs", "test-01")
    assert child.stdout
    assert child.stdout.readline() == "a line of the log\n"
    child.stdout.close()
    assert child.stderr
    assert child.stderr.read() == ""
    assert child.wait(60) == 141


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--version"], {}),
        ([], {"_CI_COMPLETE": "bash_complete", "COMP_WORDS": "ci su", "COMP_CWORD": "1"}),
        ([], {"_CI_COMPLETE": "zsh_complete", "COMP_WORDS": "ci submit --p", "COMP_CWORD": "2"}),
    ],
)
def test_version_and_completion_load_nothing_heavy(
    start: Start, arguments: list[str], variables: dict[str, str]
) -> None:
    """The start takes under 0.15 s only as long as these stay out (measured: 0.09 s)."""
    child = start(*arguments, PYTHONPROFILEIMPORTTIME="1", **variables)
    out, imported = child.communicate(timeout=60)
    assert out
    modules = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert "cijob_cli.main" in modules
    assert not modules & {"httpx2", "pydantic", "yaml", "pathspec", "asyncio", "ssl", "subprocess"}


def completed(child: "subprocess.Popen[str]") -> list[str]:
    """What TAB offers; nothing else is said."""
    out, said = child.communicate(timeout=60)
    assert (child.returncode, said) == (0, "")
    return out.split()


def tab(line: str) -> dict[str, str]:
    """The environment by which zsh asks what may stand at the end of a line."""
    words = line.split(" ")
    return {
        "_CI_COMPLETE": "zsh_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ci get te", ["plain", "test-01", "Failed", "plain", "test-02", "Running"]),
        ("ci logs --follow run", ["plain", "run-7f3a", "Running"]),
        ("ci cancel 3a", ["plain", "run-7f3a", "Running"]),
        ("ci wait 0", []),
        ("ci artifacts list test-02", ["plain", "test-02", "Running"]),
    ],
)
def test_tab_completes_names_of_jobs(
    start: Start, gateway: Loopback, line: str, offered: list[str]
) -> None:
    for name, phase in (("test-01", "Failed"), ("run-7f3a", "Running"), ("test-02", "Running")):
        gateway.jobs[name] = job(name, phase)
    assert completed(start(program=PATIENT, **tab(line))) == offered


def test_tab_looks_where_the_flags_before_it_point(start: Start, gateway: Loopback) -> None:
    gateway.jobs["test-01"] = job("test-01")
    asked = tab(f"ci get -n other --gateway {gateway.url} t")
    child = start(program=PATIENT, **asked, CI_GATEWAY="")
    assert completed(child) == ["plain", "test-01", "Running"]
    assert gateway.asked("GET", "/v1/namespaces/other/jobs")


@pytest.mark.parametrize(
    "settings",
    [{"CI_GATEWAY": "http://127.0.0.1:9"}, {"CI_GATEWAY": "nonsense"}, {"CI_GATEWAY": ""}],
)
def test_tab_is_silent_when_there_is_no_gateway(start: Start, settings: dict[str, str]) -> None:
    assert completed(start(**tab("ci get te"), **settings)) == []


def test_tab_gives_up_on_a_gateway_that_does_not_answer(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        assert completed(start(**tab("ci get te"), CI_GATEWAY=url)) == []


def test_the_port_forward_ends_even_when_we_are_killed(start: Start, tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    kubectl = tmp_path / "kubectl"
    # Holds the pipe's writing end until it ends.
    kubectl.write_text(
        "#!/bin/sh\ncase $* in *port-forward*) ;; *) exit ;; esac\n"
        f"exec 9>{fifo}; echo started >&9; exec sleep 60\n"
    )
    kubectl.chmod(0o755)
    child = start("list", CI_GATEWAY="", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with fifo.open() as alive:
        assert alive.readline() == "started\n"
        child.kill()
        assert alive.read() == ""  # the end of the pipe: nobody holds it any more
