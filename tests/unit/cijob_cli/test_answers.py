"""The end of a job on stderr: what broke, where the time went, what to do; whatever is missing."""

from typing import Any

import pytest

from cijob_cli.answers import Answer, read_answer
from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import Loopback, end, log, problem

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("project")]

FAILURES = [
    {
        "name": "tests/test_basket.py::test_total",
        "file": "tests/test_basket.py",
        "line": 12,
        "message": "AssertionError: assert 3 == 4\n + where 3 = total()",
    },
    {"name": "tests/test_basket.py", "file": "tests/test_basket.py", "message": ""},
]
OUTCOME = {
    "tests": {"failed": 1, "errors": 1, "summary": "2/14 failed", "failures": FAILURES},
    "collection": {"state": "Complete"},
    "spent": {"queued": 0, "starting": 2, "running": 75, "collecting": 1},
    "canRetryFailed": True,
}
FAILED = end("Failed", reason="CommandFailed", exitCode=1, message="exit code 1")


def ended_with(ci: CI, gateway: Loopback, outcome: dict[str, Any], last: bytes = FAILED) -> str:
    gateway.outcomes["test-01"] = outcome
    gateway.streams = [[log("the log\n"), last]]
    ended = ci("submit", "test")
    assert ended.out == "the log\n"
    return ended.err


def test_failed_tests_come_first_and_the_verdict_last(ci: CI, gateway: Loopback) -> None:
    lines = ended_with(ci, gateway, OUTCOME).splitlines()[2:]
    assert lines[:-1] == [
        "ci: failed: tests/test_basket.py::test_total (tests/test_basket.py:12)",
        "ci:     AssertionError: assert 3 == 4",
        "ci:      + where 3 = total()",
        "ci: failed: tests/test_basket.py",
    ]
    assert lines[-1].startswith("ci: Failed (CommandFailed) after ")
    assert lines[-1].endswith(
        "s (starting 2s, running 1m15s, collecting 1s): exit code 1; tests: 2/14 failed. "
        "Next: ci retry --failed test-01"
    )


def test_each_stage_has_its_word_and_what_took_none_is_left_out(ci: CI, gateway: Loopback) -> None:
    spent = {"earlierAttempts": 62, "queued": 2, "starting": 0, "pulling": 14, "fetching": 1}
    line = ended_with(ci, gateway, {"spent": {**spent, "running": 9}}).splitlines()[-1]
    assert " (earlier attempts 1m2s, queued 2s, pulling 14s, fetching 1s, running 9s): " in line


def test_many_failures_are_the_first_ten_and_how_many_more(ci: CI, gateway: Loopback) -> None:
    many = [{"name": f"test_{number}"} for number in range(10)]
    outcome = {"tests": {"failed": 23, "failures": many}}
    lines = ended_with(ci, gateway, outcome).splitlines()
    assert sum(line.startswith("ci: failed: ") for line in lines) == 10
    assert "ci: and 13 more: ci get test-01" in lines


def test_a_long_assertion_is_cut(ci: CI, gateway: Loopback) -> None:
    long = "\n".join(["x" * 1000, *("line" for _ in range(30))])
    lines = ended_with(
        ci, gateway, {"tests": {"failed": 1, "failures": [{"name": "test_a", "message": long}]}}
    ).splitlines()
    assert f"ci:     {'x' * 239}…" in lines
    assert lines[-2] == "ci:     … 19 more lines"


def test_an_assertion_cannot_play_with_the_terminal(ci: CI, gateway: Loopback) -> None:
    hostile = [{"name": "test_\x1b]0;title\x07a", "message": "\x1b[2Jgone"}]
    words = ended_with(ci, gateway, {"tests": {"failed": 1, "failures": hostile}})
    assert "ci: failed: test_a\nci:     gone\n" in words


def test_flaky_names_the_other_job(ci: CI, gateway: Loopback) -> None:
    outcome = {"flaky": {"name": "test-00", "phase": "Succeeded"}}
    assert "; flaky: test-00 ran the same and succeeded. Next: " in ended_with(ci, gateway, outcome)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"retryOf": "test-00"}, "; a retry of test-00. Next"),
        ({"retryOf": "test-00", "retryTests": 1}, "; a retry of 1 failed test of test-00. Next"),
    ],
)
def test_a_retry_says_so(ci: CI, gateway: Loopback, outcome: dict[str, Any], words: str) -> None:
    assert words in ended_with(ci, gateway, outcome)


def test_results_that_are_missing_are_a_warning_not_a_verdict(ci: CI, gateway: Loopback) -> None:
    outcome = {"collection": {"state": "Partial", "message": "junit.xml: it is no XML"}}
    succeeded = end(exitCode=0, message="exit code 0")
    words = ended_with(ci, gateway, outcome, succeeded)
    assert "ci: warning: the results are not complete: junit.xml: it is no XML\n" in words
    assert words.splitlines()[-1].startswith("ci: Succeeded (Succeeded) after ")


@pytest.mark.parametrize(
    "refusal", [problem(404, "not-found", "x"), problem(503, "unavailable", "x"), (200, [])]
)
def test_without_an_outcome_the_end_is_what_it_was(
    ci: CI, gateway: Loopback, refusal: tuple[int, Any]
) -> None:
    gateway.refusals = [("GET jobs/test-01/outcome", refusal)]
    gateway.streams = [[FAILED]]
    ended = ci("submit", "test")
    assert ended.code == 1
    assert len(gateway.asked("GET", "/outcome")) == 1
    last = ended.err.splitlines()[-1]
    assert last.endswith("s: exit code 1. Next: ci retry test-01")


def test_an_empty_outcome_says_nothing() -> None:
    assert read_answer({}) == Answer()
