"""The wrapper, run for real by three shells. Only its folder is another one than in a Pod."""

import contextlib
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cijob_operator.wrapper import WRAPPER

pytestmark = pytest.mark.process

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
PYTHON = [sys.executable, "-I", "-S", "-c"]


def caught(process: subprocess.Popen[str], *signals: signal.Signals) -> bool:
    """Whether the shell has traps for all of these: proc(5), SigCgt."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [mask] = [int(row.split()[1], 16) for row in status.splitlines() if row.startswith("SigCgt")]
    return all(mask >> (number - 1) & 1 for number in signals)


def sleeps(process: subprocess.Popen[str]) -> bool:
    """Whether it waits for something: proc(5), State."""
    return "\nState:\tS" in Path(f"/proc/{process.pid}/status").read_text()


# busybox's shell has tools of its own and asks no PATH for them; its env gives back no signal.
with_tools_from_path = pytest.mark.parametrize(
    "container", [SHELLS["dash"], SHELLS["bash"]], ids=["dash", "bash"], indirect=True
)


class Container:
    """The job's container: a wrapper in a shell, its control folder and its workspace."""

    def __init__(self, shell: list[str], folder: Path) -> None:
        self._shell = shell
        self.control, self.workspace = folder / "control", folder / "workspace"
        self.ssh = folder / "ssh"
        for made in (self.control, self.workspace, self.ssh):
            made.mkdir()
        os.mkfifo(self.control / "alive")
        self.started: list[subprocess.Popen[str]] = []

    def start(
        self,
        *command: str,
        grace: str = "30",
        folder: str = "",
        env: dict[str, str] | None = None,
        wrapper: str = WRAPPER,
    ) -> subprocess.Popen[str]:
        text = wrapper.replace("/cijob/", f"{self.control}/")
        text = text.replace("/cijob-ssh/", f"{self.ssh}/")
        where = folder or str(self.workspace)
        process = subprocess.Popen(
            [*self._shell, "-c", text, "cijob", grace, where, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], **(env or {})},
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def say_ready(self) -> None:
        (self.control / "ready").touch()

    def run(
        self, *command: str, folder: str = "", env: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Exit code, output and errors of a command in a workspace that is ready."""
        self.say_ready()
        process = self.start(*command, folder=folder, env=env)
        output, errors = process.communicate(timeout=30)
        assert self.exit_code() == process.returncode
        return process.returncode, output, errors

    def exit_code(self) -> int:
        return int((self.control / "exit-code").read_text())


@pytest.fixture(params=list(SHELLS.values()), ids=list(SHELLS))
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    made = Container(request.param, tmp_path)
    yield made
    for process in made.started:
        # In a Pod all ends with the wrapper; here its killer would sleep out the grace.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    """The next line of its output: it has come so far."""
    assert process.stdout
    return process.stdout.readline().rstrip("\n")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and the rest of the output."""
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


def test_where_the_agent_offers_a_key_the_command_knows_the_socket(container: Container) -> None:
    asks = ("sh", "-c", "echo ${SSH_AUTH_SOCK-unset}")
    assert container.run(*asks)[1] == "unset\n"
    with socket.socket(socket.AF_UNIX) as offered:
        offered.bind(str(container.ssh / "agent"))
    assert container.run(*asks)[1] == f"{container.ssh}/agent\n"
    assert container.run(*asks, env={"SSH_AUTH_SOCK": "/own"})[1] == "/own\n"


def test_the_agent_hears_of_the_begin_and_of_the_end(container: Container) -> None:
    with os.fdopen(os.open(container.control / "alive", os.O_RDONLY | os.O_NONBLOCK)) as heard:
        assert not select.select([heard], [], [], 0)[0]
        assert container.run("true")[0] == 0
        assert heard.read() == "\n"
        assert heard.read() == ""


def test_the_agent_can_tell_since_when_it_is_waited_for(container: Container) -> None:
    process = container.start("true")
    while not (container.control / "waiting").exists():
        assert process.poll() is None
    container.say_ready()
    assert ended(process) == (0, "")


def test_who_finds_all_ready_has_not_waited(container: Container) -> None:
    assert container.run("true")[0] == 0
    assert not (container.control / "waiting").exists()


def test_a_place_that_cannot_be_written_to_is_no_failure(container: Container) -> None:
    (container.control / "waiting").mkdir()
    process = container.start("true")
    container.say_ready()
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("code", [0, 1, 7, 126, 127, 143, 255])
def test_the_command_s_exit_code_is_the_container_s(container: Container, code: int) -> None:
    assert container.run("sh", "-c", f"exit {code}")[0] == code


def test_a_missing_command_is_127_and_named(container: Container) -> None:
    code, _, errors = container.run("no-such-command", "x")
    assert code == 127
    assert "no-such-command" in errors


def test_a_file_that_is_not_executable_is_126(container: Container) -> None:
    (container.workspace / "tests").write_text("#!/bin/sh\n")
    assert container.run("./tests")[0] == 126


def test_a_missing_folder_is_127_and_named(container: Container) -> None:
    folder = f"{container.workspace}/backend"
    code, output, errors = container.run("echo", "ran", folder=folder)
    assert (code, output) == (127, "")
    assert errors == (f"cijob: no folder {folder} to run in; is workingDir in the source?\n")


def test_the_command_runs_in_its_folder(container: Container) -> None:
    folder = container.workspace / "two words"
    folder.mkdir()
    assert container.run("pwd", folder=str(folder))[1] == f"{folder}\n"


def test_arguments_come_through_unchanged(container: Container) -> None:
    words = ["two words", "", "'single'", '"double"', "a\nb", "$HOME", "*", "\\", "-n", "a=b", "é"]
    shown = container.run(*PYTHON, "import sys; print(sys.argv[1:])", *words)[1]
    assert shown == f"{words}\n"


def test_a_command_with_an_equals_sign_is_a_command_not_a_variable(container: Container) -> None:
    script = container.workspace / "a=b"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    assert container.run("./a=b")[:2] == (0, "ran\n")


@pytest.mark.parametrize("command", ["cijob_stop", "cijob_end", "alias", ":"])
def test_the_shell_s_own_words_are_no_commands(container: Container, command: str) -> None:
    assert container.run(command)[0] == 127


def test_the_environment_comes_through_unchanged(container: Container) -> None:
    """Also where the wrapper could have variables of the same name."""
    names = ["grace", "folder", "child", "code", "default", "A", "IFS_", "killer"]
    given = {name: f"user's {name}" for name in names}
    asked = f"import os; print([os.environ[name] for name in {names}])"
    assert container.run(*PYTHON, asked, env=given)[1] == f"{list(given.values())}\n"
    kept = "import os; print([name for name in os.environ if 'cijob' in name.lower()])"
    assert container.run(*PYTHON, kept)[1] == "[]\n"


def test_the_command_has_only_the_three_standard_files(container: Container) -> None:
    asked = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])"
    assert container.run(*PYTHON, asked)[1] == "[0, 1, 2]\n"


