"""The agent's termination message: its report, half of one, or anything else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_api.reasons import Reason
from cijob_operator.agents import REASONS, AgentReport, read_report


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_the_agent_s_reasons_are_taken_with_its_words(reason: Reason) -> None:
    said = json.dumps({"stage": "fetch", "reason": reason, "message": "why"})
    assert read_report(said) == AgentReport("fetch", reason, "why")


@pytest.mark.parametrize(
    ("stage", "ready"),
    [("", False), ("fetch", False), ("verify", False), ("unpack", False), ("nonsense", False),
     ("ready", True), ("collect", True), ("done", True)],
)  # fmt: skip
def test_from_ready_on_the_job_has_its_own_verdict(stage: str, *, ready: bool) -> None:
    assert read_report(json.dumps({"stage": stage})).was_ready is ready


@pytest.mark.parametrize(
    ("message", "report"),
    [
        ("", AgentReport()),
        ("Traceback: no module", AgentReport(words="Traceback: no module")),
        ('{"stage": "unp', AgentReport(words='{"stage": "unp')),
        ("[1]", AgentReport(words="[1]")),
        ("null", AgentReport(words="null")),
        ('{"stage": null, "reason": 7}', AgentReport(words="7")),
        ('{"stage": "fetch", "reason": "Completed"}', AgentReport("fetch", None, "Completed")),
        ('{"reason": "Bored", "message": "so"}', AgentReport("", None, "Bored: so")),
    ],
)
def test_anything_else_is_words(message: str, report: AgentReport) -> None:
    assert read_report(message) == report


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("c" * 40, "c" * 40),
        ("c" * 64, "c" * 64),
        ("c" * 7, ""),
        ("C" * 40, ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_commit_is_its_full_name_or_nothing(said: object, known: str) -> None:
    assert read_report(json.dumps({"stage": "ready", "commit": said})).commit == known


@pytest.mark.parametrize(
    ("said", "known"),
    [(0, 0), (1.25, 1.25), (-1, None), ("1", None), (True, None), (1e300, None), (None, None)],
)
def test_what_was_waited_is_a_number_of_seconds_or_nothing(
    said: object, known: float | None
) -> None:
    assert read_report(json.dumps({"stage": "ready", "waitedSeconds": said})).waited == known


def test_names_from_an_archive_cannot_reach_a_terminal() -> None:
    said = {"stage": "unpack", "reason": "SourceRejected", "message": "a\x1b[2Jb\nc\ud800d\u202ee"}
    assert read_report(json.dumps(said)).words == "a [2Jb c d e"


def test_brackets_without_end_are_words() -> None:
    assert read_report("[" * 4096).reason is None


KEYS = st.sampled_from(["stage", "reason", "message"])


@settings(deadline=None)
@given(
    st.text()
    | st.dictionaries(st.sampled_from(["stage", "reason", "message"]), st.text()).map(json.dumps)
)
def test_whatever_it_says_can_be_stored(message: str) -> None:
    report = read_report(message)
    assert len(report.words) <= 800
    assert report.words.isprintable()
    (report.words + report.stage).encode()
