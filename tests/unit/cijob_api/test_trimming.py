"""Trimming: words and history go, oldest and longest first; verdicts stay."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_api.statuses import Attempt, CIJobStatus
from cijob_api.trimming import (
    ARCHIVER_BYTES,
    GATEWAY_BYTES,
    OPERATOR_BYTES,
    shorten,
    shorten_tail,
    size_bytes,
    trim_status,
)


def attempt(number: int, message: str = "") -> dict[str, Any]:
    return {
        "number": number,
        "podName": f"{'j' * 52}-{number}",
        "podUID": "6a0f2c1e-0000-0000-0000-000000000000",
        "containerID": f"containerd://{'0' * 64}",
        "nodeName": "ip-10-0-0-1.eu-west-1.compute.internal",
        "startTime": "2026-01-01T08:00:00Z",
        "completionTime": "2026-01-01T08:01:00Z",
        "exitCode": 1,
        "reason": "CommandFailed",
        "message": message,
    }


def status(**fields: Any) -> CIJobStatus:
    return CIJobStatus.model_validate(fields)


def test_a_small_status_stays_as_it_is() -> None:
    small = status(phase="Failed", message="exit code 1", attempts=[attempt(1, "exit code 1")])
    assert trim_status(small, OPERATOR_BYTES) == small


def test_only_the_last_ten_attempts_stay() -> None:
    # An eleventh attempt is put behind ten that were read: copies are not checked.
    many = status().model_copy(update={"attempts": [Attempt(number=n) for n in range(1, 15)]})
    numbers = [item.number for item in trim_status(many, OPERATOR_BYTES).attempts or []]
    assert numbers == list(range(5, 15))


def test_the_longest_words_go_before_any_attempt() -> None:
    long = status(attempts=[attempt(1, "short"), attempt(2, "x" * 4000)])
    first, second = trim_status(long, OPERATOR_BYTES).attempts or []
    assert first.message == "short"
    assert second.message
    assert second.message.endswith("…")


def test_of_equally_long_words_the_oldest_go_first() -> None:
    equal = status(attempts=[attempt(1, "x" * 1200), attempt(2, "y" * 1200)])
    first, second = trim_status(equal, OPERATOR_BYTES).attempts or []
    assert len(first.message or "") < len(second.message or "") == 1200


def test_then_the_oldest_attempts_go_but_never_the_last() -> None:
    full = status(attempts=[attempt(number, "x" * 400) for number in range(1, 11)])
    trimmed = trim_status(full, OPERATOR_BYTES)
    assert (trimmed.attempts or [])[-1].number == 10
    assert 1 < len(trimmed.attempts or []) < 10
    assert size_bytes(trimmed) <= OPERATOR_BYTES


def test_the_verdict_stays_whatever_goes() -> None:
    full = status(
        phase="Error",
        reason="ImagePullFailed",
        message="m" * 4000,
        exitCode=3,
        attempts=[attempt(1, "x" * 4000)],
    )
    trimmed = trim_status(full, 400)
    assert (trimmed.phase, trimmed.reason, trimmed.exit_code) == ("Error", "ImagePullFailed", 3)
    assert len(trimmed.attempts or []) == 1


def test_of_a_log_the_end_is_kept() -> None:
    log = "start " + "x" * 3000 + " the end"
    failure = trim_status(status(results={"failure": {"logTail": log}}), ARCHIVER_BYTES).results
    assert failure
    assert failure.failure
    assert (failure.failure.log_tail or "").endswith(" the end")


def test_the_results_lose_their_last_items_first() -> None:
    failures = [{"name": f"test_{'n' * 600}_{number}"} for number in range(10)]
    artifacts = [{"name": f"a{number}", "sha256": "0" * 64} for number in range(5)]
    full = status(
        results={"tests": {"total": 20, "firstFailures": failures}, "artifacts": artifacts}
    )
    results = trim_status(full, GATEWAY_BYTES).results
    assert results
    assert results.tests
    assert results.tests.total == 20
    kept = [failure.name[-1] for failure in results.tests.first_failures or []]
    assert kept == ["0", "1", "2", "3"][: len(kept)]
    assert len(results.artifacts or []) == 5


TEXTS = st.text(max_size=4096)


@given(st.lists(TEXTS, min_size=1, max_size=10), TEXTS)
def test_any_operator_status_fits(messages: list[str], message: str) -> None:
    attempts = [attempt(number, words) for number, words in enumerate(messages, 1)]
    whole = status(phase="Error", reason="NodeLost", message=message, attempts=attempts)
    trimmed = trim_status(whole, OPERATOR_BYTES)
    assert size_bytes(trimmed) <= OPERATOR_BYTES
    assert trim_status(trimmed, OPERATOR_BYTES) == trimmed


@pytest.mark.parametrize(
    ("text", "most", "short", "tail"),
    [
        ("", 5, "", ""),
        ("12345", 5, "12345", "12345"),
        ("123456", 5, "1234…", "…3456"),
        ("12 456", 4, "12…", "…456"),
    ],
)
def test_a_text_is_cut_where_it_is_read_last(text: str, most: int, short: str, tail: str) -> None:
    assert (shorten(text, most), shorten_tail(text, most)) == (short, tail)
