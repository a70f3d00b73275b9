"""What people can do about a job, and what the operator does by itself in time.

Cancel, suspend, timeouts, retry, time to live, priority, templates, environment.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import gates
from kit.cluster import Cluster
from kit.operator import SMALL, Operator

STUBBORN = {
    "script": "trap '' TERM; echo begun; while true; do sleep 1; done",
    "terminationGracePeriodSeconds": 1,
}
LASTS = {"script": "exec sleep 300", "terminationGracePeriodSeconds": 1}


def end(status: dict[str, Any]) -> tuple[str, str, int | None]:
    """Phase, reason and exit code."""
    return (status["phase"], status["reason"], status.get("exitCode"))


def attempts(status: dict[str, Any]) -> list[tuple[int, str, int | None]]:
    """Number, reason and exit code of every attempt."""
    return [(a["number"], a["reason"], a.get("exitCode")) for a in status["attempts"]]


def template(operator: Operator, name: str, **spec: Any) -> None:
    """Apply a CIJobTemplate."""
    manifest = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJobTemplate",
        "metadata": {"name": name},
        "spec": {"image": "cijob/python:dev", "resources": SMALL, **spec},
    }
    operator.cluster.apply(operator.namespace, manifest)


def log(operator: Operator, name: str) -> str:
    """What the first attempt of a job wrote."""
    return operator.cluster.kubectl("logs", "-n", operator.namespace, f"{name}-1").stdout


# -- stop --------------------------------------------------------------------------------------


def test_a_cancelled_job_that_ignores_term_is_killed_after_its_grace(operator: Operator) -> None:
    operator.submit("stubborn", **STUBBORN)
    operator.until_reason("stubborn", "Running")
    operator.patch("stubborn", desiredState="Cancelled")
    status = operator.finished("stubborn")
    assert end(status) == ("Cancelled", "Cancelled", 137)
    assert status["message"] == "it was stopped; exit code 137"
    assert log(operator, "stubborn") == "begun\n"


def test_a_job_that_ignores_its_timeout_is_killed_after_its_grace(operator: Operator) -> None:
    operator.submit("endless", **STUBBORN, timeoutSeconds=5, retry={"limit": 3})
    status = operator.finished("endless")
    assert end(status) == ("Failed", "TimedOut", 137)
    assert attempts(status) == [(1, "TimedOut", 137)]


def test_a_job_is_cancelled_while_its_pod_waits_for_a_node(operator: Operator) -> None:
    operator.submit("waits", **LASTS, resources={"requests": {"cpu": "1000"}})
    operator.until_reason("waits", "Unschedulable")
    operator.patch("waits", desiredState="Cancelled")
    assert end(operator.finished("waits")) == ("Cancelled", "Cancelled", None)
    operator.cluster.until("the end of its Pod", lambda: not operator.pods("waits"))


def test_a_job_is_cancelled_while_its_image_is_pulled(operator: Operator) -> None:
    operator.submit("pulls", command=["true"], image="localhost:1/no/such:image")
    operator.until_reason("pulls", "PullingImage")
    operator.patch("pulls", desiredState="Cancelled")
    assert end(operator.finished("pulls"))[:2] == ("Cancelled", "Cancelled")


def test_a_job_is_cancelled_while_it_backs_off(operator: Operator) -> None:
    operator.submit("hopeless", script="exit 2", retry={"limit": 5, "backoffSeconds": 60})
    status = operator.until_reason("hopeless", "BackingOff")
    assert status["phase"] == "Queued"
    assert "attempt 1 ended with CommandFailed (exit code 2)" in status["message"]
    operator.patch("hopeless", desiredState="Cancelled")
    status = operator.finished("hopeless")
    assert (status["phase"], status["reason"]) == ("Cancelled", "Cancelled")
    assert operator.pods_ever("hopeless") == ["hopeless-1"]


def test_a_suspended_job_has_no_pod_until_it_is_resumed(operator: Operator) -> None:
    operator.submit("paused", command=["true"], suspend=True)
    status = operator.until_reason("paused", "Suspended")
    assert status["phase"] == "Queued"
    assert operator.pods_ever("paused") == []
    operator.patch("paused", suspend=False)
    assert end(operator.finished("paused")) == ("Succeeded", "Completed", 0)


# -- again -------------------------------------------------------------------------------------


def test_a_job_of_two_attempts_has_both_in_its_status(operator: Operator) -> None:
    """It fails until somebody has made a ConfigMap, as a flaky test would."""
    variable = {"configMapKeyRef": {"name": "repaired", "key": "code", "optional": True}}
    operator.submit(
        "flaky",
        script='exit "${CODE:-3}"',
        env=[{"name": "CODE", "valueFrom": variable}],
        retry={"limit": 1, "backoffSeconds": 15},  # long enough for two calls of kubectl
    )
    status = operator.until_reason("flaky", "BackingOff")
    assert attempts(status) == [(1, "CommandFailed", 3)]
    words = ("create", "configmap", "repaired", "--from-literal=code=0")
    operator.cluster.kubectl("-n", operator.namespace, *words)
    status = operator.finished("flaky")
    assert end(status) == ("Succeeded", "Completed", 0)
    assert attempts(status) == [(1, "CommandFailed", 3), (2, "Completed", 0)]
    assert [pod["metadata"]["name"] for pod in operator.pods("flaky")] == ["flaky-1", "flaky-2"]


def test_own_failures_end_at_their_limit(operator: Operator) -> None:
    operator.submit("fails", script="exit 5", retry={"limit": 2, "backoffSeconds": 1})
    status = operator.finished("fails")
    assert end(status) == ("Failed", "CommandFailed", 5)
    assert attempts(status) == [(n, "CommandFailed", 5) for n in (1, 2, 3)]


def test_the_platforms_failures_have_a_budget_of_their_own(operator: Operator) -> None:
    """A lost Pod does not take from the one attempt that the user has left."""
    retry = {"limit": 1, "backoffSeconds": 1, "infrastructureLimit": 1}
    script = f'test "$(hostname)" = unlucky-1 && {gates.WAITS}; exit 6'
    operator.submit("unlucky", script=script, retry=retry)
    operator.until_reason("unlucky", "Running")
    operator.delete_pod("unlucky-1")
    status = operator.finished("unlucky")
    assert end(status) == ("Failed", "CommandFailed", 6)
    reasons = [reason for _, reason, _ in attempts(status)]
    assert reasons == ["PodLost", "CommandFailed", "CommandFailed"]


def test_a_job_that_must_never_start_twice_never_does(operator: Operator) -> None:
    operator.submit("once", **LASTS, retry={"limit": 0, "infrastructureLimit": 0})
    operator.until_reason("once", "Running")
    operator.delete_pod("once-1")
    status = operator.finished("once")
    assert end(status) == ("Error", "PodLost", None)
    assert operator.pods_ever("once") == ["once-1"]


def test_a_job_that_must_never_start_twice_does_not_after_a_restart(operator: Operator) -> None:
    operator.submit("once-only", **LASTS, retry={"limit": 0, "infrastructureLimit": 0})
    operator.until_reason("once-only", "Running")
    assert operator.stop() == 0
    operator.delete_pod("once-only-1")
    operator.start()
    status = operator.finished("once-only")
    assert end(status) == ("Error", "PodLost", None)
    assert "the Pod of attempt 1 is gone" in status["message"]
    assert operator.pods_ever("once-only") == ["once-only-1"]


# -- the end -----------------------------------------------------------------------------------


def test_each_outcome_has_a_time_to_live_and_the_pod_follows(operator: Operator) -> None:
    times = {"succeeded": 1, "failed": 600}
    operator.submit("good", command=["true"], ttlSecondsAfterFinished=times)
    operator.submit("bad", command=["false"], ttlSecondsAfterFinished=times)
    operator.submit("brief", command=["false"], ttlSecondsAfterFinished={"failed": 1})
    for name in ("good", "brief"):
        operator.cluster.wait(operator.namespace, f"cij/{name}", "delete")
    operator.cluster.until(
        "the end of their Pods", lambda: not operator.pods("good") + operator.pods("brief")
    )
    assert end(operator.status("bad")) == ("Failed", "CommandFailed", 1)
    assert len(operator.pods("bad")) == 1


@pytest.mark.parametrize(
    ("name", "spec", "phase"),
    [
        ("good-end", {"command": ["true"]}, "Succeeded"),
        ("bad-end", {"command": ["false"]}, "Failed"),
        ("error", {"command": ["true"], "serviceAccountName": "x"}, "Error"),
        ("cancelled", {**LASTS, "desiredState": "Cancelled"}, "Cancelled"),
    ],
)
def test_kubectl_wait_comes_back_from_every_kind_of_end(
    operator: Operator, name: str, spec: dict[str, Any], phase: str
) -> None:
    operator.submit(name, **spec)
    operator.cluster.wait(operator.namespace, f"cij/{name}", "condition=Finished")
    status = operator.status(name)
    assert status["phase"] == phase
    succeeded = [c["status"] for c in status["conditions"] if c["type"] == "Succeeded"]
    assert succeeded == ["True" if phase == "Succeeded" else "False"]


# -- what is run -------------------------------------------------------------------------------


def test_a_job_without_source_is_the_users_container_untouched(operator: Operator) -> None:
    operator.finished(operator.submit("plain", command=["echo"], args=["a b", "$HOME"]))
    (pod,) = operator.pods("plain")
    assert "initContainers" not in pod["spec"]
    (container,) = pod["spec"]["containers"]
    assert (container["command"], container["args"]) == (["echo"], ["a b", "$HOME"])
    assert "volumes" not in pod["spec"]
    assert log(operator, "plain") == "a b $HOME\n"


def test_the_jobs_own_fields_win_over_the_templates(operator: Operator) -> None:
    env = [{"name": "A", "value": "template"}, {"name": "B", "value": "template"}]
    template(operator, "greet", script="echo $A $B", env=env, workingDir="/tmp")
    operator.submit("from", templateRef={"name": "greet"}, env=[{"name": "B", "value": "own"}])
    own = {"command": ["echo", "mine"]}
    operator.submit("instead", templateRef={"name": "greet"}, **own)
    operator.submit("where", templateRef={"name": "greet"}, script="pwd", workingDir="/usr")
    for name, said in (("from", "template own"), ("instead", "mine"), ("where", "/usr")):
        assert end(operator.finished(name)) == ("Succeeded", "Completed", 0)
        assert log(operator, name) == f"{said}\n"
    assert operator.status("from")["attempts"][0]["template"] == "greet/1"


def test_a_change_of_the_template_does_not_touch_a_running_attempt(operator: Operator) -> None:
    template(operator, "moving", script=f"{gates.WAITS}; echo first", timeoutSeconds=600)
    operator.submit("runs", templateRef={"name": "moving"})
    operator.until_reason("runs", "Running")
    template(operator, "moving", script="echo second", timeoutSeconds=60)
    # Templates and jobs come on two watches: when a later template is known, so is that one.
    template(operator, "marker", command=["true"])
    operator.finished(operator.submit("knows-it", templateRef={"name": "marker"}))
    operator.submit("next", templateRef={"name": "moving"})
    assert end(operator.finished("next")) == ("Succeeded", "Completed", 0)
    operator.send_on("runs")
    assert end(operator.finished("runs")) == ("Succeeded", "Completed", 0)
    assert (log(operator, "runs"), log(operator, "next")) == ("first\n", "second\n")
    generations = [operator.status(name)["attempts"][0]["template"] for name in ("runs", "next")]
    assert generations == ["moving/1", "moving/2"]


def test_a_job_gets_the_environment_that_it_names(operator: Operator) -> None:
    words = ("create", "secret", "generic", "keys", "--from-literal=A=a", "--from-literal=B=b")
    operator.cluster.kubectl("-n", operator.namespace, *words)
    by_key = [
        {"secretName": "keys", "keys": ["A", "MISSING"]},
        {"secretName": "absent", "keys": ["C"]},
    ]
    show = "echo ${A-none} ${B-none} ${MISSING-none} ${C-none} $OWN"
    env = [{"name": "OWN", "value": "own"}]
    operator.submit("some", script=show, env=env, secretEnv=by_key)
    operator.submit("all", script=show, env=env, secretEnv=[{"secretName": "keys"}])
    assert end(operator.finished("some")) == ("Succeeded", "Completed", 0)
    assert end(operator.finished("all")) == ("Succeeded", "Completed", 0)
    assert log(operator, "some") == "a none none none own\n"
    assert log(operator, "all") == "a b none none own\n"


# -- the queue ---------------------------------------------------------------------------------


@pytest.fixture
def one_place(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator that runs one job at a time."""
    operator = Operator(cluster, namespace, tmp_path, {"CIJOB_MAX_CONCURRENT": "1"}).start()
    yield operator
    assert operator.stop() == 0


