"""`ci cancel`: stop a job for good."""

import click

from cijob_cli.exitcodes import ExitCode
from cijob_cli.options import connection_options, job_argument
from cijob_cli.reaching import reaching
from cijob_cli.screen import open_screen
from cijob_cli.settings import Settings


@click.command(name="cancel")
@job_argument
@connection_options
def cancel_command(job: str, *, settings: Settings) -> int:
    """Stop JOB for good. Its log stays; `ci retry` runs it again.

    JOB is a name, or how it begins or ends.
    """
    screen = open_screen()
    with reaching(settings) as gateway:
        from cijob_cli.lookup import find_job  # noqa: PLC0415

        name = find_job(gateway, job)["metadata"]["name"]
        gateway.cancel(name)
    screen.note(f"cancelled {name}. Next: {screen.command('logs', name)}")
    return ExitCode.SUCCEEDED
