"""Cloning with the real git from a real server: what arrives, and what every failure is called."""

import json
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cijob_agent.clones import Room, Tries, clone
from cijob_agent.errors import (
    AgentError,
    GitAuthFailed,
    GitHostKey,
    GitRefNotFound,
    SourceNotFound,
    SourceRejected,
    SourceTooLarge,
    SourceUnreachable,
)
from cijob_agent.settings import Paths
from cijob_agent.settings import Repository as Wanted
from cijob_agent.stages import run
from kit.gitserver import HOLD, GitServer, git, make_certificate, serving
from kit.repositories import EXECUTABLE, FILE, FOLDER, SUBMODULE, Repository

pytestmark = pytest.mark.process

TOKEN = "not-a-real-token"
HOOKS = ("post-checkout", "post-merge", "pre-auto-gc", "reference-transaction")
TRIES = Tries(20, first_pause=0.02)
ONCE = Tries(20, first_pause=20)
Serve = Callable[[GitServer], AbstractContextManager[GitServer]]


@dataclass(frozen=True)
class Ground:
    """The repositories of all tests, made once: three commits, two branches, tags."""

    root: Path
    ca: Path
    serve: Serve
    commits: tuple[str, ...]

    @property
    def first(self) -> str:
        return self.commits[0]

    @property
    def second(self) -> str:
        return self.commits[1]

    @property
    def tip(self) -> str:
        return self.commits[2]

    @property
    def other(self) -> str:
        return self.commits[3]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("git")
    ca, certificate, key = make_certificate(folder, "127.0.0.1", "localhost")
    root = folder / "repositories"
    root.mkdir()
    made = Repository(root, "project.git")
    accents, commits = made.tree(made.file("naïve.txt", "é")), list[str]()
    for number in ("one", "two", "three"):
        tree = made.tree(made.file("number", number), (FOLDER, accents, "café"))
        commits.append(made.commit(tree, *commits[-1:], message=number))
    other = made.commit(made.tree(made.file("number", "four")), commits[0], message="four")
    made.point("refs/heads/main", commits[2])
    made.point("refs/heads/feature/x", other)
    made.point("refs/tags/light", commits[1])
    git(made.folder, "tag", "--annotate", "--message=first", "v1.0", commits[0])
    return Ground(root, ca, lambda told: serving(told, certificate, key), (*commits, other))


@pytest.fixture
def server(ground: Ground) -> Iterator[GitServer]:
    with ground.serve(GitServer(ground.root)) as running:
        yield running


class Pod:
    """The folders of a Pod, and a clone into them."""

    def __init__(self, folder: Path, ca: Path) -> None:
        self.volume, self.private = folder / "volume", folder / "private"
        self.workspace, self.aside = self.volume / "workspace", self.volume / "clone"
        self.secret, self.outside = folder / "secret", folder / "outside"
        folders = (self.volume, self.workspace, self.aside)
        for made in (*folders, self.private, self.secret, self.outside):
            made.mkdir()
        self.ca = ca
        self.told: list[str] = []

    def clone(self, url: str, *, tries: Tries = TRIES, limit: int = 1 << 30, **said: Any) -> str:
        given: dict[str, Any] = {
            "url": url,
            "ref": "",
            "commit": "",
            "depth": 1,
            "submodules": False,
            "secret": "git-credentials" if any(self.secret.iterdir()) else "",
            "credentials": str(self.secret),
            "network": {"GIT_SSL_CAINFO": str(self.ca)},
        }
        wanted = Wanted(**(given | said))
        room = Room(str(self.workspace), str(self.aside), str(self.private), limit)
        return clone(wanted, room, tries, tell=lambda stage, words: self.told.append(words))

    def keep(self, **secret: str) -> None:
        for name, value in secret.items():
            (self.secret / name.replace("__", "-")).write_text(value)

    def git(self, *words: str) -> str:
        return git(self.workspace, *words)

    @property
    def number(self) -> str:
        return (self.workspace / "number").read_text()


