"""One job in words: where it is, why, each attempt, and what to do. Called by get."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from cijob_api.reasons import MEANINGS, Reason
from cijob_cli.answers import Answer
from cijob_cli.escapes import without_escapes
from cijob_cli.jobs import JobView, view


def print_description(job: Mapping[str, Any], answer: Answer, now: datetime) -> None:
    """Print a job, a fact a line, and its failed tests."""
    shown = view(job)
    for heading, words in _facts(shown, answer, now):
        if words:
            click.echo(f"{heading + ':':<12}{without_escapes(words)}")
    for attempt in shown.attempts:
        click.echo(without_escapes(_attempt(attempt)))
    for line in answer.lines(len(answer.failures)):
        click.echo(without_escapes(line))
    if answer.missing:
        click.echo(without_escapes(answer.missing))


def _facts(job: JobView, answer: Answer, now: datetime) -> Iterator[tuple[str, str]]:
    meaning = MEANINGS.get(Reason(job.reason)) if job.reason in set(Reason) else None
    yield "name", job.name
    yield "namespace", job.namespace
    yield "template", job.template
    yield "submitter", job.submitter
    yield "phase", job.phase
    yield "reason", job.reason
    yield "message", job.message
    yield "means", meaning.means if meaning else ""
    yield "to do", meaning.do if meaning else ""
    yield "exit code", "" if job.exit_code is None else str(job.exit_code)
    yield "tests", job.tests
    yield "source", job.source
    yield "pool", job.pool
    yield "submitted", f"{job.age(now)} ago" if job.created else ""
    yield "started", job.started.isoformat() if job.started else ""
    yield "ended", job.ended.isoformat() if job.ended else ""
    yield "ran for", job.duration(now)
    yield "time", answer.times()
    tests = f", {job.retry_tests} failed tests of it" if job.retry_tests else ""
    yield "retry of", f"{job.retry_of}{tests}" if job.retry_of else ""
    other = f"{answer.flaky} ran the same and {answer.flaky_phase.lower()}"
    yield "flaky", other if answer.flaky else ""


def _attempt(attempt: Mapping[str, Any]) -> str:
    pod, node = attempt.get("podName") or "no Pod", attempt.get("nodeName")
    code, message = attempt.get("exitCode"), attempt.get("message") or ""
    container = attempt.get("containerID")
    words = [
        f"Pod {pod}" + (f" on {node}" if node else ""),
        f"container {container}" if container else "",
        attempt.get("reason") or "",
        "" if code is None or f"exit code {code}" in message else f"exit code {code}",
        message,
    ]
    return f"attempt {attempt.get('number')}:  " + ", ".join(word for word in words if word)
