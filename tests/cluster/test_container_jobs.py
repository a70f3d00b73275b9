"""What the manager of container jobs promised, by its own names, through `ci` and over HTTP.

A job begins from a clone URL, gets credentials, is followed, and leaves its state, its log and, if
it failed, its last hundred lines.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess
from typing import Any

import pytest

from kit.cluster import JOB_IMAGE
from kit.gateway import service_account
from kit.gitproject import Project
from kit.installed import Installed, forwarded
from kit.operator import job

CREDENTIALS = {
    "GITHUB_TOKEN": "not-a-github-token",
    "ANTHROPIC_API_KEY": "not-an-anthropic-key",
    "OPENAI_API_KEY": "not-an-openai-key",
}
SHOWS = " ".join(f"${{{name}-unset}}" for name in CREDENTIALS)
LASTS = "echo begun; trap 'exit 3' TERM; sleep 300 & wait"
Asking = Callable[[str], tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def asked(installed: Installed) -> Iterator[Asking]:
    """What the gateway answers to a GET below `jobs`: the status, and the object."""
    token = service_account(installed.cluster, installed.namespace, "reads", "get", "list")

    def ask(path: str) -> tuple[int, dict[str, Any]]:
        url = f"{address}/v1/namespaces/{installed.namespace}/jobs{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    with forwarded(installed) as address:
        yield ask


def words(hosted: Project, name: str, *options: str) -> tuple[str, ...]:
    """`ci run` on the repository, under a name of our own."""
    clone = ("--clone-url", hosted.url, "--git-secret", "git-token")
    return ("run", *clone, "--image", JOB_IMAGE, "--name", name, *options)


def run(
    installed: Installed, hosted: Project, name: str, script: str, **env: str
) -> CompletedProcess[str]:
    """A script in a clone, to its end."""
    command = (*words(hosted, name), "--", "sh", "-c", script)
    return installed.ci(*command, cwd=None, timeout=180, **env)


def events(installed: Installed, name: str) -> list[dict[str, Any]]:
    """The events of a job, from its begin to its end."""
    shown = installed.ci("wait", name, "--json-events").stdout
    return [json.loads(line) for line in shown.splitlines()]


def kinds(told: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("dev.cijob.job.") for event in told]


@pytest.fixture
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command is typed no credential is set."""
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def running(installed: Installed, hosted: Project) -> Iterator[str]:
    """A job that has begun and goes on, in a container that is made as was asked for."""
    name = "runs-on"
    asks = ("--cpu", "100m", "--memory", "128Mi", "--env", "COLOUR=green", "--timeout", "4m")
    began = installed.ci(
        *words(hosted, name, *asks, "--async"),
        *("--secret-env", "DEPLOY_KEY", "--", "sh", "-c", LASTS),
        DEPLOY_KEY="not-a-deploy-key",
    )
    assert (began.returncode, began.stdout) == (0, f"{name}\n"), began.stderr
    installed.until_phase(name, "Running")
    yield name
    installed.ci("cancel", name)
    installed.cluster.wait(installed.namespace, f"cijob/{name}", "condition=Finished")
    installed.cluster.kubectl("delete", "cij", name, "-n", installed.namespace)


@pytest.mark.usefixtures("_nothing_set")
def test_creates_container_with_correct_config(
    installed: Installed, hosted: Project, running: str
) -> None:
    pod = installed.cluster.get("pod", f"{running}-1", "-n", installed.namespace)
    assert pod["metadata"]["labels"]["cijob.dev/job"] == running
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["automountServiceAccountToken"] is False
    [container] = [one for one in pod["spec"]["containers"] if one["name"] == "job"]
    assert container["image"] == JOB_IMAGE
    assert container["command"][-3:] == ["sh", "-c", LASTS]
    given = {one["name"]: one.get("value") for one in container["env"]}
    assert given["COLOUR"] == "green"
    assert given["GIT_URL"] == hosted.url
    limits = container["resources"]["limits"]
    assert (limits["cpu"], limits["memory"]) == ("100m", "128Mi")
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "not-a-deploy-key" not in json.dumps(pod)
    assert installed.job(running)["spec"]["timeoutSeconds"] == 240


@pytest.mark.usefixtures("_nothing_set")
def test_passes_credentials(installed: Installed, hosted: Project) -> None:
    ended = run(installed, hosted, "credentials", f"echo {SHOWS}", **CREDENTIALS)
    assert (ended.returncode, ended.stdout) == (0, f"{' '.join(CREDENTIALS.values())}\n")
    assert f"passed on from your environment: {', '.join(CREDENTIALS)}\n" in ended.stderr
    kept = (
        installed.job("credentials"),
        installed.cluster.get("events", "-n", installed.namespace),
        installed.cluster.get("pods", "-n", installed.namespace),
    )
    assert not any(value in json.dumps(kept) for value in CREDENTIALS.values())