@pytest.fixture
def pod(tmp_path: Path, ground: Ground) -> Pod:
    return Pod(tmp_path, ground.ca)


def project(server: GitServer) -> str:
    return f"{server.url}/project.git"


# What arrives


def test_nothing_named_is_the_tip_of_head_and_git_works_in_it(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    assert pod.clone(project(server)) == ground.tip
    assert pod.number == "three"
    assert (pod.workspace / "café/naïve.txt").read_text() == "é"
    assert pod.git("status", "--porcelain") == ""
    assert pod.git("rev-list", "--count", "HEAD") == "1"
    assert pod.git("remote", "get-url", "origin") == project(server)
    assert not list((pod.workspace / ".git").glob("hooks/*"))
    assert list(pod.private.iterdir()) == []


@pytest.mark.parametrize(
    ("ref", "commit", "known_as"),
    [
        ("main", "tip", "origin/main"),
        ("refs/heads/main", "tip", "origin/main"),
        ("feature/x", "other", "origin/feature/x"),
        ("light", "second", "tag: light"),
        ("v1.0", "first", "tag: v1.0"),
        ("HEAD", "tip", ""),
    ],
)
def test_a_branch_or_tag_is_checked_out_and_known_by_its_name(
    pod: Pod, server: GitServer, ground: Ground, *, ref: str, commit: str, known_as: str
) -> None:
    assert pod.clone(project(server), ref=ref) == getattr(ground, commit)
    assert known_as in pod.git("log", "-1", "--format=%D")
    assert "v1.0" not in ref or pod.git("describe") == "v1.0"


@pytest.mark.parametrize("protocol", [True, False])
@pytest.mark.parametrize("length", [40, 8])
@pytest.mark.parametrize("field", ["commit", "ref"])
def test_a_commit_that_no_ref_points_at_is_found_full_and_abbreviated(
    pod: Pod, server: GitServer, ground: Ground, *, field: str, length: int, protocol: bool
) -> None:
    made = Repository(ground.root, f"commit-{field}-{length}-{protocol}.git")
    tree = made.tree(made.file("number", "one"))
    first = made.commit(tree)
    made.point("refs/heads/main", made.commit(tree, first))
    server.protocol = protocol  # without version 2 a server gives commits by a ref only
    said: dict[str, Any] = {field: first[:length]}
    assert pod.clone(f"{server.url}/{made.folder.name}", **said) == first
    assert pod.number == "one"


def test_an_abbreviation_is_looked_for_in_the_ref_alone(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    assert pod.clone(project(server), ref="feature/x", commit=ground.other[:10]) == ground.other
    with pytest.raises(GitRefNotFound, match="fits 0 commits of main"):
        pod.clone(project(server), ref="main", commit=ground.other[:10])


def test_an_abbreviation_of_several_commits_is_refused(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "ambiguous.git")
    tree, seen = made.tree(made.file("a")), dict[str, str]()
    for number in range(2000):
        commit = made.commit(tree, message=str(number))
        made.point(f"refs/heads/b{number}", commit)
        if commit[:4] in seen:
            break
        seen[commit[:4]] = commit
    made.point("refs/heads/main", commit)
    with pytest.raises(GitRefNotFound, match="fits 2 commits of all branches and tags"):
        pod.clone(f"{server.url}/ambiguous.git", commit=commit[:4])


def test_a_tag_whose_name_is_no_text_keeps_no_history_away(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "latin.git")
    first = made.serve(made.file("number", "one"))
    made.point(os.fsdecode(b"refs/tags/v1-\xe9t\xe9"), first)
    assert pod.clone(f"{server.url}/latin.git", ref="main", depth=0) == first


@pytest.mark.parametrize(("depth", "commits"), [(1, "1"), (2, "2"), (0, "3")])
def test_the_history_is_so_deep_as_asked_for(
    pod: Pod, server: GitServer, depth: int, commits: str
) -> None:
    pod.clone(project(server), ref="main", depth=depth)
    assert pod.git("rev-list", "--count", "HEAD") == commits
    if depth == 0:  # whole, so that the job can name its version
        assert pod.git("describe", "--tags").startswith("light-1-g")


def test_submodules_come_too_by_relative_and_by_whole_urls(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    inner = Repository(ground.root, "inner.git")
    innermost = inner.serve(*inner.submodule("../project.git", ground.second))
    outer = Repository(ground.root, "outer.git")
    outer.serve(*outer.submodule(f"{server.url}/inner.git", innermost))
    pod.clone(f"{server.url}/outer.git")
    assert list((pod.workspace / "sub").iterdir()) == []
    pod.clone(f"{server.url}/outer.git", submodules=True)
    assert (pod.workspace / "sub/sub/number").read_text() == "two"


def test_a_second_run_begins_with_an_empty_workspace(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    (pod.workspace / "left").mkdir()
    (pod.workspace / ".git").write_text("gitdir: /etc")
    assert pod.clone(project(server)) == ground.tip
    assert not (pod.workspace / "left").exists()


@pytest.fixture
def _signals() -> Iterator[None]:
    """The agent's handlers are for a process of its own."""
    kept, mask = signal.getsignal(signal.SIGTERM), os.umask(0o022)
    yield
    signal.signal(signal.SIGTERM, kept)
    os.umask(mask)


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize("prepare", ["Parallel", "Init"])
def test_the_agent_says_the_commit_and_lets_the_job_ask_git(
    pod: Pod, server: GitServer, ground: Ground, *, tmp_path: Path, prepare: str
) -> None:
    (tmp_path / "control").mkdir()
    told = {
        "CIJOB_GIT_URL": project(server),
        "CIJOB_GIT_REF": "v1.0",
        "CIJOB_PREPARE": prepare,
        "GIT_SSL_CAINFO": str(ground.ca),
    }
    words = tmp_path / "words"
    folders = (pod.workspace, tmp_path / "control", tmp_path, words, pod.private, pod.volume)
    assert run(told, Paths(*map(str, folders))) == 0
    said = json.loads(words.read_text())
    assert said.pop("waitedSeconds") >= 0
    assert said == {"stage": "done", "message": "", "commit": ground.first}
    settings = (tmp_path / "control/home/.gitconfig").read_text()
    assert f"directory = {pod.workspace}\n" in settings
    assert (tmp_path / "control/ready").exists() is (prepare == "Parallel")


@pytest.mark.usefixtures("_signals")
def test_a_failure_stands_in_the_last_words(
    pod: Pod, server: GitServer, ground: Ground, tmp_path: Path
) -> None:
    (tmp_path / "control").mkdir()
    told = {
        "CIJOB_GIT_URL": project(server),
        "CIJOB_GIT_REF": "nope",
        "GIT_SSL_CAINFO": str(ground.ca),
    }
    words = tmp_path / "words"
    folders = (pod.workspace, tmp_path / "control", tmp_path, words, pod.private, pod.volume)
    assert run(told, Paths(*map(str, folders))) == 1
    said = json.loads(words.read_text())
    assert (said["stage"], said["reason"]) == ("fetch", "GitRefNotFound")
    assert not (tmp_path / "control/ready").exists()


# What goes wrong, by name


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"ref": "nope"}, GitRefNotFound, "couldn't find remote ref nope"),
        ({"ref": "deadbeef"}, GitRefNotFound, "deadbeef fits 0 commits of all branches and tags"),
        ({"commit": "0" * 39 + "1"}, GitRefNotFound, "not our ref"),
        ({"network": {}}, GitHostKey, "certificate verification failed"),
    ],
)
def test_what_is_asked_wrongly_is_said_at_once(
    pod: Pod, server: GitServer, *, said: dict[str, Any], error: type[AgentError], words: str
) -> None:
    with pytest.raises(error, match=words):
        pod.clone(project(server), **said)
    assert not any("trying again" in told for told in pod.told)


