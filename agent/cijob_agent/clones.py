"""A git repository in the workspace, at the commit that the job names; called by `stages`.

git works aside, in a folder of the workspace's volume that the job does not see, and what it has
made is handed over when it is done: the job's image runs all the while, and could tell git by a
`.git/config` what to run with the credentials. The agent's git never works in the workspace.

Only what is needed is fetched: one ref or one commit, so deep as asked for. What would be checked
out is measured first. `.git` stays, with the URL that the job names and no credentials, so that the
job can ask git about itself; links stay as they are in the repository, wherever they lead: nothing
is ever written through them, and the job could make the same ones.
"""

import os
import re
import select
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from cijob_agent import credentials, git, gitwords, workspaces
from cijob_agent.errors import AgentError, GitRefNotFound, SourceTooLarge, SourceUnreachable
from cijob_agent.git import Git, GitFailed
from cijob_agent.settings import Repository
from cijob_agent.shortnames import beginning_with
from cijob_agent.wording import size

# What a file or folder takes on the disk even when it is empty.
BLOCK = 4096
MAX_FILES = 1_000_000
PIECE = 1 << 18
LOOK_SECONDS = 1.0
# A server's words when it gives commits by the name of a ref only.
_BY_REF_ONLY = r"unadvertised object|want \S+ not valid"
Tell = Callable[[str, str], None]


class Room(NamedTuple):
    """Where to clone to, and how many bytes at most."""

    workspace: str
    aside: str  # on the same volume; the job does not see it
    private: str  # the agent's own: for credentials
    limit: int


class Tries(NamedTuple):
    """How long to try, in seconds."""

    total: float
    silence: float = 60.0  # of a server, within an answer
    first_pause: float = 0.5
    longest_pause: float = 10.0


class _Work(NamedTuple):
    """One try."""

    repository: Repository
    git: Git
    scratch: str  # an empty folder
    limit: int


def clone(repository: Repository, room: Room, tries: Tries, *, tell: Tell) -> str:
    """Clone into the workspace; the full name of the commit that is checked out.

    `tell` hears stages, and why it takes longer. Raises GitAuthFailed, GitRefNotFound, GitHostKey,
    SourceNotFound, SourceRejected, SourceTooLarge, SourceUnreachable (out of time) and AgentError.
    """
    started, pause = time.monotonic(), tries.first_pause
    ends = started + tries.total
    while True:
        private = tempfile.mkdtemp(prefix="git-", dir=room.private)
        try:
            commit = _try_once(repository, room, private, tries=tries, ends=ends, tell=tell)
        except SourceUnreachable as error:
            if time.monotonic() + pause >= ends:
                spent = time.monotonic() - started
                raise SourceUnreachable(
                    f"{error}; given up after {spent:.0f} s of at most {tries.total:g} s"
                    " (startTimeoutSeconds)"
                ) from error
            tell("fetch", f"{error}; trying again")
        else:
            workspaces.hand_over(room.aside, room.workspace)
            return commit
        finally:
            shutil.rmtree(private, ignore_errors=True)
        time.sleep(pause)
        pause = min(pause * 2, tries.longest_pause)


def _try_once(
    repository: Repository, room: Room, private: str, *, tries: Tries, ends: float, tell: Tell
) -> str:
    """Clone once; what git says, as our errors."""
    given = credentials.prepare(repository, private)
    home, scratch = f"{private}/home", f"{private}/scratch"
    os.mkdir(home)  # noqa: PTH102
    os.mkdir(scratch)  # noqa: PTH102
    program = Git(
        room.aside,
        {**git.environment(home, repository.network), **given.environment},
        ends,
        (("http.lowSpeedTime", str(int(tries.silence))), *given.options),
    )
    try:
        with git.largest_file(room.limit):
            return _clone(_Work(repository, program, scratch, room.limit), tell)
    except GitFailed as error:
        words = error.words
        for secret in given.secrets:
            words = words.replace(secret, "…")
        raise gitwords.read(words, error.code) from error
    except git.OutOfTime as error:
        raise SourceUnreachable(f"{repository.url} was too slow") from error


def _clone(work: _Work, tell: Tell) -> str:
    workspaces.clear(work.git.folder)
    _begin(work.git, work.repository.url)
    commit = _fetch(work)
    tell("verify", f"commit {commit}")
    _measure(work, commit)
    tell("unpack", f"commit {commit}")
    work.git.run("checkout", "--quiet", "--force", "--detach", commit, "--")
    if work.repository.submodules:
        _bring_submodules(work)
    return commit


def _begin(program: Git, url: str) -> None:
    """An empty repository with that remote."""
    program.run("init", "--quiet")
    program.run("config", "remote.origin.url", url)
    program.run("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")


def _fetch(work: _Work) -> str:
    """Fetch what the job names; the full name of its commit."""
    repository = work.repository
    if repository.commit:
        return _fetch_commit(work, repository.commit)
    try:
        work.git.run(*_fetching(repository), "origin", f"+{repository.ref or 'HEAD'}")
    except GitFailed as error:
        looks_so = re.fullmatch(r"[0-9a-f]{4,64}", repository.ref)
        if looks_so and re.search(f"couldn't find remote ref|{_BY_REF_ONLY}", error.words):
            return _fetch_commit(work, repository.ref)
        raise
    return _named(work.git)


