"""Cloning over ssh from a real sshd: keys, known hosts, and what is said when one is missing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cijob_agent.clones import Room, Tries, clone
from cijob_agent.errors import (
    AgentError,
    GitAuthFailed,
    GitHostKey,
    SourceNotFound,
    SourceUnreachable,
)
from cijob_agent.settings import Repository as Wanted
from kit import sshserver
from kit.repositories import Repository
from kit.sshserver import SshServer

pytestmark = pytest.mark.process
TRIES = Tries(20, first_pause=20)


class Pod:
    """The folders of a Pod, and a repository to clone into them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("volume", "volume/workspace", "volume/clone", "private", "secret"):
            (folder / name).mkdir()
        self.workspace = folder / "volume/workspace"
        self.repository = Repository(folder, "project.git")
        self.tip = self.repository.serve(self.repository.file("number"))

    def keep(self, **secret: str) -> None:
        for name, value in secret.items():
            (self.folder / "secret" / name.replace("__", "-")).write_text(value)

    def clone(self, url: str, secret: str = "git-key") -> str:  # noqa: S107  # its name
        wanted = Wanted(url, "", "", 1, False, secret, str(self.folder / "secret"), {})  # noqa: FBT003
        folder = self.folder
        room = Room(str(self.workspace), f"{folder}/volume/clone", f"{folder}/private", 1 << 30)
        return clone(wanted, room, TRIES, tell=lambda stage, words: None)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.mark.parametrize("mangle", [str, str.strip, lambda key: key.replace("\n", "\r\n")])
def test_a_key_opens_the_repository_however_it_was_stored(
    pod: Pod, server: SshServer, mangle: type[str]
) -> None:
    key = mangle(server.user_key.read_text())
    pod.keep(ssh__privatekey=key, known_hosts=mangle(server.known_hosts()))
    assert pod.clone(server.url(pod.repository.folder)) == pod.tip
    assert list((pod.folder / "private").iterdir()) == []
    assert not [
        path
        for path in pod.workspace.rglob("*")
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    ]


def test_another_host_key_is_refused(pod: Pod, server: SshServer, tmp_path: Path) -> None:
    stranger = sshserver.make_key(tmp_path, "stranger")
    pod.keep(ssh__privatekey=server.user_key.read_text())
    for known in (server.known_hosts(stranger), "git.example.com ssh-ed25519 AAAA\n"):
        pod.keep(known_hosts=known)
        with pytest.raises(GitHostKey, match="Host key verification failed"):
            pod.clone(server.url(pod.repository.folder))


def test_without_known_hosts_nobody_is_trusted(pod: Pod, server: SshServer) -> None:
    pod.keep(ssh__privatekey=server.user_key.read_text())
    with pytest.raises(GitHostKey, match="has no known_hosts; add what `ssh-keyscan HOST` prints"):
        pod.clone(server.url(pod.repository.folder))


def test_another_key_is_refused(pod: Pod, server: SshServer, tmp_path: Path) -> None:
    wrong = sshserver.make_key(tmp_path, "wrong").read_text()
    for key in (wrong, "no key at all", server.user_key.read_text()[:200]):
        pod.keep(ssh__privatekey=key, known_hosts=server.known_hosts())
        with pytest.raises(GitAuthFailed, match=r"Permission denied \(publickey\)"):
            pod.clone(server.url(pod.repository.folder))


@pytest.mark.parametrize(
    ("secret", "words"),
    [("", "needs a key; put ssh-privatekey"), ("git-key", "has no key ssh-privatekey")],
)
def test_without_a_key_nothing_is_tried(
    pod: Pod, server: SshServer, secret: str, words: str
) -> None:
    with pytest.raises(GitAuthFailed, match=words):
        pod.clone(server.url(pod.repository.folder), secret)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ssh://git@127.0.0.1:{port}/nope.git", SourceNotFound),
        ("ssh://git@127.0.0.1:1/nope.git", SourceUnreachable),
        ("ssh://git@a.invalid/nope.git", SourceUnreachable),
    ],
)
def test_what_is_not_there_is_named(
    pod: Pod, server: SshServer, url: str, error: type[AgentError]
) -> None:
    pod.keep(ssh__privatekey=server.user_key.read_text(), known_hosts=server.known_hosts())
    with pytest.raises(error):
        pod.clone(url.format(port=server.port))


PROGRAM = (
    "import os, sys\n"
    "from cijob_agent.settings import Paths\n"
    "from cijob_agent.stages import run\n"
    "sys.exit(run(os.environ, Paths(*sys.argv[1:])))"
)


@pytest.fixture
def beside(pod: Pod, server: SshServer) -> Iterator["subprocess.Popen[str]"]:
    """The agent of a job with a key, when it has said that it is ready."""
    pod.keep(ssh__privatekey=server.user_key.read_text(), known_hosts=server.known_hosts())
    for name in ("control", "ssh"):
        (pod.folder / name).mkdir()
    named = ("volume/workspace", "control", "token", "words", "private", "volume", "ssh")
    told = {
        "CIJOB_GIT_URL": server.url(pod.repository.folder),
        "CIJOB_GIT_SECRET": "git-key",
        "CIJOB_GIT_CREDENTIALS": str(pod.folder / "secret"),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *(str(pod.folder / name) for name in named)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **told},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "ready: " in line:
            break
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def stage(pod: Pod) -> str:
    said: str = json.loads((pod.folder / "words").read_text())["stage"]
    return said


def test_with_a_key_the_agent_stays_as_long_as_the_job(
    pod: Pod, beside: "subprocess.Popen[str]"
) -> None:
    asks = ["ssh-add", "-l"]
    environment = {**os.environ, "SSH_AUTH_SOCK": str(pod.folder / "ssh" / "agent")}
    settings = (pod.folder / "control/home/.gitconfig").read_text()
    assert f"UserKnownHostsFile=~/.ssh/known_hosts {pod.folder}/ssh/known_hosts" in settings
    job = os.open(pod.folder / "control/alive", os.O_RDWR)
    os.write(job, b"\n")
    beside.terminate()  # the Pod is told to stop: the job may still need its key
    assert "ED25519" in subprocess.run(asks, env=environment, capture_output=True, text=True).stdout
    assert beside.poll() is None
    os.close(job)
    assert beside.wait(timeout=30) == 0
    assert stage(pod) == "done"
    assert subprocess.run(asks, env=environment, capture_output=True).returncode == 2


def test_a_job_that_is_stopped_before_it_begins_keeps_no_agent(
    pod: Pod, beside: "subprocess.Popen[str]"
) -> None:
    beside.terminate()
    assert beside.wait(timeout=30) == 143
    assert stage(pod) == "ready"