def test_a_repository_that_is_not_there_or_empty_is_said(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    with pytest.raises(SourceNotFound, match=r"nope\.git/' not found"):
        pod.clone(f"{server.url}/nope.git")
    Repository(ground.root, "empty.git")
    with pytest.raises(GitRefNotFound, match="couldn't find remote ref HEAD"):
        pod.clone(f"{server.url}/empty.git")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, GitAuthFailed),
        (403, GitAuthFailed),
        (404, SourceNotFound),
        (410, SourceNotFound),
        (429, SourceUnreachable),
        (500, SourceUnreachable),
        (502, SourceUnreachable),
    ],
)
def test_each_answer_of_a_server_has_a_name(
    pod: Pod, server: GitServer, status: int, error: type[AgentError]
) -> None:
    server.status = status
    with pytest.raises(error):
        pod.clone(project(server), tries=ONCE)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, GitAuthFailed),
        (404, SourceNotFound),
        (429, SourceUnreachable),
        (500, SourceUnreachable),
    ],
)
def test_so_has_each_answer_to_the_second_question(
    pod: Pod, server: GitServer, status: int, error: type[AgentError]
) -> None:
    server.post_status = status
    with pytest.raises(error, match=f"RPC failed; HTTP {status} curl 22"):
        pod.clone(project(server), tries=ONCE)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("cut", SourceUnreachable, "unexpected disconnect while reading sideband packet"),
        ("broken", SourceRejected, "the server sent a broken pack.*pack has bad object"),
        ("words", SourceUnreachable, "bad line length character: zzzz"),
    ],
)
def test_an_answer_that_is_no_answer_has_a_name(
    pod: Pod, server: GitServer, *, how: str, error: type[AgentError], words: str
) -> None:
    server.garbles = how
    with pytest.raises(error, match=words):
        pod.clone(project(server), tries=ONCE)


