"""The folder that the agent and the job's wrapper share; called by `stages`.

The wrapper makes `waiting` and waits for `ready`, holds the FIFO `alive` open while the job runs
(see `lifeline`), and writes `exit-code`; `home` and `tmp` are the job's HOME and TMPDIR.
"""
# ruff: noqa: PTH101, PTH103, PTH104, PTH108
# pathlib costs a tenth of the agent's start, and every job waits for that.

import os
import time


def open_scratch(control: str) -> int:
    """A file for the archive. It has no name, so nothing of it stays when the agent is killed."""
    path = f"{control}/.archive"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return file


def make_folders(control: str) -> None:
    """HOME and TMPDIR of the job, which runs as the same user."""
    for name, mode in (("home", 0o700), ("tmp", 0o1777)):
        path = f"{control}/{name}"
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)


def settle_git(control: str, workspace: str, known_hosts: str = "") -> None:
    """Let the job's git work in the workspace, and trust the servers in a file of known hosts.

    The kubelet makes that folder for root, and git works only in folders of its own user unless a
    person's settings name them. A repository's own settings and `GIT_SSH_COMMAND` win over these.
    """
    settings = f"[safe]\n\tdirectory = {workspace}\n"
    if known_hosts:
        files = f"~/.ssh/known_hosts {known_hosts}"
        settings += f"[core]\n\tsshCommand = ssh -o 'UserKnownHostsFile={files}'\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(f"{control}/home/.gitconfig", flags, 0o644)
    try:
        os.write(file, settings.encode())
    finally:
        os.close(file)


def exit_code(control: str) -> int | None:
    """The command's exit code as the wrapper noted it; None if it was killed before.

    The job could have put anything there: it is neither followed nor waited for.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(f"{control}/exit-code", flags)
    except OSError:
        return None
    try:
        text = os.read(file, 16).strip()
    except OSError:
        return None
    finally:
        os.close(file)
    return int(text) if text.isdigit() else None


def waited(control: str, seconds: float) -> float:
    """For how many of the last `seconds` the job's container has waited for its workspace.

    By the time of the wrapper's file; whatever the job has made of that, it is at most all of them.
    """
    try:
        since = time.time() - os.lstat(f"{control}/waiting").st_mtime
    except OSError:  # the image is still being pulled, perhaps: nobody has waited
        return 0.0
    return min(max(since, 0.0), seconds)


def say_ready(control: str) -> None:
    """Let the wrapper go on. By a rename: it must not see a file that is half made."""
    os.close(os.open(f"{control}/.ready", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    os.rename(f"{control}/.ready", f"{control}/ready")
