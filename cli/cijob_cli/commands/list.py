"""`ci list`: jobs, newest first."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from cijob_api.reasons import Phase
from cijob_cli.errors import CIError
from cijob_cli.exitcodes import ExitCode
from cijob_cli.gateway import Gateway
from cijob_cli.jobs import view
from cijob_cli.options import connection_options, output_option
from cijob_cli.output import FORMATS, print_jobs, print_object
from cijob_cli.queue import read_place, short
from cijob_cli.reaching import reaching
from cijob_cli.screen import open_screen
from cijob_cli.settings import Settings

PHASES = ("Queued", "Starting", "Running", "Succeeded", "Failed", "Error", "Cancelled")


@click.command(name="list")
@click.option(
    "--phase", multiple=True, type=click.Choice(PHASES, case_sensitive=False), help="May repeat."
)
@click.option("--template", help="Only jobs of this template.")
@click.option("--submitter", help="Only jobs of this submitter.")
@click.option("--limit", type=click.IntRange(1, 500), help="At most so many (default 20).")
@click.option("--all", "every", is_flag=True, help="Every one, also those that are gone.")
@output_option(*FORMATS)
@connection_options
def list_command(
    *,
    phase: tuple[str, ...],
    template: str | None,
    submitter: str | None,
    limit: int | None,
    every: bool,
    output: str,
    settings: Settings,
) -> int:
    """List jobs, newest first.

    The CIJob of a job goes some time after its end; its log and its record stay longer. With --all
    such jobs are listed, too: all there are, or so many as --limit says.
    """
    query = [("phase", one) for one in phase]
    query += [("template", template)] if template else []
    query += [("submitter", submitter)] if submitter else []
    query += [("all", "true")] if every else []
    query.append(("limit", str(limit or (500 if every else 20))))
    screen = open_screen()
    with reaching(settings) as gateway:
        page = gateway.jobs(query)
        items = page.items
        while every and page.next and len(items) < (limit or sys.maxsize):
            page = gateway.jobs([*query, ("continue", page.next)])
            items += page.items
        items = items[:limit]
        if not items:
            screen.note(f"no such jobs in namespace {gateway.namespace}")
        places = {} if output in ("json", "yaml", "name") else _places(gateway, items)
    if output in ("json", "yaml"):
        print_object({"items": items}, output)
    elif items:
        print_jobs(items, output, datetime.now(UTC), places)
    if page.next:
        screen.note(f"there are more than these {len(items)}: --all, or --limit N")
    return ExitCode.SUCCEEDED


def _places(gateway: Gateway, items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Where those that are queued stand, in a few words; a gateway may be too old to tell."""
    if all(view(item).phase != Phase.QUEUED for item in items):
        return {}
    try:
        found = gateway.queue(gateway.namespace)["jobs"]
    except CIError:
        return {}
    return {job["name"]: short(read_place(job)) for job in found}