def test_jobs_of_higher_priority_go_first_and_one_at_a_time(one_place: Operator) -> None:
    one_place.submit("blocks", **LASTS)
    one_place.until_reason("blocks", "Running")
    for name, priority in (("low", -5), ("middle", 0), ("high", 5)):
        one_place.submit(name, command=["true"], priority=priority)
    one_place.submit("raised", command=["true"], priority=-10)
    status = one_place.until_reason("raised", "WaitingForCapacity")
    assert status["phase"] == "Queued"
    assert "all 1 places of pool default are taken" in status["message"]
    one_place.patch("raised", priority=10)
    # The operator has taken in what came before this one.
    one_place.finished(one_place.submit("seen", command=["true"], desiredState="Cancelled"))
    one_place.patch("blocks", desiredState="Cancelled")
    expected = ["blocks", "raised", "high", "middle", "low"]
    for name in expected:
        one_place.finished(name)
    created = [line["job"] for line in one_place.lines() if line["message"] == "created a Pod"]
    assert [job.partition("/")[2] for job in created] == expected
    pods = one_place.cluster.get("pods", "-n", one_place.namespace)["items"]
    assert_one_at_a_time(pods)


def assert_one_at_a_time(pods: list[dict[str, Any]]) -> None:
    """No container started before the last one had ended."""
    states = [pod["status"]["containerStatuses"][0]["state"]["terminated"] for pod in pods]
    spans = sorted((state["startedAt"], state["finishedAt"]) for state in states)
    for (_, ended), (started, _) in itertools.pairwise(spans):
        assert ended <= started, json.dumps(spans)
