"""`ci run`: run a command on a directory."""

from pathlib import Path

import click

from cijob_cli.errors import Unusable
from cijob_cli.options import (
    BehindDashes,
    FollowFlags,
    JobFlags,
    behind_dashes,
    connection_options,
    follow_options,
    job_options,
)
from cijob_cli.project import read_project
from cijob_cli.settings import Settings, home

TEMPLATE = "run"


@click.command(cls=BehindDashes, name="run", options_metavar="[OPTIONS] [PATH] -- CMD...")
@click.argument("path", required=False, default=".", metavar="")
@click.option("--no-source", is_flag=True, help="Upload nothing.")
@job_options
@follow_options
@connection_options
def run_command(
    path: str, *, no_source: bool, flags: JobFlags, waiting: FollowFlags, settings: Settings
) -> int:
    """Run CMD in the directory PATH (default: this one), by the template `run`.

    The image is the template's, unless --image or the project names one. As `ci submit` otherwise.
    """
    command = behind_dashes()
    if not command:
        raise Unusable("no command: write it behind two dashes, `ci run -- make test`")
    folder = Path(path)
    if not folder.is_dir():
        raise Unusable(f"{folder} is no directory; give the command behind `--`")
    from cijob_cli.bodies import What  # noqa: PLC0415
    from cijob_cli.submitting import Wish, submit  # noqa: PLC0415

    what = What(TEMPLATE, command=command)
    project = read_project(folder, home())
    return submit(Wish(what, None if no_source else folder, project, flags), waiting, settings)