def test_the_command_s_input_is_empty(container: Container) -> None:
    assert container.run("sh", "-c", "read line || echo end")[1] == "end\n"


def test_a_job_waits_for_its_workspace(container: Container) -> None:
    process = container.start("cat", "file")
    assert process.stdout
    assert not select.select([process.stdout], [], [], 0.05)[0]
    (container.workspace / "file").write_text("here\n")
    container.say_ready()
    assert ended(process) == (0, "here\n")


def tool(container: Container, name: str, text: str) -> dict[str, str]:
    """An environment with a command of that name before all others."""
    folder = container.workspace / "tools"
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@with_tools_from_path
def test_a_sleep_of_whole_seconds_is_enough_to_wait(container: Container) -> None:
    slept = container.control / "slept"
    sleep = f'[ "$1" = 1 ] || exit 1\n>{slept}\nexec /bin/sleep 0.01'
    process = container.start("echo", "ran", env=tool(container, "sleep", sleep))
    until(slept.exists)
    container.say_ready()
    assert ended(process) == (0, "ran\n")


def until(true: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own limit is generous, since machines are slow at times."""
    for _ in range(3000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never became true")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGQUIT, 131)]
)
def test_a_stop_before_ready_ends_the_wrapper(
    container: Container, number: signal.Signals, code: int
) -> None:
    process = container.start("echo", "ran")
    until(lambda: caught(process, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT))
    process.send_signal(number)
    assert ended(process) == (code, "")
    assert not (container.control / "exit-code").exists()


def test_term_reaches_the_command_whose_own_end_counts(container: Container) -> None:
    container.say_ready()
    process = container.start(
        "sh", "-c", "trap 'echo cleaning; exit 9' TERM; echo up; while :; do sleep 0.01; done"
    )
    assert line(process) == "up"
    process.terminate()
    assert ended(process) == (9, "cleaning\n")
    assert container.exit_code() == 9


def test_a_command_without_a_handler_ends_at_term(container: Container) -> None:
    container.say_ready()
    process = container.start("sh", "-c", "echo up; exec sleep 60")
    assert line(process) == "up"
    process.terminate()
    assert ended(process)[0] == 143


def test_a_command_that_ignores_term_is_killed_after_its_grace(container: Container) -> None:
    container.say_ready()
    process = container.start("sh", "-c", "trap '' TERM; echo up; exec sleep 60", grace="0.1")
    assert line(process) == "up"
    process.terminate()
    assert ended(process)[0] == 137


def test_a_command_may_outlive_several_signals(container: Container) -> None:
    container.say_ready()
    process = container.start(
        *PYTHON,
        "import os, signal, sys, time\n"
        "seen = []\n"
        "signal.signal(signal.SIGTERM, lambda *_: seen.append(os.write(1, b'seen\\n')))\n"
        "print('up', flush=True)\n"
        "while len(seen) < 3: time.sleep(0.01)\n"
        "open('../control/go').read()\n"
        "sys.exit(5)",
    )
    os.mkfifo(container.control / "go")
    assert line(process) == "up"
    for _ in range(3):
        process.terminate()
        assert line(process) == "seen"
        # bash forgets, now and then, a signal that comes while it is in its trap for the last one.
        until(lambda: sleeps(process))
    (container.control / "go").write_text("\n")
    assert ended(process)[0] == 5


LINES = WRAPPER.split("\n")
STARTED, WAITED = LINES.index("cijob_child=$!"), LINES.index('    [ -n "$cijob_signal" ] || break')
# But for what is done only after a signal.
BEFORE_WAIT = [
    at for at in range(STARTED, WAITED) if not LINES[at].startswith(("        ", "    fi"))
]


def paused(at: int) -> str:
    """The wrapper with a pause before a line of it, for a signal to fall into."""
    return "\n".join([*LINES[:at], "echo paused; sleep 0.3", *LINES[at:]])


@pytest.mark.parametrize("at", BEFORE_WAIT, ids=lambda at: LINES[at].strip())
def test_wherever_a_signal_falls_the_command_is_killed_after_its_grace(
    container: Container, at: int
) -> None:
    container.say_ready()
    ignores = ("sh", "-c", "trap '' TERM; echo up; exec sleep 60")
    process = container.start(*ignores, grace="0.1", wrapper=paused(at))
    assert sorted([line(process), line(process)]) == ["paused", "up"]
    process.terminate()
    assert ended(process)[0] == 137


def test_a_signal_behind_the_end_does_not_change_its_exit_code(container: Container) -> None:
    container.say_ready()
    process = container.start("sh", "-c", "exit 3", wrapper=paused(WAITED))
    assert line(process) == "paused"
    process.terminate()
    assert ended(process)[0] == 3


def test_a_signal_at_the_very_end_neither_holds_nor_fakes_it(container: Container) -> None:
    """The command's last deed is to signal the wrapper: its end and the signal come together.

    bash 5.2 forgets the exit code now and then; the job was told to stop, and 143 says so.
    """
    container.say_ready()
    for _ in range(5):
        process = container.start("sh", "-c", "trap '' TERM; kill -TERM $PPID; exit 3")
        assert ended(process)[0] in {3, 143}


@with_tools_from_path
def test_int_is_a_keyboard_interrupt_in_a_python_job(container: Container) -> None:
    container.say_ready()
    process = container.start(
        *PYTHON,
        "import time\n"
        "try:\n print('up', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: print('interrupted'); raise SystemExit(4)",
    )
    assert line(process) == "up"
    process.send_signal(signal.SIGINT)
    assert ended(process) == (4, "interrupted\n")


@pytest.mark.parametrize("container", [SHELLS["busybox"]], ids=["busybox"], indirect=True)
def test_int_in_busybox_ends_a_python_job_after_its_grace(container: Container) -> None:
    """Its shell leaves INT ignored in every background command, and no tool of it can undo that."""
    container.say_ready()
    sleep = "import time; print('up', flush=True); time.sleep(60)"
    process = container.start(*PYTHON, sleep, grace="0.1")
    assert line(process) == "up"
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 137


def test_children_that_keep_the_output_open_do_not_hold_the_wrapper(container: Container) -> None:
    container.say_ready()
    process = container.start("sh", "-c", "sleep 60 & echo $!; exit 6")
    child = int(line(process))
    assert process.wait(timeout=30) == 6
    os.kill(child, signal.SIGKILL)


def alive(container: Container) -> int:
    """The agent's end of the FIFO."""
    return os.open(container.control / "alive", os.O_RDONLY | os.O_NONBLOCK)


def hung_up(fifo: int, seconds: float) -> bool:
    """Whether the wrapper has held the FIFO and is gone."""
    poll = select.poll()
    poll.register(fifo, 0)  # a hang-up is always told; the line at the begin is not asked for
    return any(event & select.POLLHUP for _, event in poll.poll(seconds * 1000))


def test_the_agent_sees_the_end_and_finds_the_exit_code(container: Container) -> None:
    agent = alive(container)
    container.say_ready()
    # A child that lives on must not keep the agent waiting either.
    os.mkfifo(container.control / "go")
    process = container.start("sh", "-c", "sleep 60 & echo $!; read x <../control/go; exit 8")
    child = int(line(process))
    assert not hung_up(agent, 0)
    (container.control / "go").write_text("\n")
    assert hung_up(agent, 30)
    assert container.exit_code() == 8
    os.kill(child, signal.SIGKILL)
    os.close(agent)


def test_the_agent_sees_the_end_when_the_folder_is_missing(container: Container) -> None:
    agent = alive(container)
    container.run("echo", folder=f"{container.workspace}/backend")
    assert hung_up(agent, 30)
    os.close(agent)


def test_the_agent_sees_the_end_of_a_wrapper_that_was_killed(container: Container) -> None:
    agent = alive(container)
    container.say_ready()
    process = container.start("sh", "-c", "echo $$; exec sleep 60")
    child = int(line(process))
    assert not hung_up(agent, 0)
    process.kill()
    assert hung_up(agent, 30)
    os.kill(child, signal.SIGKILL)
    os.close(agent)


def test_a_dead_agent_does_not_hold_the_job(container: Container) -> None:
    """Nobody reads the FIFO here: that is the rule in the other tests as well, and said once."""
    assert container.run("echo", "ran")[:2] == (0, "ran\n")


def test_a_burst_before_the_end_comes_whole(container: Container) -> None:
    code, output, _ = container.run("sh", "-c", "seq 1 60000; exit 2")
    assert code == 2
    assert output == "".join(f"{number}\n" for number in range(1, 60001))


@with_tools_from_path
def test_an_image_without_gnu_env_runs_jobs_too(container: Container) -> None:
    arguments = ["two words", "", "a=b"]
    command = [*PYTHON, "import sys; print(sys.argv[1:]); sys.exit(7)", *arguments]
    code, output, _ = container.run(*command, env=tool(container, "env", "exit 1"))
    assert (code, output) == (7, f"{arguments}\n")


def test_the_wrapper_is_one_argument_of_plain_ascii() -> None:
    assert WRAPPER.isascii()
    assert shlex.split(shlex.quote(WRAPPER)) == [WRAPPER]
