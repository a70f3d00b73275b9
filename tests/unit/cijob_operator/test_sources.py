"""What a job ran on: known with its end, or a moment later."""

from typing import Any

import pytest

from cijob_api.statuses import SourceResult
from cijob_operator.decisions import Decision
from cijob_operator.podviews import PodView
from cijob_operator.slimming import slimmed
from cijob_operator.times import format_time
from unit.cijob_operator.builders import agent, ago, ended, job, look, status_of

COMMIT, DIGEST = "c0ffee" * 6 + "beef", "0" * 64
GIT: dict[str, Any] = {"source": {"git": {"url": "https://git.example.com/a.git"}}}
ARCHIVE: dict[str, Any] = {"source": {"archive": {"sha256": DIGEST, "sizeBytes": 1}}}
DONE = {"phase": "Succeeded", "reason": "Completed", "completionTime": format_time(ago(10))}


def source(decision: Decision) -> SourceResult | None:
    results = status_of(decision).results
    return results.source if results else None


@pytest.mark.parametrize(
    ("said", "pod", "known"),
    [
        (GIT, ended(0, agent=agent(0, stage="done", commit=COMMIT)), {"commit": COMMIT}),
        (GIT, ended(7, agent=agent(143, stage="ready", commit=COMMIT)), {"commit": COMMIT}),
        (GIT, ended(0, agent=agent()), None),
        (GIT, ended(0, agent=agent(0, stage="done", commit="HEAD; rm")), None),
        (GIT, ended(143, agent=agent(1, stage="unpack", commit=COMMIT)), None),
        (ARCHIVE, ended(0, agent=agent(0, stage="done")), {"sha256": DIGEST}),
        (ARCHIVE, ended(0, agent=agent()), {"sha256": DIGEST}),
        (ARCHIVE, ended(0, agent=agent(1, stage="verify")), None),
        ({}, ended(0), None),
    ],
)
def test_the_end_of_a_job_says_what_it_ran_on(
    said: dict[str, Any], pod: PodView, known: dict[str, str] | None
) -> None:
    found = source(look(job(script="make\n", **said), pod))
    assert found == (SourceResult.model_validate(known) if known else None)


def test_an_agent_that_ends_after_the_job_says_its_commit_then() -> None:
    late = ended(0, agent=agent(0, stage="done", commit=COMMIT))
    finished = slimmed(job(status=DONE, **GIT))
    decision = look(finished, ended(0, agent=agent()))
    assert decision.status is None
    decision = look(finished, late)
    assert source(decision) == SourceResult(commit=COMMIT)
    written = slimmed(job(status={**DONE, "results": {"source": {"commit": COMMIT}}}, **GIT))
    assert look(written, late).status is None


def test_only_the_last_attempt_s_commit_counts() -> None:
    first = ended(1, agent=agent(0, stage="done", commit=COMMIT))
    decision = look(job(status=DONE, **GIT), first, ended(0, attempt=2, agent=agent()))
    assert decision.status is None