def _fetching(repository: Repository) -> tuple[str, ...]:
    depth = [f"--depth={repository.depth}", "--no-tags"] if repository.depth else ["--tags"]
    return ("fetch", "--quiet", "--force", "--no-auto-gc", *depth, "--end-of-options")


def _named(program: Git) -> str:
    """The commit that was fetched; its branch or tag gets its name, as after `git clone`."""
    # As bytes: a tag further down may have a name that is no text.
    with open(f"{program.folder}/.git/FETCH_HEAD", "rb") as file:  # noqa: PTH123
        line = file.readline().decode("utf-8", "surrogateescape")
    found = re.match(r"([0-9a-f]+)\t\t(?:(branch|tag) '([^']+)' of )?", line)
    if not found:
        raise AgentError(f"git fetched nothing that has a name: {line!r}")
    tip, kind, name = found.groups()
    if kind:
        folder = "refs/tags" if kind == "tag" else "refs/remotes/origin"
        program.run("update-ref", f"{folder}/{name}", tip)
    return program.run("rev-parse", "--verify", "--quiet", f"{tip}^{{commit}}").strip()


def _fetch_commit(work: _Work, commit: str) -> str:
    if len(commit) not in (40, 64):
        commit = _full_name(work, commit)
    try:
        work.git.run(*_fetching(work.repository), "origin", commit)
    except GitFailed as error:
        # Then with its ref's history.
        if not re.search(_BY_REF_ONLY, error.words):
            raise
        work.git.run("fetch", "--quiet", "--no-auto-gc", "--end-of-options", *_history(work))
    return work.git.run("rev-parse", "--verify", f"{commit}^{{commit}}").strip()


def _history(work: _Work) -> tuple[str, ...]:
    """The remote and what to fetch of it to find any commit of the ref, or of all refs."""
    if work.repository.ref and work.repository.commit:
        return ("origin", f"+{work.repository.ref}:refs/cijob/ref")
    return ("origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")


def _full_name(work: _Work, short: str) -> str:
    """The full name of a commit that is given abbreviated: no server knows those.

    The history is fetched without the files, where the server can do that, and thrown away.
    """
    # Commits without their trees are nothing to check.
    more = (*work.git.more, ("fetch.fsckObjects", "false"))
    program = work.git._replace(folder=work.scratch, more=more)
    _begin(program, work.repository.url)
    program.run(
        "fetch", "--quiet", "--no-auto-gc", "--filter=tree:0", "--end-of-options", *_history(work)
    )
    commits = beginning_with(short, program)
    shutil.rmtree(f"{work.scratch}/.git")
    if len(commits) == 1:
        return commits[0]
    where = work.repository.ref if work.repository.commit else ""
    raise GitRefNotFound(
        f"{short} fits {len(commits)} commits of {where or 'all branches and tags'} in"
        f" {work.repository.url}; give more of it, or the full one"
    )


def _measure(work: _Work, commit: str) -> None:
    """Add up what would be checked out, before any of it is. Raises SourceTooLarge."""
    total, files, rest = _packed(work.git.folder), 0, b""
    with work.git.printing("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit) as output:
        while piece := output.read(PIECE):
            *entries, rest = (rest + piece).split(b"\0")
            for entry in entries:
                length = entry.split(b"\t", 1)[0].split()[3]
                total += -(-int(length) // BLOCK) * BLOCK or BLOCK if length.isdigit() else BLOCK
            files += len(entries)
            # At once: a few small trees that name each other can stand for more than any disk.
            if total > work.limit or files > MAX_FILES:
                raise SourceTooLarge(
                    f"the repository has more than {size(work.limit)}, the job's limit of"
                    f" ephemeral-storage, or more than {MAX_FILES} files; raise the limit, or"
                    " lower source.git.depth"
                )


def _packed(folder: str) -> int:
    """The bytes of what was fetched."""
    with os.scandir(f"{folder}/.git/objects/pack") as packs:
        return sum(pack.stat(follow_symlinks=False).st_size for pack in packs)


def _bring_submodules(work: _Work) -> None:
    depth = ("--depth", str(work.repository.depth)) if work.repository.depth else ()
    words = ("submodule", "--quiet", "update", "--init", "--recursive", "--force", "--checkout")
    with work.git.printing(*words, *depth) as output:
        # What a submodule has is known only when it is here: look while it comes.
        while not select.select([output], [], [], LOOK_SECONDS)[0] or output.read(PIECE):
            _must_fit(work)
    _must_fit(work)


def _must_fit(work: _Work) -> None:
    """Add up what is there. Raises SourceTooLarge."""
    taken = 0
    for folder, _, names in os.walk(work.git.folder):
        for name in names:
            with suppress(FileNotFoundError):  # git's own, gone since it was listed
                taken += os.lstat(f"{folder}/{name}").st_size
    if taken > work.limit:
        raise SourceTooLarge(
            f"the repository and its submodules have {size(taken)} or more, the job's limit of"
            f" ephemeral-storage is {size(work.limit)}; raise it"
        )
