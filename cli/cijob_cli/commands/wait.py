"""`ci wait`: follow a job to its end, and end with its verdict."""

import click

from cijob_cli.options import connection_options, duration, job_argument
from cijob_cli.reaching import reaching
from cijob_cli.screen import open_screen
from cijob_cli.settings import Settings


@click.command(name="wait")
@job_argument
@click.option(
    "--from", "start", type=click.Choice(("start", "now")), default="start", show_default=True
)
@click.option(
    "--timeout",
    callback=duration,
    metavar="TIME",
    help="Stop waiting after 90s, 15m, 2h: exit code 124.",
)
@click.option("--no-follow", is_flag=True, help="Show no log, only wait.")
@click.option("--exit-code-from-job", is_flag=True, help="A failed job's own exit code is ours.")
@click.option("--raw", is_flag=True, help="Leave terminal escapes in the log.")
@click.option("--json-events", is_flag=True, help="CloudEvents, one a line, not the log.")
@connection_options
def wait_command(
    job: str,
    *,
    start: str,
    timeout: int | None,
    no_follow: bool,
    exit_code_from_job: bool,
    raw: bool,
    json_events: bool,
    settings: Settings,
) -> int:
    """Show the log of JOB until it ends, and end as `ci submit` does.

    JOB is a name, or how it begins or ends.
    """
    screen = open_screen(raw=raw, silent=no_follow)
    with reaching(settings) as gateway:
        from cijob_cli.deadlines import deadline  # noqa: PLC0415
        from cijob_cli.follow import Following  # noqa: PLC0415
        from cijob_cli.lookup import find_job  # noqa: PLC0415
        from cijob_cli.outcome import conclude, ran_for, see  # noqa: PLC0415
        from cijob_cli.watching import watching, watching_events  # noqa: PLC0415

        with deadline(timeout):
            whole = start == "start" and not json_events
            following = Following(screen, whole=whole, job=find_job(gateway, job))
            query = [] if start == "start" else [("from", "now")]
            watch = watching_events if json_events else watching
            end = see(gateway, following, watch(gateway, query))
        took = ran_for(gateway, following.name or job)
        return conclude(gateway, following, end, took=took, own_code=exit_code_from_job)
