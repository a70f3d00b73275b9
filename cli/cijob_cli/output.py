"""Prints objects as tables, JSON, YAML or names. Called by the commands."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from cijob_cli.escapes import without_escapes
from cijob_cli.jobs import JobView, view

FORMATS = ("table", "wide", "json", "yaml", "name")
_HEADINGS = ("NAME", "PHASE", "REASON", "POOL", "TESTS", "EXIT", "DURATION", "AGE")
_WIDE_HEADINGS = ("TEMPLATE", "POD", "NODE", "SUBMITTER", "RETRY-OF")


def print_object(value: Any, form: str) -> None:
    """Print as `json` or `yaml`, with the bytes of the log's rule: no lone surrogates."""
    if form == "json":
        click.echo(json.dumps(value, indent=2))
        return
    import yaml  # noqa: PLC0415 - 30 ms that only -o yaml pays

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)


def print_jobs(
    jobs: Sequence[Mapping[str, Any]],
    form: str,
    now: datetime,
    places: Mapping[str, str] | None = None,
) -> None:
    """Print jobs as a table, wide or not, or as their names; `places` are those in the queue."""
    views = [view(job) for job in jobs]
    if form == "name":
        for one in views:
            click.echo(one.name)
        return
    wide = form == "wide"
    headings = (*_HEADINGS, *(_WIDE_HEADINGS if wide else ()), *(("QUEUE",) if places else ()))
    rows = [
        (*_cells(one, now), *(_wide(one) if wide else ()), (places or {}).get(one.name, ""))
        for one in views
    ]
    print_table(headings, [row[: len(headings)] for row in rows])


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need, three spaces apart, as kubectl does it."""
    cells = [[without_escapes(cell) or "-" for cell in row] for row in rows]
    lines = [list(headings), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("   ".join(padded).rstrip())


def _cells(job: JobView, now: datetime) -> tuple[str, ...]:
    code = "" if job.exit_code is None else str(job.exit_code)
    return (
        job.name,
        job.phase,
        job.reason,
        job.pool,
        job.tests,
        code,
        job.duration(now),
        job.age(now),
    )


def _wide(job: JobView) -> tuple[str, ...]:
    pod, node = job.of_last_attempt("podName"), job.of_last_attempt("nodeName")
    return (job.template, pod, node, job.submitter, job.retry_of)
