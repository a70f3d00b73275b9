"""`ci get`: one job, for people or as it is."""

from datetime import UTC, datetime

import click

from cijob_cli.answers import read_answer
from cijob_cli.descriptions import print_description
from cijob_cli.exitcodes import ExitCode
from cijob_cli.jobs import view
from cijob_cli.options import connection_options, job_argument, output_option
from cijob_cli.output import FORMATS, print_jobs, print_object
from cijob_cli.reaching import reaching
from cijob_cli.settings import Settings

_FAILURES = 1000


@click.command(name="get")
@job_argument
@output_option("text", *FORMATS)
@connection_options
def get_command(job: str, *, output: str, settings: Settings) -> int:
    """Show JOB: where it is and why, each attempt, and what to do next.

    JOB is a name, or how it begins or ends.
    """
    with reaching(settings) as gateway:
        from cijob_cli.lookup import find_job  # noqa: PLC0415

        found = find_job(gateway, job)
        ended = output == "text" and view(found).ended
        name = str(found["metadata"]["name"])
        answer = read_answer(gateway.outcome(name, _FAILURES) if ended else {})
    now = datetime.now(UTC)
    if output in ("json", "yaml"):
        print_object(found, output)
    elif output == "text":
        print_description(found, answer, now)
    else:
        print_jobs([found], output, now)
    return ExitCode.SUCCEEDED
