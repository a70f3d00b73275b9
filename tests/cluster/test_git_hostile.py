"""Hostile URLs and repositories on the real cluster: refused by name, and nothing of them is run.

The same repositories meet the agent's git alone in tests/unit/cijob_agent/test_git_clones.py; here
they come through the API server, `ci`, the operator and a Pod.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kit.gitproject import Project, hosted_project
from kit.installed import Installed
from kit.operator import SMALL, job
from kit.repositories import EXECUTABLE, FILE, FOLDER, Entry, Repository

# In a folder that the job's container sees, too.
PWNED = "touch /cijob/pwned"
URLS = {
    "a remote helper": "ext::sh -c touch%20/tmp/pwned",
    "another remote helper": "fd::17",
    "a file": "file:///etc",
    "a path": "/etc",
    "a path of the workspace": "../other",
    "plain http": "http://git.example.com/a.git",
    "the git protocol": "git://git.example.com/a.git",
    "ftp": "ftp://git.example.com/a.git",
    "the short form of ssh": "git@git.example.com:a.git",
    "an option": "--upload-pack=touch /tmp/pwned",
    "a short option": "-u./pwned",
    "a host that is an option": "ssh://-oProxyCommand=id/a.git",
    "a user that is an option": "ssh://-oProxyCommand=id@git.example.com/a.git",
    "a host with a dash": "https://-x/a.git",
    "a password": "https://ada:pa55word@git.example.com/a.git",
    "a password alone": "https://:pa55word@git.example.com/a.git",
    "a token as user": "https://ghp_0123@git.example.com/a.git",
    "a password for ssh": "ssh://git:pa55word@git.example.com/a.git",
    "a query": "https://git.example.com/a.git?token=pa55word",
    "a fragment": "https://git.example.com/a.git#main",
    "a second line": "https://git.example.com/a.git\n[core]",
    "the end of a line": "https://git.example.com/a.git\n",
    "no host": "https:///a.git",
    "no path": "https://git.example.com",
}
REFS = ("--upload-pack=id", "-x", "main:refs/heads/x", "a..b", "a b", "+main", "x@{1}", "a.lock")


@pytest.fixture(scope="module")
def hosted(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The server, in a namespace of its own, with all of the repositories below."""
    folder = tmp_path_factory.mktemp("authority")
    with hosted_project(installed.cluster, installed.namespace, folder) as running:
        root = tmp_path_factory.mktemp("repositories")
        made = {name: Repository(root, f"{name}.git") for name in (*REJECTED, *HARMLESS, *LARGE)}
        for name, repository in made.items():
            ({**REJECTED, **HARMLESS, **LARGE})[name](repository, running.tip)
        running.host.plant(root)
        yield running


# -- URLs and refs -------------------------------------------------------------------------------


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_hostile_url_is_refused_before_anything_is_stored(installed: Installed, url: str) -> None:
    ended = installed.ci("run", "--clone-url", url, "--name", "hostile", "--", "true")
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert "pa55word" not in ended.stderr
    manifest = job("hostile", source={"git": {"url": url}}, script="true")
    words = ("create", "-n", installed.namespace, "-f", "-")
    applied = installed.cluster.kubectl(*words, stdin=json.dumps(manifest), check=False)
    assert applied.returncode == 1
    assert "spec.source.git.url" in applied.stderr


@pytest.mark.parametrize("ref", REFS)
def test_a_hostile_ref_is_refused_before_anything_is_stored(
    installed: Installed, hosted: Project, ref: str
) -> None:
    manifest = job("hostile", source={"git": {"url": hosted.url, "ref": ref}}, script="true")
    words = ("create", "-n", installed.namespace, "-f", "-")
    applied = installed.cluster.kubectl(*words, stdin=json.dumps(manifest), check=False)
    assert applied.returncode == 1
    assert "spec.source.git.ref" in applied.stderr


# -- repositories --------------------------------------------------------------------------------


def named(path: str) -> Any:
    """A repository with a folder of that name, which holds git's settings."""

    def make(made: Repository, _tip: str) -> None:
        settings = made.tree(made.file("config", f"[core]\n\tfsmonitor = {PWNED}\n"))
        made.serve((FOLDER, settings, path))

    return make


def submodule(url: str, more: str = "", path: str = "sub") -> Any:
    """A repository with a submodule from that URL."""

    def make(made: Repository, tip: str) -> None:
        made.serve(*made.submodule(url, tip, path=path, more=more))

    return make


def through_a_link(made: Repository, _tip: str) -> None:
    inside = made.tree(made.file("written"))
    made.serve(made.link("a", "/cijob"), (FOLDER, inside, "a"))


def settings_in_a_link(made: Repository, _tip: str) -> None:
    made.serve(made.link(".gitmodules", "../cijob/modules"))


