"""An ssh-agent beside the job: the job signs with the repository's key and never reads it.

Called by `stages` before ready. OpenSSH's own program holds the key in this container, where the
job sees no process and no file. The socket lies in a folder that the job mounts read-only: could
the job put a socket of its own there, the key would be handed to it.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from cijob_agent import credentials
from cijob_agent.errors import AgentError, GitAuthFailed
from cijob_agent.git import PATH
from cijob_agent.settings import Repository

SECONDS = 20  # for a program that takes milliseconds
_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}


@contextmanager
def offering(repository: Repository, folder: str) -> Iterator[str | None]:
    """A socket `agent` in the folder, from here to the end of the block; None without a key.

    Otherwise the path of the Secret's known hosts beside it, empty if it has none.
    Raises GitAuthFailed for a key that cannot be used without a person, and AgentError.
    """
    key, known_hosts = credentials.ssh_key(repository)
    if not key:
        yield None
        return
    path = f"{folder}/known_hosts" if known_hosts else ""
    if path:
        _write(path, known_hosts)
    socket = f"{folder}/agent"
    # -P '': the job cannot have it load a library (CVE-2023-38408 was that).
    words = ["ssh-agent", "-D", "-P", "", "-a", socket]
    with subprocess.Popen(
        words, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as program:
        try:
            # Its first line comes when it listens.
            if not (program.stdout and program.stdout.readline()):
                raise AgentError(f"ssh-agent ended with {program.wait()}")
            _add(repository, key, socket)
            yield path
        finally:
            program.kill()


def _add(repository: Repository, key: str, socket: str) -> None:
    """Hand the key over, by a pipe: it is in no file that ssh-add would look at the mode of."""
    added = subprocess.run(
        ["ssh-add", "-q", "-"],
        env={**_ENVIRONMENT, "SSH_AUTH_SOCK": socket},
        input=key.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        start_new_session=True,  # no terminal to ask for a passphrase on
        check=False,
    )
    if added.returncode:
        said = " ".join(added.stderr.decode(errors="replace").split())
        raise GitAuthFailed(
            f"{credentials.KEY} in Secret {repository.secret} cannot be used; store it again,"
            f" without a passphrase: {said}"
        )


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
