"""Flaky is: the same source, template and command, and the other verdict."""

import copy
from typing import Any

import pytest

from cijob_gateway.repeats import contradiction, digest, same_before

Json = dict[str, Any]
BASE: Json = {
    "metadata": {"name": "a", "creationTimestamp": "2026-01-01T12:00:00Z"},
    "spec": {
        "templateRef": {"name": "test"},
        "source": {"archive": {"sha256": "a" * 64, "sizeBytes": 7}},
        "args": ["-k", "x"],
        "priority": 1,
    },
    "status": {"phase": "Failed", "attempts": [{"number": 1, "template": "test/3"}]},
}
NOTES = {"cijob.dev/retry-of": "a"}


def job(name: str, minute: int, phase: str, **spec: Any) -> Json:
    body = copy.deepcopy(BASE)
    body["metadata"] = {"name": name, "creationTimestamp": f"2026-01-01T12:{minute:02}:00Z"}
    body["status"]["phase"] = phase
    body["spec"] |= spec
    return body


def other_of(body: Json, *others: Json) -> str | None:
    found = contradiction(body, [same_before(body, [body, *others])])
    return found.name if found else None


def test_the_newest_earlier_job_that_ran_the_same_decides() -> None:
    now = job("now", 9, "Failed")
    red, green, later = job("b", 1, "Failed"), job("c", 5, "Succeeded"), job("d", 10, "Succeeded")
    assert other_of(now, red, green, later) == "c"
    assert other_of(now, job("b", 1, "Succeeded"), job("c", 5, "Failed")) is None


@pytest.mark.parametrize("phase", ["Error", "Cancelled", "Running", "Queued"])
def test_only_what_the_command_said_counts(phase: str) -> None:
    now, green = job("now", 9, "Failed"), job("b", 1, "Succeeded")
    assert other_of(now, green, job("c", 5, phase)) == "b"
    assert other_of(job("now", 9, phase), green) is None


@pytest.mark.parametrize(
    "spec",
    [
        {"source": {"archive": {"sha256": "b" * 64, "sizeBytes": 7}}},
        {"source": {"git": {"url": "https://x/y", "commit": "c" * 40}}},
        {"templateRef": {"name": "other"}},
        {"args": ["-k", "y"]},
        {"env": [{"name": "SEED", "value": "2"}]},
        {"image": "python:3.13"},
        {"command": ["make"]},
        {"resources": {"limits": {"memory": "64Mi"}}},
    ],
)
def test_what_differs_in_what_is_run_is_another_job(spec: Json) -> None:
    assert other_of(job("now", 9, "Failed"), job("b", 1, "Succeeded", **spec)) is None


def test_priority_and_patience_are_no_difference() -> None:
    green = job("b", 1, "Succeeded", priority=5, timeoutSeconds=9)
    assert other_of(job("now", 9, "Failed"), green) == "b"


def test_a_template_that_changed_is_another_job() -> None:
    green = job("b", 1, "Succeeded")
    green["status"]["attempts"][0]["template"] = "test/2"
    assert other_of(job("now", 9, "Failed"), green) is None


def test_a_branch_is_the_same_only_by_the_commit_that_it_was() -> None:
    branch = {"source": {"git": {"url": "https://x/y", "ref": "main"}}}
    now, green = job("now", 9, "Failed", **branch), job("b", 1, "Succeeded", **branch)
    assert other_of(now, green) is None
    for body in (now, green):
        body["status"]["results"] = {"source": {"commit": "c" * 40}}
    assert other_of(now, green) == "b"
    green["status"]["results"]["source"]["commit"] = "d" * 40
    assert other_of(now, green) is None


def test_a_job_without_a_source_cannot_be_called_the_same() -> None:
    assert digest(job("now", 9, "Failed", source=None)) is None


def test_a_retry_of_failed_tests_is_compared_with_its_job_and_with_no_other() -> None:
    again = job("again", 9, "Succeeded", env=[{"name": "CIJOB_TESTS", "value": "a::b"}])
    again["metadata"]["annotations"] = {**NOTES, "cijob.dev/retry-tests": "1"}
    first, other = job("a", 1, "Failed"), job("b", 5, "Succeeded")
    assert other_of(again, first, other) == "a"
    assert other_of(job("now", 20, "Failed"), again) is None


def test_a_retry_of_a_whole_job_is_a_job_like_any_other() -> None:
    again = job("again", 9, "Succeeded")
    again["metadata"]["annotations"] = NOTES
    assert other_of(again, job("a", 1, "Failed")) == "a"