def programs(made: Repository, _tip: str) -> None:
    """All that asks git to run something: hooks, filters, settings, a bare repository inside."""
    settings = (
        f'[core]\n\tfsmonitor = {PWNED}\n\tsshCommand = {PWNED}\n[filter "x"]\n\tsmudge = {PWNED}\n'
    )
    hook = made.blob(f"#!/bin/sh\n{PWNED}\n".encode())
    hooks = made.tree(*[(EXECUTABLE, hook, name) for name in ("post-checkout", "post-merge")])
    inside = made.tree(made.file("x"))
    made.serve(
        (FOLDER, inside, "objects"),
        (FOLDER, inside, "refs"),
        (FOLDER, hooks, "hooks"),
        made.file(".gitattributes", "* filter=x diff=x merge=x\n*.bin filter=lfs\n"),
        made.file("config", settings),
        made.file("HEAD", "ref: refs/heads/main\n"),
        made.file("number", "two\n"),
    )


def links(made: Repository, _tip: str) -> None:
    """Links that lead out stay links: nothing is written or read through them by the agent."""
    made.serve(made.link("out", "/var/run/cijob-git/token"), made.file("number", "two\n"))


def bomb(made: Repository, _tip: str) -> None:
    """A few small trees that name each other a thousand million times."""
    entries: list[Entry] = [(FILE, made.blob(b"boom"), f"f{number}") for number in range(10)]
    for _ in range(9):
        tree = made.tree(*entries)
        entries = [(FOLDER, tree, f"d{number}") for number in range(10)]
    made.serve(*entries)


def zeros(made: Repository, _tip: str) -> None:
    made.serve((FILE, made.blob(bytes(64 << 20)), "zeros"))


REJECTED = {
    "dot-git": named(".git"),
    "dot-git-in-capitals": named(".GIT"),
    "dot-git-on-windows": named("git~1"),
    "dot-git-on-a-mac": named(".g\u200cit"),
    "parent": named(".."),
    "itself": named("."),
    "through-a-link": through_a_link,
    "settings-in-a-link": settings_in_a_link,
    "submodule-helper": submodule(f"ext::sh -c {PWNED.replace(' ', '% ')}"),
    "submodule-file": submodule("file:///tmp/git/repositories/project.git"),
    "submodule-path": submodule("/tmp/git/repositories/project.git"),  # the server's
    "submodule-http": submodule("http://127.0.0.1:1/a"),
    "submodule-git": submodule("git://127.0.0.1/a"),
    "submodule-option": submodule("-u./pwned"),
    "submodule-upload-pack": submodule(f"--upload-pack={PWNED}"),
    "submodule-proxy-command": submodule(f"ssh://-oProxyCommand={PWNED}/a"),
    "submodule-password": submodule("https://user:pa55word@127.0.0.1:1/a"),
    "submodule-update": submodule("../project.git", f"\tupdate = !{PWNED}\n"),
    "submodule-in-git": submodule("../project.git", path=".git/modules/x"),
    "submodule-outside": submodule("../project.git", path="../cijob/x"),
}
HARMLESS = {"programs": programs, "links": links}
LARGE = {"bomb": bomb, "zeros": zeros}


def begun(installed: Installed, hosted: Project, name: str) -> None:
    """Apply a job from that repository."""
    url = hosted.url.replace("project.git", f"{name}.git")
    source = {"git": {"url": url, "secretName": "git-token", "submodules": True}}
    limits = {"limits": {**SMALL["limits"], "ephemeral-storage": "32Mi"}}
    looks = "cat number; ! [ -e /cijob/pwned ]; ! cat out 2>&-; ! [ -e .git/hooks/post-checkout ]"
    manifest = job(name, source=source, script=looks, resources={**SMALL, **limits})
    installed.cluster.apply(installed.namespace, manifest)


def ended(installed: Installed, name: str) -> dict[str, Any]:
    installed.cluster.wait(installed.namespace, f"cijob/{name}", "condition=Finished", 240)
    status: dict[str, Any] = installed.job(name)["status"]
    return status


def test_hostile_repositories_end_by_name_and_nothing_of_them_is_run(
    installed: Installed, hosted: Project
) -> None:
    cases = {**REJECTED, **HARMLESS, **LARGE}
    for name in cases:
        begun(installed, hosted, name)
    seen = {name: ended(installed, name) for name in cases}
    reasons = {name: status["reason"] for name, status in seen.items()}
    refusals = {"SourceRejected", "GitAuthFailed"}
    assert {name for name in REJECTED if reasons[name] not in refusals} == set(), reasons
    assert {reasons[name] for name in LARGE} == {"SourceTooLarge"}
    assert {reasons[name] for name in HARMLESS} == {"Completed"}, reasons
    for name, status in seen.items():
        assert len(status["attempts"]) == 1, name
        assert "pa55word" not in json.dumps(status), name
        assert "not-a-real-token" not in json.dumps(status), name
    for name in HARMLESS:
        assert installed.ci("logs", name).stdout == "two\n"


def test_there_are_at_least_twenty_five_of_them() -> None:
    assert len(URLS) + len(REJECTED) + len(HARMLESS) + len(LARGE) >= 25