def test_whom_nobody_vouches_for_is_not_trusted(
    pod: Pod, server: GitServer, ground: Ground, tmp_path: Path
) -> None:
    ca, certificate, key = make_certificate(tmp_path, "git.example.com")
    with serving(GitServer(ground.root), certificate, key) as other:
        for trusted, words in (
            (ca, "SSL: certificate subject name .* does not match"),
            (ground.ca, "server certificate verification failed"),
            (tmp_path / "none", "Problem with the SSL CA cert"),
        ):
            with pytest.raises(GitHostKey, match=words):
                pod.clone(project(other), network={"GIT_SSL_CAINFO": str(trusted)}, tries=ONCE)


def test_a_server_that_fails_at_first_is_asked_again(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    server.failures = 3
    assert pod.clone(project(server)) == ground.tip
    assert sum("error: 503; trying again" in told for told in pod.told) == 3


@pytest.mark.parametrize("how", ["dead", "hangs", "unknown"])
def test_a_server_that_does_not_answer_is_given_up_in_time(
    pod: Pod, server: GitServer, how: str
) -> None:
    server.hangs = how == "hangs"
    url = {
        "hangs": project(server),
        "dead": "https://127.0.0.1:1/a",
        "unknown": "https://a.invalid/a",
    }
    with pytest.raises(SourceUnreachable, match="given up after"):
        pod.clone(url[how], tries=Tries(1, first_pause=0.1))


def test_what_is_over_the_limit_is_refused_before_it_is_written(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "large.git")
    made.serve((FILE, made.blob(os.urandom(3 << 20)), "noise"))
    zeros = Repository(ground.root, "zeros.git")
    zeros.serve((FILE, zeros.blob(bytes(8 << 20)), "zeros"))
    bomb = Repository(ground.root, "bomb.git")
    entries = [(FILE, bomb.blob(b"boom"), f"f{number}") for number in range(10)]
    for _ in range(9):
        tree = bomb.tree(*entries)
        entries = [(FOLDER, tree, f"d{number}") for number in range(10)]
    bomb.serve(*entries)
    for name in ("large", "zeros", "bomb"):
        with pytest.raises(SourceTooLarge, match="ephemeral-storage"):
            pod.clone(f"{server.url}/{name}.git", limit=2 << 20)
        assert list(pod.workspace.iterdir()) == []
        assert [path.name for path in pod.aside.iterdir()] == [".git"]


def test_a_submodule_that_never_ends_is_stopped_while_it_comes(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "endless.git")
    large = Repository(ground.root, "large-submodule.git")
    tip = large.serve((FILE, large.blob(os.urandom(3 << 20)), "noise"))
    blocked = Repository(ground.root, "blocked-submodule.git")
    blocked.serve(blocked.file("a"))
    modules = [("a", "large-submodule", tip), ("b", "blocked-submodule", tip)]
    said = "".join(
        f'[submodule "{path}"]\n\tpath = {path}\n\turl = ../{name}.git\n'
        for path, name, _ in modules
    )
    made.serve(
        made.file(".gitmodules", said), *((SUBMODULE, commit, path) for path, _, commit in modules)
    )
    # The second one's server says nothing any more once the first is there.
    server.hangs_at = "blocked-submodule"
    with pytest.raises(SourceTooLarge, match="and its submodules have 3"):
        pod.clone(f"{server.url}/endless.git", submodules=True, limit=(3 << 20) + 4096)
    assert list(pod.workspace.iterdir()) == []


# Credentials


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ({"token": f"{TOKEN}\n"}, f"x-access-token:{TOKEN}"),
        ({"username": "ada", "password": TOKEN}, f"ada:{TOKEN}"),
    ],
)
def test_a_token_opens_the_repository_and_is_nowhere_afterwards(
    pod: Pod, server: GitServer, ground: Ground, *, secret: dict[str, str], shown: str
) -> None:
    server.token = TOKEN
    pod.keep(**secret)
    assert pod.clone(project(server)) == ground.tip
    assert server.credentials == {shown}
    assert list(pod.private.iterdir()) == []
    found = subprocess.run(["grep", "-rl", TOKEN, pod.workspace], capture_output=True, text=True)
    assert found.stdout == ""
    assert not any(TOKEN in told for told in pod.told)


