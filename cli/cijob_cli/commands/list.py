"""`ci list`: jobs, newest first."""

from datetime import UTC, datetime

import click

from cijob_cli.exitcodes import ExitCode
from cijob_cli.options import connection_options, output_option
from cijob_cli.output import FORMATS, print_jobs, print_object
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
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--all", "every", is_flag=True, help="All pages.")
@output_option(*FORMATS)
@connection_options
def list_command(
    *,
    phase: tuple[str, ...],
    template: str | None,
    submitter: str | None,
    limit: int,
    every: bool,
    output: str,
    settings: Settings,
) -> int:
    """List jobs, newest first."""
    query = [("phase", one) for one in phase]
    query += [("template", template)] if template else []
    query += [("submitter", submitter)] if submitter else []
    query.append(("limit", str(500 if every else limit)))
    screen = open_screen()
    with reaching(settings) as gateway:
        page = gateway.jobs(query)
        items = page.items
        while every and page.next:
            page = gateway.jobs([*query, ("continue", page.next)])
            items += page.items
        if not items:
            screen.note(f"no such jobs in namespace {gateway.namespace}")
    if output in ("json", "yaml"):
        print_object({"items": items}, output)
    elif items:
        print_jobs(items, output, datetime.now(UTC))
    if page.next:
        screen.note(f"there are more than these {len(items)}: --all, or --limit N")
    return ExitCode.SUCCEEDED
