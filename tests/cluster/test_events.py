"""Kubernetes Events of jobs, as `kubectl describe` and `kubectl events` show them."""

from typing import Any

from kit.operator import Operator

Json = dict[str, Any]
WARNING, NORMAL = "Warning", "Normal"


def events(operator: Operator, name: str) -> list[tuple[str, str, int]]:
    """Type, reason and count of a job's Events, in the order of their beginning."""
    about = f"involvedObject.kind=CIJob,involvedObject.name={name}"
    items: list[Json] = operator.cluster.get(
        "events", "-n", operator.namespace, f"--field-selector={about}"
    )["items"]
    by_time = sorted(items, key=lambda e: e["metadata"]["creationTimestamp"])
    return [(e["type"], e["reason"], e["count"]) for e in by_time]


def test_a_job_that_fails_again_and_again_has_two_events_and_describe_shows_them(
    operator: Operator,
) -> None:
    again = {"limit": 2, "backoffSeconds": 1}
    job = operator.submit("again", script="exit 7", retry=again)
    assert operator.finished(job)["reason"] == "CommandFailed"
    operator.cluster.until("its events", lambda: len(events(operator, job)) == 2)
    assert sorted(events(operator, job)) == [
        (WARNING, "BackingOff", 2),
        (WARNING, "CommandFailed", 1),
    ]
    described = operator.cluster.kubectl("describe", "cij", "-n", operator.namespace, job).stdout
    shown = described.partition("\nEvents:")[2]
    assert "(x2 over" in shown
    assert "exit code 7" in shown
    assert "cijob-operator" in shown


def test_a_job_like_any_other_has_none(operator: Operator) -> None:
    plain = operator.submit("plain", script="sleep 2")
    assert operator.finished(plain)["reason"] == "Completed"
    # Events are sent one after the other: when this one's is there, so would be the one before.
    failed = operator.submit("failed", script="exit 7")
    assert operator.finished(failed)["reason"] == "CommandFailed"
    operator.cluster.until("an event", lambda: len(events(operator, failed)) == 1)
    assert events(operator, plain) == []


def test_a_long_wait_is_told_once(operator: Operator) -> None:
    job = operator.submit("waits", templateRef={"name": "nobody-made-it"})
    operator.until_reason(job, "TemplateNotFound")
    operator.patch(job, priority=7)  # another look
    operator.patch(job, desiredState="Cancelled")
    assert operator.finished(job)["reason"] == "Cancelled"
    operator.cluster.until("its end", lambda: (NORMAL, "Cancelled", 1) in events(operator, job))
    assert sorted(events(operator, job)) == [
        (NORMAL, "Cancelled", 1),
        (WARNING, "TemplateNotFound", 1),
    ]