@pytest.mark.usefixtures("_nothing_set")
def test_missing_credential_omitted(installed: Installed, hosted: Project) -> None:
    ended = run(installed, hosted, "one-credential", f"echo {SHOWS}", OPENAI_API_KEY="its-value")
    assert (ended.returncode, ended.stdout) == (0, "unset unset its-value\n"), ended.stderr
    assert "passed on from your environment: OPENAI_API_KEY\n" in ended.stderr
    ended = run(installed, hosted, "no-credential", f"echo {SHOWS}")
    assert (ended.returncode, ended.stdout) == (0, "unset unset unset\n"), ended.stderr
    assert "passed on" not in ended.stderr


def test_includes_git_url(installed: Installed, hosted: Project) -> None:
    ended = run(installed, hosted, "by-ci", 'echo "$GIT_URL"; git remote get-url origin')
    assert (ended.returncode, ended.stdout) == (0, f"{hosted.url}\n{hosted.url}\n"), ended.stderr
    source = {"git": {"url": hosted.url, "secretName": "git-token"}}
    manifest = job("by-kubectl", source=source, script='echo "$GIT_URL"')
    installed.cluster.apply(installed.namespace, manifest)
    assert installed.ci("wait", "by-kubectl").stdout == f"{hosted.url}\n"


def test_starts_log_stream(installed: Installed, hosted: Project) -> None:
    script = "echo first; until [ -e go-on ]; do sleep 0.1; done; echo last"
    following = installed.start(*words(hosted, "streams"), "--", "sh", "-c", script)
    assert following.line() == "first\n"
    # It came while the job runs, and the rest comes after it.
    assert installed.job("streams")["status"].get("completionTime") is None
    inside = ("exec", "-n", installed.namespace, "streams-1", "-c", "job")
    installed.cluster.kubectl(*inside, "--", "touch", "/workspace/go-on")
    assert following.rest()[0] == "last\n"
    assert following.code == 0


def test_recorded(installed: Installed, hosted: Project, asked: Asking) -> None:
    assert run(installed, hosted, "recorded", "echo kept").returncode == 0
    assert "recorded" in installed.ci("list", "-o", "name").stdout.splitlines()
    status, shown = asked("/recorded")
    assert status == 200
    assert shown["spec"]["source"]["git"]["url"] == hosted.url
    results = archived(installed, "recorded")
    assert results["source"] == {"commit": hosted.tip}
    assert results["logs"]["lines"] == 1
    # The record is there when the job is not.
    installed.cluster.kubectl("delete", "cij", "recorded", "-n", installed.namespace)
    again = json.loads(installed.ci("get", "recorded", "-o", "json").stdout)
    assert again["status"]["results"] == results
    assert installed.ci("logs", "recorded").stdout == "kept\n"


def archived(installed: Installed, name: str) -> dict[str, Any]:
    """The results of a job, once its log is archived and its commit known."""
    found: dict[str, Any] = {}

    def known() -> bool:
        found.update(installed.job(name)["status"].get("results") or {})
        return {"logs", "source"} <= found.keys()

    installed.cluster.until(f"the results of {name}", known)
    return found


def test_success(installed: Installed, hosted: Project) -> None:
    ended = run(installed, hosted, "succeeds", "cat number")
    assert (ended.returncode, ended.stdout) == (0, "two\n"), ended.stderr
    told = events(installed, "succeeds")
    assert kinds(told) == ["queued", "started", "log", "succeeded"]
    data = told[-1]["data"]
    assert (data["job_id"], data["phase"], data["exit_code"]) == ("succeeds", "Succeeded", 0)
    assert "error" not in data
    assert "details" not in data


