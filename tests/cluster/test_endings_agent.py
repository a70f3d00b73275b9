"""Every way to end has a name: what becomes of a job whose source cannot be brought.

Forged as a Pod's status on the real API server, on Pods that no node takes; then with real agents
that die, cannot be pulled, find no gateway, and unpack for real.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import Cluster
from kit.operator import Operator
from kit.sources import archive, serve

HUGE = {"requests": {"cpu": "1000", "memory": "16Mi"}}
NEVER_AGAIN = {"infrastructureLimit": 0}
ONCE_MORE = {"limit": 0, "infrastructureLimit": 1}
SOURCE = {"archive": {"sha256": "0" * 64, "sizeBytes": 1000}}
TREE = archive({"hello.txt": "hello\n", "folder/inside.txt": "inside\n"})
WAITS: dict[str, Any] = {"source": SOURCE, "command": ["make"], "resources": HUGE}
NO_RETRY = (
    "SourceNotFound",
    "SourceRejected",
    "SourceTooLarge",
    "GitAuthFailed",
    "GitRefNotFound",
    "GitHostKey",
)


def report(stage: str, reason: str | None = None, words: str = "") -> str:
    """An agent's termination message."""
    told = {"stage": stage, "reason": reason, "message": words}
    return json.dumps({name: value for name, value in told.items() if value})


def now() -> str:
    """As a kubelet tells the time; the run timeout counts from a container's start."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def runs() -> dict[str, Any]:
    """The state of a container that has just started."""
    return {"running": {"startedAt": now()}}


def ended(code: int, message: str = "") -> dict[str, Any]:
    """The state of a container that has ended."""
    times = {"startedAt": now(), "finishedAt": now()}
    reason = "Error" if code else "Completed"
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, **times}}


def forge(operator: Operator, pod: str, agent: dict[str, Any], job: dict[str, Any]) -> None:
    """Forge the states of both containers of a Pod that no node has."""
    states = [{"name": "agent", "state": agent}, {"name": "job", "state": job}]
    operator.forge(pod, phase="Running", containerStatuses=states)


def end(status: dict[str, Any]) -> tuple[str, str, int | None]:
    """Phase, reason and exit code."""
    return (status["phase"], status["reason"], status.get("exitCode"))


def attempts(status: dict[str, Any]) -> list[tuple[int, str]]:
    """Number and reason of every attempt."""
    return [(attempt["number"], attempt["reason"]) for attempt in status["attempts"]]


def until_pod(operator: Operator, name: str, attempt: int = 1) -> str:
    """The name of that attempt's Pod, once it is there."""
    pod = f"{name}-{attempt}"
    operator.cluster.until(f"Pod {pod}", lambda: pod in operator.pods_ever(name))
    return pod


def log(operator: Operator, pod: str, container: str) -> str:
    """What a container of a Pod wrote."""
    words = ("logs", "-n", operator.namespace, pod, "-c", container)
    return operator.cluster.kubectl(*words).stdout


# -- forged ------------------------------------------------------------------------------------


def test_an_agent_s_reason_ends_the_job_at_once_and_is_not_repeated(operator: Operator) -> None:
    names = {reason: f"says-{reason.lower()}" for reason in NO_RETRY}
    for name in names.values():
        operator.submit(name, **WAITS, retry={"limit": 5})
    for reason, name in names.items():
        said = report("unpack", reason, f"words of {reason}")
        forge(operator, until_pod(operator, name), ended(1, said), runs())
    for reason, name in names.items():
        status = operator.finished(name)
        assert end(status) == ("Error", reason, None)
        assert status["message"] == f"words of {reason}"
        assert operator.pods_ever(name) == [f"{name}-1"]


def test_the_pod_of_a_failed_agent_is_stopped_and_stays_for_its_log(operator: Operator) -> None:
    operator.submit("keeps", **WAITS)
    said = report("fetch", "SourceNotFound")
    forge(operator, until_pod(operator, "keeps"), ended(1, said), runs())
    operator.finished("keeps")

    def told() -> bool:
        (pod,) = operator.pods("keeps")
        why = pod["metadata"]["annotations"].get("cijob.dev/stop-reason", "")
        assert "deletionTimestamp" not in pod["metadata"]
        return bool(why.startswith("SourceNotFound ") and pod["spec"]["activeDeadlineSeconds"] == 1)

    operator.cluster.until("the stop of its Pod", told)


