"""The real ssh-agent with a real sshd: the key can be used, and neither read nor led astray."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from cijob_agent.errors import GitAuthFailed
from cijob_agent.settings import Repository as Wanted
from cijob_agent.sshagent import offering
from kit import sshserver
from kit.repositories import Repository
from kit.sshserver import SshServer

pytestmark = pytest.mark.process


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The folder of the socket, which the job sees."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def wanted(folder: Path, **secret: str) -> Wanted:
    """A repository whose Secret has these."""
    (folder / "secret").mkdir()
    for name, value in secret.items():
        (folder / "secret" / name.replace("__", "-")).write_text(value)
    url = "https://git.example.com/a.git"
    return Wanted(url, "", "", 1, False, "deploy", str(folder / "secret"), {})  # noqa: FBT003


def asked(shared: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A program of the job's, which knows the socket."""
    environment = {"PATH": os.environ["PATH"], "SSH_AUTH_SOCK": str(shared / "agent")}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30)


def test_the_job_clones_with_a_key_that_it_cannot_read(
    tmp_path: Path, shared: Path, server: SshServer
) -> None:
    repository = Repository(tmp_path, "second.git")
    tip = repository.serve(repository.file("number"))
    key = server.user_key.read_text()
    secret = wanted(tmp_path, ssh__privatekey=key, known_hosts=server.known_hosts())
    with offering(secret, str(shared)) as known_hosts:
        assert known_hosts == f"{shared}/known_hosts"
        ssh = f"core.sshCommand=ssh -F none -o UserKnownHostsFile={known_hosts}"
        listed = asked(shared, "git", "-c", ssh, "ls-remote", server.url(repository.folder), "HEAD")
        assert listed.stdout == f"{tip}\tHEAD\n", listed.stderr
        assert sorted(path.name for path in shared.iterdir()) == ["agent", "known_hosts"]
        assert "PRIVATE" not in (shared / "known_hosts").read_text()
        mode = (shared / "agent").stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
    assert asked(shared, "ssh-add", "-l").returncode == 2  # it is gone


@pytest.mark.parametrize("mangle", [str.strip, lambda key: key.replace("\n", "\r\n")])
def test_a_key_is_taken_however_it_was_stored(
    tmp_path: Path, shared: Path, mangle: type[str]
) -> None:
    key = mangle(sshserver.make_key(tmp_path, "user").read_text())
    with offering(wanted(tmp_path, ssh__privatekey=key), str(shared)) as known_hosts:
        assert known_hosts == ""
        assert "ED25519" in asked(shared, "ssh-add", "-l").stdout


def test_without_a_key_there_is_no_socket(tmp_path: Path, shared: Path) -> None:
    with offering(wanted(tmp_path, token="not-a-real-token"), str(shared)) as known_hosts:
        assert known_hosts is None
        assert list(shared.iterdir()) == []


def test_the_job_cannot_have_a_library_loaded(tmp_path: Path, shared: Path) -> None:
    [library, *_] = Path("/usr/lib").glob("*/libcrypto.so*")
    key = sshserver.make_key(tmp_path, "user").read_text()
    with offering(wanted(tmp_path, ssh__privatekey=key), str(shared)):
        refused = asked(shared, "ssh-add", "-q", "-s", str(library))
        assert refused.returncode == 1
        assert "agent refused operation" in refused.stderr
        assert "ED25519" in asked(shared, "ssh-add", "-l").stdout


def test_a_key_with_a_passphrase_or_no_key_at_all_is_named(tmp_path: Path, shared: Path) -> None:
    path = sshserver.make_key(tmp_path, "user")
    words = ["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", str(path)]
    subprocess.run(words, check=True)
    secret = wanted(tmp_path, ssh__privatekey=path.read_text())
    for key in (path.read_text(), "no key at all"):
        (tmp_path / "secret" / "ssh-privatekey").write_text(key)
        with (
            pytest.raises(GitAuthFailed, match="ssh-privatekey in Secret deploy cannot be used"),
            offering(secret, str(shared)),
        ):
            pass
        (shared / "agent").unlink(missing_ok=True)
