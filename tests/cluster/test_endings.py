"""Every way to end has a name: the ends that are a job's own, made for real.

The platform's own failures are in `test_endings_outside.py`, what a job waits for in
`test_endings_waiting.py`. Slow ones are all submitted at the start.
"""

from typing import Any

import pytest

from kit.cluster import Cluster
from kit.operator import SMALL, Operator, job

EAT = 'python3 -c "x = bytearray(256 << 20)"'
LITTLE = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "48Mi"}}
DISK = {**SMALL, "limits": {"memory": "128Mi", "ephemeral-storage": "8Mi"}}
TRAP = "trap 'echo tidying up; exit 9' TERM; echo begun; sleep 300 & wait"
JOBS: dict[str, dict[str, Any]] = {
    "full-disk": {
        "script": "dd if=/dev/zero of=/tmp/full bs=1M count=64; exec sleep 300",
        "resources": DISK,
    },
    "fine": {"command": ["echo", "hello"]},
    "seven": {"script": "exit 7"},
    "not-found-inside": {"script": "no-such-program"},
    "hungry": {"script": f"exec {EAT}", "resources": LITTLE},
    "hungry-child": {"script": f"{EAT} || true; sleep 1; echo survived", "resources": LITTLE},
    "late": {"script": TRAP, "timeoutSeconds": 5, "terminationGracePeriodSeconds": 5},
    "absent": {"command": ["/no/such/program"]},
    "no-program": {"command": ["/etc/passwd"]},
}


@pytest.fixture(scope="module")
def jobs(operator: Operator) -> Operator:
    """The operator, with all jobs of this module submitted."""
    manifests = (job(name, **spec) for name, spec in JOBS.items())
    operator.cluster.apply(operator.namespace, *manifests)
    return operator


def end(status: dict[str, Any]) -> tuple[str, str, int | None]:
    """Phase, reason and exit code."""
    return (status["phase"], status["reason"], status.get("exitCode"))


def log(operator: Operator, pod: str) -> str:
    """What a job wrote."""
    return operator.cluster.kubectl("logs", "-n", operator.namespace, pod).stdout


def test_exit_0_is_completed(jobs: Operator) -> None:
    status = jobs.finished("fine")
    assert end(status) == ("Succeeded", "Completed", 0)
    assert status["message"] == "exit code 0"
    conditions = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert conditions["Finished"] == conditions["Succeeded"] == ("True", "Completed")


def test_another_exit_code_is_the_commands_own_failure(jobs: Operator) -> None:
    status = jobs.finished("seven")
    assert end(status) == ("Failed", "CommandFailed", 7)
    assert status["message"] == "exit code 7"
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    assert (conditions["Finished"], conditions["Succeeded"]) == ("True", "False")


def test_127_of_a_script_is_the_scripts_own_failure(jobs: Operator) -> None:
    assert end(jobs.finished("not-found-inside")) == ("Failed", "CommandFailed", 127)


def test_an_oom_kill_is_a_failure_with_its_name(jobs: Operator) -> None:
    status = jobs.finished("hungry")
    assert end(status) == ("Failed", "OOMKilled", 137)
    assert "memory limit" in status["message"]


def test_an_oom_kill_at_exit_code_0_is_a_failure(jobs: Operator) -> None:
    """Real: the shell outlives its child, and the runtime reports the kernel's kill."""
    status = jobs.finished("hungry-child")
    assert end(status) == ("Failed", "OOMKilled", 0)
    assert "exit code 0" in status["message"]
    assert "survived" in log(jobs, "hungry-child-1")


def test_a_timeout_keeps_the_traps_output_and_exit_code(jobs: Operator) -> None:
    status = jobs.finished("late")
    assert end(status) == ("Failed", "TimedOut", 9)
    assert status["message"] == "it ran into its timeout; exit code 9"
    assert log(jobs, "late-1") == "begun\ntidying up\n"


def test_a_missing_command_cannot_start(jobs: Operator) -> None:
    status = jobs.finished("absent")
    assert end(status)[:2] == ("Failed", "CannotStart")
    assert "/no/such/program" in status["message"]
    assert "no such file" in status["message"]


def test_a_command_that_is_not_executable_cannot_start(jobs: Operator) -> None:
    status = jobs.finished("no-program")
    assert end(status)[:2] == ("Failed", "CannotStart")
    assert "permission denied" in status["message"]


def test_cancelled_in_the_queue_never_has_a_pod(operator: Operator) -> None:
    operator.submit("unwanted", command=["true"], suspend=True)
    operator.until_reason("unwanted", "Suspended")
    operator.patch("unwanted", desiredState="Cancelled")
    status = operator.finished("unwanted")
    assert end(status) == ("Cancelled", "Cancelled", None)
    assert "before it ran" in status["message"]
    assert operator.pods_ever("unwanted") == []


def test_cancelled_while_it_runs_keeps_exit_code_pod_and_log(operator: Operator) -> None:
    operator.submit("stopped", script=TRAP)
    operator.until_reason("stopped", "Running")
    operator.patch("stopped", desiredState="Cancelled")
    status = operator.finished("stopped")
    assert end(status) == ("Cancelled", "Cancelled", 9)
    assert status["attempts"][0]["exitCode"] == 9
    assert log(operator, "stopped-1") == "begun\ntidying up\n"


def test_the_first_end_wins_over_what_the_pod_says_later(operator: Operator) -> None:
    """Forged: an eviction that the kubelet reports of a Pod whose container had ended."""
    operator.submit("ended", script="exit 4")
    before = operator.finished("ended")
    ended = {"exitCode": 137, "reason": "ContainerStatusUnknown"}
    container = {"name": "job", "state": {"terminated": ended}}
    operator.forge("ended-1", phase="Failed", reason="Evicted", message="The node was low on x.")
    operator.forge("ended-1", containerStatuses=[container])
    assert_untouched(operator, "ended", before)
    operator.delete_pod("ended-1")
    assert_untouched(operator, "ended", before)


def assert_untouched(operator: Operator, name: str, before: dict[str, Any]) -> None:
    """A job submitted later has ended: all events before its own have been seen."""
    later = operator.submit(f"after-{len(operator.lines())}", command=["true"])
    operator.finished(later)
    assert operator.status(name) == before
    assert operator.pods_ever(name) == [f"{name}-1"]


def test_more_on_disk_than_the_own_limit_is_a_failure(jobs: Operator, cluster: Cluster) -> None:
    status = jobs.finished("full-disk", 120)
    assert end(status)[:2] == ("Failed", "DiskLimit")
    assert "8Mi" in status["message"]
    assert len(jobs.pods_ever("full-disk")) == 1