def test_a_token_with_any_characters_arrives(pod: Pod, server: GitServer, ground: Ground) -> None:
    server.token = "a@b:c/d%20?#é $(id)'\""
    pod.keep(token=server.token)
    assert pod.clone(project(server)) == ground.tip


@pytest.mark.parametrize("secret", [{}, {"token": "wrong"}, {"username": "ada"}, {"token": "a\nb"}])
def test_a_wrong_or_missing_token_is_said_at_once(
    pod: Pod, server: GitServer, secret: dict[str, str]
) -> None:
    server.token = TOKEN
    pod.keep(**secret)
    with pytest.raises(GitAuthFailed) as caught:
        pod.clone(project(server), secret="git-credentials" if secret else "")
    assert "wrong" not in str(caught.value)
    with pytest.raises(GitAuthFailed, match="Secret gone is not there"):
        pod.clone(project(server), secret="gone", credentials="/nonexistent")


def test_a_token_is_in_no_argument_or_variable_of_a_process(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    server.token, server.hangs = TOKEN, True
    pod.keep(token=TOKEN)
    cloning = threading.Thread(target=lambda: pod.clone(project(server)))
    cloning.start()
    while not server.credentials:
        assert cloning.is_alive()
    seen = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"remote-https" in command:
                seen.append(command + (process / "environ").read_bytes())
        except OSError:
            continue
    server.hangs = False
    server.done.set()
    cloning.join()
    assert seen
    assert not any(TOKEN.encode() in one for one in seen)


def test_a_redirect_never_takes_credentials_to_another_host(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    pod.keep(token=TOKEN)
    with ground.serve(GitServer(ground.root, token="another")) as thief:
        for host in ("127.0.0.1", "localhost"):
            server.redirect = f"https://{host}:{thief.port}"
            for server.token in ("", TOKEN):
                with pytest.raises(GitAuthFailed):
                    pod.clone(project(server))
    assert thief.seen
    assert thief.credentials == set()


def test_a_redirect_to_a_public_repository_elsewhere_is_followed(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    pod.keep(token=TOKEN)
    with ground.serve(GitServer(ground.root)) as elsewhere:
        server.redirect = f"https://localhost:{elsewhere.port}"
        assert pod.clone(project(server)) == ground.tip
    assert elsewhere.credentials == set()


@pytest.mark.parametrize("to", ["http://127.0.0.1:1", "file:///etc", "ftp://127.0.0.1:1"])
def test_a_redirect_to_another_protocol_is_refused(pod: Pod, server: GitServer, to: str) -> None:
    server.redirect = to
    with pytest.raises(SourceRejected):
        pod.clone(project(server))


def test_a_submodule_elsewhere_never_sees_the_credentials(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    server.token = TOKEN
    pod.keep(token=TOKEN)
    made = Repository(ground.root, "with-submodule.git")
    with ground.serve(GitServer(ground.root, token="another")) as thief:
        made.serve(*made.submodule(f"{thief.url}/project.git", ground.tip))
        with pytest.raises(GitAuthFailed):
            pod.clone(f"{server.url}/with-submodule.git", submodules=True)
    assert thief.seen
    assert thief.credentials == set()


# Hostile repositories


def hostile_names(made: Repository) -> dict[str, str]:
    inside = made.tree(made.file("config", "[core]\n\tfsmonitor = touch /tmp/pwned\n"))
    names = (".git", ".GIT", "git~1", ".g\u200cit", "..", ".")
    return {name: made.tree((FOLDER, inside, name)) for name in names}


def test_paths_that_lead_into_git_or_out_are_refused(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "names.git")
    for number, tree in enumerate(hostile_names(made).values()):
        made.point(f"refs/heads/h{number}", made.commit(tree))
        with pytest.raises(SourceRejected):
            pod.clone(f"{server.url}/names.git", ref=f"h{number}")
        assert list(pod.workspace.iterdir()) == []
        assert [path.name for path in pod.aside.iterdir()] == [".git"]
        assert "pwned" not in (pod.aside / ".git/config").read_text()


def test_a_file_below_a_link_is_refused(pod: Pod, server: GitServer, ground: Ground) -> None:
    made = Repository(ground.root, "through.git")
    inside = made.tree(made.file("written"))
    made.serve(made.link("a", str(pod.outside)), (FOLDER, inside, "a"))
    with pytest.raises(SourceRejected):
        pod.clone(f"{server.url}/through.git")
    assert list(pod.outside.iterdir()) == []


def test_links_stay_what_they_are_wherever_they_lead(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "links.git")
    made.serve(made.link("up", "../outside"), made.link("root", "/etc/hostname"), made.file("f"))
    pod.clone(f"{server.url}/links.git")
    assert (pod.workspace / "up").readlink() == Path("../outside")
    assert (pod.workspace / "root").readlink() == Path("/etc/hostname")
    assert list(pod.outside.iterdir()) == []


def test_what_a_repository_asks_git_to_run_is_not_run(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "programs.git")
    touch = f"touch {pod.outside}/pwned"
    settings = (
        f'[core]\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n[filter "x"]\n\tsmudge = {touch}\n'
    )
    hooks = [(EXECUTABLE, made.blob(f"#!/bin/sh\n{touch}\n".encode()), name) for name in HOOKS]
    made.serve(
        (FOLDER, made.tree(*hooks), "hooks"),
        (FOLDER, made.tree(*hooks), ".githooks"),
        made.file(".gitattributes", "* filter=x diff=x merge=x\n*.bin filter=lfs\n"),
        made.file(".gitconfig", settings),
        made.file("config", settings),
        made.file("HEAD", "ref: refs/heads/main\n"),
        (FOLDER, made.tree(made.file("x")), "objects"),
        (FOLDER, made.tree(made.file("x")), "refs"),
        made.file("large.bin", "version https://git-lfs.github.com/spec/v1\n"),
    )
    pod.clone(f"{server.url}/programs.git", submodules=True)
    assert list(pod.outside.iterdir()) == []
    assert (pod.workspace / "large.bin").read_text().startswith("version https://git-lfs")
    assert stat.S_IMODE((pod.workspace / "hooks/post-checkout").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("ext::sh -c touch% {outside}/pwned", ""),
        ("file://{root}/project.git", ""),
        ("{root}/project.git", ""),
        ("http://127.0.0.1:1/a", ""),
        ("git://127.0.0.1/a", ""),
        ("-u./pwned", ""),
        ("--upload-pack=touch {outside}/pwned", ""),
        ("ssh://-oProxyCommand=touch {outside}/pwned/a", ""),
        ("https://user:secret@127.0.0.1:1/a", ""),
        ("../project.git", "\tupdate = !touch {outside}/pwned\n"),
    ],
)
def test_a_submodule_by_another_way_than_https_or_ssh_is_refused(
    pod: Pod, server: GitServer, ground: Ground, *, url: str, more: str, tmp_path: Path
) -> None:
    made = Repository(ground.root, f"{tmp_path.name}.git")
    places = {"outside": pod.outside, "root": ground.root}
    said = made.submodule(url.format(**places), ground.tip, more=more.format(**places))
    made.serve(*said)
    with pytest.raises((SourceRejected, GitAuthFailed)):
        pod.clone(f"{server.url}/{made.folder.name}", submodules=True)
    assert list(pod.outside.iterdir()) == []


@pytest.mark.parametrize("path", ["../outside", ".git/modules/x", "-x", "a/../../outside"])
def test_a_submodule_at_another_place_is_refused(
    pod: Pod, server: GitServer, ground: Ground, *, path: str, tmp_path: Path
) -> None:
    made = Repository(ground.root, f"{tmp_path.name}.git")
    module, _ = made.submodule("../project.git", ground.tip, path=path)
    made.serve(module, made.file("number"))
    with suppress(SourceRejected):  # or left out: it is no entry of the tree
        pod.clone(f"{server.url}/{made.folder.name}", submodules=True)
    assert list(pod.outside.iterdir()) == []


def test_git_never_works_where_the_job_could_tell_it_what_to_run(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    """The job's image runs beside the agent, as the same user, with the workspace in its hands."""
    server.token = TOKEN
    pod.keep(token=TOKEN)
    (ground.root / HOLD).touch()
    cloning = threading.Thread(target=lambda: pod.clone(project(server)))
    cloning.start()
    try:
        while not server.seen:
            assert cloning.is_alive()
        assert list(pod.workspace.iterdir()) == []
        touch = f"touch {pod.outside}/pwned"
        git(pod.workspace, "init", "--quiet")
        for setting in ("core.fsmonitor", "core.sshCommand", "core.gitProxy", "core.editor"):
            git(pod.workspace, "config", setting, touch)
        git(pod.workspace, "config", "credential.helper", f"!{touch} #")
        git(pod.workspace, "config", "url.https://127.0.0.1:1/.insteadOf", server.url)
        hook = pod.workspace / ".git/hooks/post-checkout"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{touch}\n")
        hook.chmod(0o755)
        (pod.workspace / "number").symlink_to(pod.outside / "written")
        (pod.workspace / "café").symlink_to(pod.outside)
    finally:
        (ground.root / HOLD).unlink()
        cloning.join()
    assert pod.git("rev-parse", "HEAD") == ground.tip
    assert pod.number == "three"
    assert not (pod.workspace / "number").is_symlink()
    assert not (pod.workspace / "café").is_symlink()
    assert "pwned" not in (pod.workspace / ".git/config").read_text()
    assert list((pod.workspace / ".git").glob("hooks/*")) == []
    assert list(pod.outside.iterdir()) == []


def test_settings_of_a_submodule_in_a_link_are_refused(
    pod: Pod, server: GitServer, ground: Ground
) -> None:
    made = Repository(ground.root, "linked.git")
    made.serve(made.link(".gitmodules", "../outside/modules"))
    with pytest.raises(SourceRejected, match="gitmodulesSymlink"):
        pod.clone(f"{server.url}/linked.git", submodules=True)