@pytest.mark.parametrize("reason", ["SourceUnreachable", "AgentFailed"])
def test_what_may_pass_is_tried_again_and_is_the_platform_s_error(
    operator: Operator, reason: str
) -> None:
    name = operator.submit(f"tries-{reason.lower()}", **WAITS, retry=ONCE_MORE)
    for attempt in (1, 2):
        pod = until_pod(operator, name, attempt)
        forge(operator, pod, ended(1, report("fetch", reason, "its words")), runs())
    status = operator.finished(name)
    assert end(status) == ("Error", reason, None)
    assert attempts(status) == [(1, reason), (2, reason)]
    assert status["retries"]["infrastructure"] == 1


@pytest.mark.parametrize(
    ("name", "message", "words"),
    [
        ("mute", "", "before it said anything, with exit code 137"),
        ("cut-short", '{"stage": "unp', "before it said anything, with exit code 137"),
        ("killed", report("verify"), "at stage verify, with exit code 137"),
        ("odd", report("fetch", "Bored", "of it all"), "Bored: of it all"),
    ],
)
def test_an_agent_that_dies_without_a_reason_is_the_platform_s_error(
    operator: Operator, name: str, message: str, words: str
) -> None:
    operator.submit(name, **WAITS, retry=NEVER_AGAIN)
    forge(operator, until_pod(operator, name), ended(137, message), runs())
    status = operator.finished(name)
    assert end(status) == ("Error", "AgentFailed", None)
    assert words in status["message"]


def test_after_ready_the_job_keeps_its_own_verdict(operator: Operator) -> None:
    operator.submit("goes-on", **WAITS)
    pod = until_pod(operator, "goes-on")
    forge(operator, pod, ended(1, report("ready", "AgentFailed")), runs())
    assert operator.until_reason("goes-on", "Running")["phase"] == "Running"
    forge(operator, pod, ended(1, report("ready", "AgentFailed")), ended(0))
    assert end(operator.finished("goes-on")) == ("Succeeded", "Completed", 0)


def test_an_agent_before_the_job_ends_it_as_well(operator: Operator) -> None:
    operator.submit("before", **WAITS, prepare="Init", retry=NEVER_AGAIN)
    pod = until_pod(operator, "before")
    states = [{"name": "agent", "state": ended(1, report("unpack", "SourceTooLarge", "2 GiB"))}]
    waits = [{"name": "job", "state": {"waiting": {"reason": "PodInitializing"}}}]
    operator.forge(pod, initContainerStatuses=states, containerStatuses=waits)
    status = operator.finished("before")
    assert end(status) == ("Error", "SourceTooLarge", None)
    assert status["message"] == "2 GiB"


@pytest.mark.parametrize("code", [126, 127])
def test_a_wrapped_command_that_is_not_there_cannot_start(operator: Operator, code: int) -> None:
    done = ended(0, report("done"))
    operator.submit(f"command-{code}", **WAITS)
    script = {"source": SOURCE, "script": "make", "resources": HUGE}
    operator.submit(f"script-{code}", **script)
    for name in (f"command-{code}", f"script-{code}"):
        forge(operator, until_pod(operator, name), done, ended(code))
    assert end(operator.finished(f"command-{code}")) == ("Failed", "CannotStart", code)
    assert end(operator.finished(f"script-{code}")) == ("Failed", "CommandFailed", code)


def test_a_source_without_a_command_is_refused(operator: Operator) -> None:
    for kind in (SOURCE, {"git": {"url": "https://git.example.com/a.git"}}):
        name = operator.submit(f"nothing-to-run-{next(iter(kind))}", source=kind)
        status = operator.finished(name)
        assert end(status) == ("Error", "CommandMissing", None)
        assert "command or a script" in status["message"]
        assert operator.pods_ever(name) == []


def test_what_no_pool_takes_waits_until_the_queue_timeout(operator: Operator) -> None:
    jobs: dict[str, tuple[dict[str, Any], str]] = {
        "other-pool": ({"pool": "large"}, "there is no pool large; there is default"),
        "no-gcc": ({"toolchains": ["gcc"]}, "pool default lacks toolchains gcc; it offers none"),
    }
    for name, (asks, _) in jobs.items():
        operator.submit(name, command=["true"], **asks, queueTimeoutSeconds=20)
    for name, (_, words) in jobs.items():
        status = operator.until_reason(name, "NoFittingPool")
        assert (status["phase"], status["message"]) == ("Queued", words)
    for name, (_, words) in jobs.items():
        status = operator.finished(name)
        assert end(status) == ("Error", "QueueTimedOut", None)
        assert words in status["message"]
        assert operator.pods_ever(name) == []


