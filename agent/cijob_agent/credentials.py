"""The credentials of a git repository, from the Secret to where git finds them; called by `clones`.

The Secret is mounted in the agent only. A token goes into a file that `git credential-store` reads
for its own host and port and for no other; a key into a file that only ssh reads. Both lie in the
agent's own container, never in a folder that the job shares, and in no argument and no setting.
"""

import os
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from cijob_agent.errors import GitAuthFailed, GitHostKey
from cijob_agent.settings import Repository

# The keys of Secrets of the types kubernetes.io/basic-auth and ssh-auth, and of our own.
TOKENS = ("token", "password")
KEY, KNOWN_HOSTS, USERNAME = "ssh-privatekey", "known_hosts", "username"
# GitHub takes it with any token, GitLab any name at all.
ANYBODY = "x-access-token"
_SSH = {
    "BatchMode": "yes",
    "ConnectTimeout": "15",
    "ControlPath": "none",
    "GlobalKnownHostsFile": "/dev/null",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "PreferredAuthentications": "publickey",
    "ProxyCommand": "none",
    "ServerAliveCountMax": "4",
    "ServerAliveInterval": "15",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
}


class Credentials(NamedTuple):
    """What git gets for them: options, variables, and what must never be shown."""

    options: tuple[tuple[str, str], ...]
    environment: dict[str, str]
    secrets: tuple[str, ...]


def prepare(repository: Repository, private: str) -> Credentials:
    """Put the Secret where git finds it. Raises GitAuthFailed and GitHostKey."""
    given = _read(repository)
    if repository.url.startswith("ssh:"):
        return _prepare_key(repository, given, private)
    if repository.secret:
        return _prepare_token(repository, given, private)
    return Credentials((), {}, ())


def _prepare_token(repository: Repository, given: dict[str, str], private: str) -> Credentials:
    token = next((given[name] for name in TOKENS if given.get(name)), "").strip()
    user = given.get(USERNAME, "").strip() or ANYBODY
    if not token:
        raise GitAuthFailed(_lacking(repository, "token (or password)"))
    if not (token + user).isprintable():
        raise GitAuthFailed(
            f"the token in Secret {repository.secret} is not one line of text; store it again"
        )
    host = urlsplit(repository.url).netloc
    path = f"{private}/credentials"
    _write(path, f"https://{quote(user, safe='')}:{quote(token, safe='')}@{host}\n", 0o600)
    helper = ("credential.helper", f"store --file={path}")
    return Credentials((helper,), {}, (token, quote(token, safe="")))


def _prepare_key(repository: Repository, given: dict[str, str], private: str) -> Credentials:
    key, known = given.get(KEY, ""), given.get(KNOWN_HOSTS, "")
    if not repository.secret:
        raise GitAuthFailed(
            f"{repository.url} needs a key; put {KEY} and {KNOWN_HOSTS} into a Secret and name it"
            " in source.git.secretName"
        )
    if not key.strip():
        raise GitAuthFailed(_lacking(repository, KEY))
    if not known.strip():
        # Trust on first use would be no trust: each job is the first.
        raise GitHostKey(
            f"Secret {repository.secret} has no {KNOWN_HOSTS}; add what `ssh-keyscan HOST` prints,"
            " compared with the keys that the server's operator publishes"
        )
    _write(f"{private}/key", _as_lines(key), 0o400)
    _write(f"{private}/known_hosts", _as_lines(known), 0o400)
    files = {"IdentityFile": f"{private}/key", "UserKnownHostsFile": f"{private}/known_hosts"}
    words = " ".join(f"-o {name}={value}" for name, value in {**_SSH, **files}.items())
    environment = {"GIT_SSH_COMMAND": f"ssh -F none {words}", "GIT_SSH_VARIANT": "ssh"}
    return Credentials((), environment, ())


def ssh_key(repository: Repository) -> tuple[str, str]:
    """The Secret's ssh key and known hosts as OpenSSH reads them, each empty if it has none."""
    given = _read(repository)
    return _as_lines(given.get(KEY, "")), _as_lines(given.get(KNOWN_HOSTS, ""))


def _as_lines(text: str) -> str:
    """ssh takes a key without its last newline, or with carriage returns, for a broken one."""
    lines = text.replace("\r\n", "\n").strip()
    return f"{lines}\n" if lines else ""


def _read(repository: Repository) -> dict[str, str]:
    """The Secret's keys; none where it is not there, since its mount is optional."""
    given = {}
    for name in (*TOKENS, USERNAME, KEY, KNOWN_HOSTS):
        path = os.path.join(repository.credentials, name)  # noqa: PTH118
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                given[name] = file.read(1 << 20).decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
    return given if repository.secret else {}


def _lacking(repository: Repository, key: str) -> str:
    return (
        f"Secret {repository.secret} is not there, or has no key {key}, which {repository.url}"
        " needs; add it"
    )


def _write(path: str, text: str, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
