"""Jobs from git through the installed chart: a server in the cluster, with an authority of its own.

The authority gets to agents and jobs as the chart's caBundle does, by the ConfigMap `cijob-ca`.
"""

import json
from typing import Any

import pytest

from kit import gates
from kit.githost import SERVED
from kit.gitproject import TOKEN, Project
from kit.installed import Installed
from kit.operator import job


def finished(installed: Installed, name: str, **spec: Any) -> dict[str, Any]:
    """Apply a job and wait for its end; its status."""
    installed.cluster.apply(installed.namespace, job(name, **spec))
    installed.cluster.wait(installed.namespace, f"cijob/{name}", "condition=Finished")
    status: dict[str, Any] = installed.job(name)["status"]
    return status


def git_source(hosted: Project, **more: Any) -> dict[str, Any]:
    return {"git": {"url": hosted.url, "secretName": "git-token", **more}}


def commit(installed: Installed, name: str) -> str:
    """The commit in a job's results: it comes with its end, or with its agent's."""
    found: dict[str, Any] = {}

    def known() -> bool:
        found.update((installed.job(name)["status"].get("results") or {}).get("source") or {})
        return bool(found)

    installed.cluster.until(f"the commit of {name}", known)
    assert list(found) == ["commit"]
    return str(found["commit"])


def test_a_job_runs_in_its_clone_knows_its_url_and_asks_git(
    installed: Installed, hosted: Project
) -> None:
    script = 'cat number; echo "$GIT_URL"; git describe --tags; git status --porcelain'
    status = finished(installed, "from-git", source=git_source(hosted, depth=0), script=script)
    assert (status["phase"], status["reason"]) == ("Succeeded", "Completed"), status
    log = installed.ci("logs", "from-git").stdout.splitlines()
    assert log[:2] == ["two", hosted.url]
    assert log[2].startswith("v1-1-g")
    assert len(log) == 3
    assert commit(installed, "from-git") == hosted.tip
    assert f"source:     commit {hosted.tip}\n" in installed.ci("get", "from-git").stdout


def test_the_job_can_read_no_credentials(installed: Installed, hosted: Project) -> None:
    looks = f"! grep -rs {TOKEN[:8]} /workspace /cijob /var/run /tmp && ! env | grep {TOKEN[:8]}"
    script = f"{gates.WAITS}; {looks}"
    manifest = job("no-token", source=git_source(hosted), script=script)
    installed.cluster.apply(installed.namespace, manifest)
    installed.until_phase("no-token", "Running")
    # Now: when its log is archived it goes.
    pod = installed.cluster.get("pod", "-n", installed.namespace, "no-token-1")
    gates.send_on(installed.cluster, installed.namespace, "no-token")
    assert installed.ci("wait", "no-token").returncode == 0
    events = installed.cluster.get("events", "-n", installed.namespace)
    everything = json.dumps([installed.job("no-token"), pod, events])
    assert TOKEN not in everything


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        ("wrong-token", {"secretName": "git-wrong"}, "GitAuthFailed"),
        ("no-such-secret", {"secretName": "git-gone"}, "GitAuthFailed"),
        ("wrong-ref", {"ref": "nope"}, "GitRefNotFound"),
        ("wrong-commit", {"commit": "0" * 39 + "1"}, "GitRefNotFound"),
    ],
)
def test_what_cannot_be_cloned_ends_at_once_and_by_name(
    installed: Installed, hosted: Project, *, name: str, said: dict[str, str], reason: str
) -> None:
    status = finished(installed, name, source=git_source(hosted, **said), script="true")
    assert (status["phase"], status["reason"]) == ("Error", reason), status
    assert len(status["attempts"]) == 1
    assert TOKEN not in json.dumps(status)


def test_a_server_that_does_not_answer_is_the_platforms_failure(installed: Installed) -> None:
    status = finished(
        installed,
        "unreachable",
        source={"git": {"url": "https://git.invalid/a.git"}},
        script="true",
        startTimeoutSeconds=30,
        retry={"infrastructureLimit": 1, "backoffSeconds": 1},
    )
    assert (status["phase"], status["reason"]) == ("Error", "SourceUnreachable"), status
    assert len(status["attempts"]) == 2
    assert "Could not resolve host" in status["message"]


def test_ssh_opens_with_the_key_and_known_hosts_of_the_secret(
    installed: Installed, hosted: Project
) -> None:
    if not hosted.ssh_url:
        pytest.skip("this machine has no sshd to put into the cluster")
    source = {"git": {"url": hosted.ssh_url, "ref": "v1", "secretName": "git-key"}}
    script = "cat number; ! grep -rs 'PRIVATE KEY' /workspace /cijob /var/run /tmp /home"
    status = finished(installed, "by-ssh", source=source, script=script)
    assert (status["phase"], status["reason"]) == ("Succeeded", "Completed"), status
    assert installed.ci("logs", "by-ssh").stdout == "one\n"
    for name in ("stranger", "unknown"):
        source["git"]["secretName"] = f"git-{name}"
        status = finished(installed, f"ssh-{name}", source=source, script="true")
        assert (status["phase"], status["reason"]) == ("Error", "GitHostKey"), status
        assert len(status["attempts"]) == 1


