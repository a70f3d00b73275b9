"""`ci logs`: print a job's log."""

import click

from cijob_cli.exitcodes import ExitCode
from cijob_cli.options import connection_options, job_argument, moment
from cijob_cli.reaching import reaching
from cijob_cli.screen import open_screen
from cijob_cli.settings import Settings


@click.command(name="logs")
@job_argument
@click.option("--follow", "-f", is_flag=True, help="Go on until the job ends.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last so many lines.")
@click.option(
    "--since", callback=moment, metavar="TIME", help="From then on: 90s, 10m, 2h ago, or RFC 3339."
)
@click.option("--timestamps", is_flag=True, help="Each line with its time.")
@click.option("--attempt", type=click.IntRange(min=1), help="Of this attempt only.")
@click.option("--raw", is_flag=True, help="Leave terminal escapes in it.")
@connection_options
def logs_command(
    job: str,
    *,
    follow: bool,
    tail: int | None,
    since: str | None,
    timestamps: bool,
    attempt: int | None,
    raw: bool,
    settings: Settings,
) -> int:
    """Print the log of JOB, as far as it is there; -f until the job ends.

    JOB is a name, or how it begins or ends, also of a job that is gone. Escape sequences other
    than colours are taken out, on a terminal and in a pipe alike, unless --raw. The exit code says
    whether the log was there, not how the job ended: that is `ci wait`.
    """
    given = {"tail": tail, "since": since, "attempt": attempt}
    query = [(name, str(value)) for name, value in given.items() if value is not None]
    query += [("timestamps", "true")] if timestamps else []
    screen = open_screen(raw=raw)
    with reaching(settings) as gateway:
        from cijob_cli import printing  # noqa: PLC0415
        from cijob_cli.lookup import find_job  # noqa: PLC0415

        found = find_job(gateway, job)
        show = printing.followed_log if follow else printing.log_so_far
        show(gateway, screen, found, query)
    return ExitCode.SUCCEEDED