# -- real --------------------------------------------------------------------------------------


@pytest.fixture
def own(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator whose settings the test chooses before it starts it."""
    operator = Operator(cluster, namespace, tmp_path)
    yield operator
    assert operator.stop() == 0


def test_a_real_agent_without_words_fails_twice_and_its_log_stays(own: Operator) -> None:
    own.settings["CIJOB_AGENT_IMAGE"] = "cijob/python:dev"  # there is no agent in it
    own.start()
    own.submit("no-agent", source=TREE.source, command=["true"], retry=ONCE_MORE)
    status = own.finished("no-agent")
    assert end(status) == ("Error", "AgentFailed", None)
    assert attempts(status) == [(1, "AgentFailed"), (2, "AgentFailed")]
    for pod in ("no-agent-1", "no-agent-2"):
        own.cluster.wait(own.namespace, f"pod/{pod}", "jsonpath={.status.phase}=Failed")
        assert "No module named cijob_agent" in log(own, pod, "agent")
        assert log(own, pod, "job") == ""


def test_the_agent_s_image_is_waited_for_like_the_job_s(own: Operator) -> None:
    own.settings["CIJOB_AGENT_IMAGE"] = "localhost:1/no/such:agent"
    own.start()
    own.submit("unpulled", source=TREE.source, command=["true"], startTimeoutSeconds=30)
    status = own.until_reason("unpulled", "PullingImage")
    assert status["message"].startswith("container agent: ")
    status = own.finished("unpulled")
    assert end(status) == ("Error", "ImagePullFailed", None)
    assert "not started after 30 s: container agent: " in status["message"]
    assert "localhost:1/no/such:agent" in status["message"]


def test_a_gateway_that_does_not_answer_ends_a_job_by_its_name(own: Operator) -> None:
    own.settings["CIJOB_GATEWAY"] = "http://127.0.0.1:1"
    own.start()
    for name, prepare in (("beside", "Parallel"), ("before", "Init")):
        said = {"source": TREE.source, "command": ["true"], "prepare": prepare}
        # Longer than a Pod takes to start on a busy machine: else it is that which is told.
        own.submit(name, **said, startTimeoutSeconds=30, retry=NEVER_AGAIN)
    for name in ("beside", "before"):
        status = own.finished(name)
        assert end(status) == ("Error", "SourceUnreachable", None)
        assert "127.0.0.1:1 does not answer" in status["message"]


def test_a_real_source_is_where_the_command_runs(own: Operator) -> None:
    own.settings["CIJOB_GATEWAY"] = serve(own.cluster, own.namespace, TREE)
    own.start()
    jobs: dict[str, dict[str, Any]] = {
        "reads": {"script": "cat hello.txt folder/inside.txt"},
        "deeper": {"command": ["cat", "inside.txt"], "workingDir": "folder"},
        "before": {"command": ["cat", "hello.txt"], "prepare": "Init"},
        "not-there": {"command": ["no-such-program"]},
        "not-executable": {"command": ["./hello.txt"]},
        "no-folder": {"command": ["true"], "workingDir": "nowhere"},
        "own-127": {"script": "exit 127"},
    }
    for name, said in jobs.items():
        own.submit(name, source=TREE.source, **said)
    wrong = {"archive": {**TREE.source["archive"], "sha256": "0" * 64}}
    own.submit("another", source=wrong, command=["true"])
    ends = {name: end(own.finished(name)) for name in [*jobs, "another"]}
    assert ends == {
        "reads": ("Succeeded", "Completed", 0),
        "deeper": ("Succeeded", "Completed", 0),
        "before": ("Succeeded", "Completed", 0),
        "not-there": ("Failed", "CannotStart", 127),
        "not-executable": ("Failed", "CannotStart", 126),
        "no-folder": ("Failed", "CannotStart", 127),
        "own-127": ("Failed", "CommandFailed", 127),
        "another": ("Error", "SourceRejected", None),
    }
    assert log(own, "reads-1", "job") == "hello\ninside\n"
    assert log(own, "deeper-1", "job") == "inside\n"
    assert "cijob: no folder" in log(own, "no-folder-1", "job")