def test_a_hostile_image_cannot_tell_the_agent_s_git_what_to_run(
    installed: Installed, hosted: Project
) -> None:
    """While the agent clones, something in the job's container has the workspace in its hands."""
    host = hosted.url.removesuffix("project.git")
    steals = "cp /var/run/cijob-git/token /cijob/stolen"
    plants = f"""
        test -z "$(ls -A /workspace)"
        ! ls /cijob-volume
        cd /workspace && mkdir -p .git/hooks .git/objects .git/refs
        echo 'ref: refs/heads/main' > .git/HEAD
        printf '[core]\n\tfsmonitor = {steals}\n\tsshCommand = {steals}\n' > .git/config
        printf '[credential]\n\thelper = !{steals} #\n' >> .git/config
        printf '[url "https://127.0.0.1:1/"]\n\tinsteadOf = {host}\n' >> .git/config
        printf '#!/bin/sh\n{steals}\n' > .git/hooks/post-checkout
        chmod +x .git/hooks/post-checkout
        ln -s /cijob/written number
    """
    looks = "cat number; ls /cijob; cat .git/config; ls .git/hooks 2>&1 || true"
    hosted.host.run(f"touch {SERVED}/hold")
    try:
        manifest = job("hostile-image", source=git_source(hosted), script=looks)
        installed.cluster.apply(installed.namespace, manifest)
        installed.until_phase("hostile-image", "Running")
        inside = ("exec", "-n", installed.namespace, "hostile-image-1", "-c", "job", "--")
        installed.cluster.kubectl(*inside, "sh", "-euc", plants)
    finally:
        hosted.host.run(f"rm {SERVED}/hold")
    ended = installed.ci("wait", "hostile-image")
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert said[0] == "two"
    assert not {"stolen", "written"} & set(said)
    assert not any(steals in line for line in said)
    assert not any("post-checkout" in line for line in said)
    assert commit(installed, "hostile-image") == hosted.tip


def test_the_job_signs_with_a_key_that_it_cannot_read(
    installed: Installed, hosted: Project
) -> None:
    if not hosted.ssh_url:
        pytest.skip("this machine has no sshd to put into the cluster")
    second = hosted.ssh_url.replace("project.git", "second.git")
    script = f"""
        git clone -q {second} second
        cat second/number
        ssh-add -l | grep -o ED25519
        ! ssh-add -q -s /usr/lib/x86_64-linux-gnu/libcrypto.so.3 || echo loaded a library
        ! rm /cijob-ssh/agent || echo the socket is ours
        ! ln -s /workspace/mine /cijob-ssh/more || echo the folder is ours
        ! cat /var/run/cijob-git/ssh-privatekey || echo the Secret is here
        ! grep -rls 'PRIVATE KEY' /cijob /cijob-ssh /workspace /var/run /tmp /home || echo a key
        ! cat /proc/*/comm | grep ssh-agent || echo its process is here
    """
    source = {"git": {"url": hosted.ssh_url, "secretName": "git-key"}}
    status = finished(installed, "signs", source=source, script=script)
    log = installed.ci("logs", "signs").stdout
    assert (status["phase"], status["reason"]) == ("Succeeded", "Completed"), log
    said = [line for line in log.splitlines() if not line.startswith(("rm:", "ln:", "cat:"))]
    assert said[:2] == ["two", "ED25519"], log
    assert all("Could not add card" in line for line in said[2:]), log
    # The agent ends with the job, so that nothing holds the Pod; and then its commit is known.
    assert commit(installed, "signs") == hosted.tip


def test_without_a_key_the_job_has_no_socket(installed: Installed, hosted: Project) -> None:
    asks = "echo ${SSH_AUTH_SOCK-unset}; ls /cijob-ssh"
    status = finished(installed, "no-key", source=git_source(hosted), script=asks)
    assert status["phase"] == "Succeeded", status
    assert installed.ci("logs", "no-key").stdout == "unset\n"


def test_an_image_without_a_shell_is_prepared_before(installed: Installed, hosted: Project) -> None:
    spec = {"prepare": "Init", "command": ["git", "log", "-1", "--format=%H"]}
    source = git_source(hosted, commit=hosted.first[:10])
    status = finished(installed, "prepared", source=source, **spec)
    assert status["phase"] == "Succeeded", status
    assert status["results"]["source"] == {"commit": hosted.first}
    assert installed.ci("logs", "prepared").stdout.strip() == hosted.first


def test_ci_run_clones_in_the_cluster_and_passes_credentials(
    installed: Installed, hosted: Project
) -> None:
    ended = installed.ci(
        *("run", "--clone-url", hosted.url, "--ref", "v1", "--git-secret", "git-token"),
        *("--name", "my-own-id", "--", "sh", "-c", "cat number; echo ${GITHUB_TOKEN#not-}"),
        GITHUB_TOKEN="not-mine",
    )
    assert (ended.returncode, ended.stdout) == (0, "one\nmine\n"), ended.stderr
    assert "passed on from your environment: GITHUB_TOKEN" in ended.stderr
    assert "not-mine" not in json.dumps(installed.job("my-own-id"))
    again = installed.ci("run", "--clone-url", hosted.url, "--name", "my-own-id", "--", "true")
    assert again.returncode == 2
    assert "my-own-id" in again.stderr


def test_a_template_that_accepts_them_gets_the_flags(installed: Installed, hosted: Project) -> None:
    template = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJobTemplate",
        "metadata": {"name": "flags"},
        "spec": {
            "image": "cijob/python:dev",
            "command": ["echo", "my command"],
            "acceptsJobFlags": True,
        },
    }
    installed.cluster.apply(installed.namespace, template)
    words = ("run", "--clone-url", hosted.url, "--git-secret", "git-token", "--template", "flags")

    def known() -> bool:
        listed = json.loads(installed.ci("templates", "-o", "json").stdout)["items"]
        return any(one["name"] == "flags" for one in listed)

    installed.cluster.until("the template", known)
    ended = installed.ci(*words, "--tasks", "jobs", "--unit", "u1")
    told = f"my command --clone-url {hosted.url} --tasks jobs --json-events --unit u1\n"
    assert (ended.returncode, ended.stdout) == (0, told), ended.stderr