def test_failure_capture(installed: Installed, hosted: Project, asked: Asking) -> None:
    ended = run(installed, hosted, "fails", "echo before; echo the cause >&2; exit 7")
    assert ended.returncode == 1
    told = events(installed, "fails")
    assert kinds(told) == ["queued", "started", "log", "log", "failed"]
    data = told[-1]["data"]
    assert (data["job_id"], data["exit_code"]) == ("fails", 7)
    assert data["error"] == "exit code 7"
    assert sorted(data["details"]) == ["before", "the cause"]
    status = asked("/fails")[1]["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "CommandFailed")
    assert (status["exitCode"], status["message"]) == (7, "exit code 7")
    archived(installed, "fails")
    shown = asked("/fails")[1]["status"]["results"]["failure"]
    assert "the cause" in shown["logTail"]
    assert "exit code:  7\n" in installed.ci("get", "fails").stdout


def assert_tail(installed: Installed, hosted: Project, name: str, lines: int) -> None:
    """A job that prints so many lines and fails keeps the last hundred; `--tail` takes any."""
    count = f"i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i; done; exit 1"
    assert run(installed, hosted, name, count).returncode == 1
    printed = [f"line {number}" for number in range(1, lines + 1)]
    assert events(installed, name)[-1]["data"]["details"] == printed[-100:]
    for wanted in (3, 100):
        tail = installed.ci("logs", name, "--tail", str(wanted)).stdout
        assert tail.splitlines() == printed[-wanted:]


def test_tail_fewer_than_n(installed: Installed, hosted: Project) -> None:
    assert_tail(installed, hosted, "ninety-nine", 99)


def test_tail_exactly_n(installed: Installed, hosted: Project) -> None:
    assert_tail(installed, hosted, "hundred", 100)


def test_tail_more_than_n(installed: Installed, hosted: Project) -> None:
    assert_tail(installed, hosted, "hundred-and-one", 101)


def test_tail_empty(installed: Installed, hosted: Project) -> None:
    assert_tail(installed, hosted, "nothing", 0)


@pytest.mark.usefixtures("_nothing_set")
def test_state_of_a_running_job(installed: Installed, running: str, asked: Asking) -> None:
    begun = lambda: asked(f"/{running}")[1].get("status", {}).get("phase") == "Running"  # noqa: E731
    installed.cluster.until("the gateway to know of it", begun)
    code, shown = asked(f"/{running}")
    assert code == 200
    status = shown["status"]
    [attempt] = status["attempts"]
    assert (status["phase"], attempt["podName"]) == ("Running", f"{running}-1")
    pod = installed.cluster.get("pod", f"{running}-1", "-n", installed.namespace)
    states = {one["name"]: one for one in pod["status"]["containerStatuses"]}
    assert attempt["containerID"] == states["job"]["containerID"]
    assert status["startTime"] == states["job"]["state"]["running"]["startedAt"]
    assert not {"completionTime", "exitCode"} & status.keys()
    described = installed.ci("get", running).stdout
    for words in (
        "phase:      Running\n",
        f"Pod {running}-1",
        f"container {attempt['containerID']}",
        "started:    ",
    ):
        assert words in described
    assert "ended:" not in described


def test_state_not_found(installed: Installed, asked: Asking) -> None:
    code, problem = asked("/never-was")
    assert code == 404
    assert "'never-was'" in problem["detail"]
    for command in ("get", "logs", "cancel"):
        ended = installed.ci(command, "never-was")
        assert (ended.returncode, ended.stdout) == (5, "")
        assert "never-was" in ended.stderr


@pytest.mark.usefixtures("_nothing_set")
@pytest.mark.parametrize(("name", "code"), [("tidy-success", 0), ("tidy-failure", 1)])
def test_pod_and_secret_go_and_the_log_stays(
    installed: Installed, hosted: Project, name: str, code: int
) -> None:
    ended = run(installed, hosted, name, f"echo kept; exit {code}", GITHUB_TOKEN="not-mine")
    assert ended.returncode == code, ended.stderr
    cluster, namespace = installed.cluster, installed.namespace
    assert listed(installed, "secrets", f"cijob-{name}")
    archived(installed, name)
    cluster.until("the end of its Pod", lambda: not listed(installed, "pods", f"{name}-1"))
    # Its time to live is over: the job goes, and with it all that was its own.
    soon = json.dumps({"spec": {"ttlSecondsAfterFinished": {"succeeded": 1, "failed": 1}}})
    cluster.kubectl("patch", "cij", name, "-n", namespace, "--type=merge", "-p", soon)
    cluster.until("the end of the job", lambda: not listed(installed, "cijobs", name))
    gone = lambda: not listed(installed, "secrets", f"cijob-{name}")  # noqa: E731
    cluster.until("the end of its Secret", gone)
    assert installed.ci("logs", name).stdout == "kept\n"
    last = json.loads(installed.ci("get", name, "-o", "json").stdout)["status"]
    assert (last["exitCode"], last["attempts"][0]["podName"]) == (code, f"{name}-1")
    assert last["startTime"] <= last["completionTime"]


def listed(installed: Installed, kind: str, name: str) -> bool:
    """Whether there is one of that name."""
    found = installed.cluster.get(kind, "-n", installed.namespace)["items"]
    return any(one["metadata"]["name"] == name for one in found)
