"""`ci run`: run a command on a directory, or on a git repository that the cluster clones."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cijob_cli.errors import Unusable
from cijob_cli.options import (
    BehindDashes,
    CloneFlags,
    FollowFlags,
    JobFlags,
    behind_dashes,
    clone_options,
    connection_options,
    follow_options,
    job_options,
)
from cijob_cli.project import Project, read_project
from cijob_cli.settings import Settings, home, passed_on, secret_values

if TYPE_CHECKING:
    from cijob_cli.bodies import What

TEMPLATE = "run"


@click.command(cls=BehindDashes, name="run", options_metavar="[OPTIONS] [PATH] -- CMD...")
@click.argument("path", required=False, metavar="")
@click.option("--template", help="Template to run by (default: run).")
@click.option("--no-source", is_flag=True, help="Upload nothing.")
@clone_options
@job_options
@follow_options
@connection_options
def run_command(
    path: str | None,
    *,
    template: str | None,
    no_source: bool,
    cloning: CloneFlags,
    flags: JobFlags,
    waiting: FollowFlags,
    settings: Settings,
) -> int:
    """Run CMD in the directory PATH (default: this one), by the template `run`.

    The image is the template's, unless --image or the project names one. As `ci submit` otherwise.

    With --clone-url the cluster clones that repository, and nothing is uploaded. Without CMD a
    template with `acceptsJobFlags: true` runs its own command and gets --clone-url, --tasks,
    --unit and --json-events behind it. GITHUB_TOKEN, ANTHROPIC_API_KEY and OPENAI_API_KEY are
    passed on where they are set, others by --pass-env.
    """
    from cijob_cli.submitting import Wish, submit  # noqa: PLC0415

    if cloning.clone_url:
        if path or no_source:
            raise Unusable("--clone-url goes without PATH and --no-source; leave one out")
        what = _what(template or TEMPLATE, cloning)
        return submit(Wish(what, None, Project(), _passing(flags, cloning)), waiting, settings)
    if given := cloning.given():
        raise Unusable(f"{given} goes with --clone-url; give that, or leave {given} out")
    command = behind_dashes()
    if not command:
        raise Unusable("no command: write it behind two dashes, `ci run -- make test`")
    folder = Path(path or ".")
    if not folder.is_dir():
        raise Unusable(f"{folder} is no directory; give the command behind `--`")
    from cijob_cli.bodies import What  # noqa: PLC0415

    what = What(template or TEMPLATE, command=command)
    project = read_project(folder, home())
    return submit(Wish(what, None if no_source else folder, project, flags), waiting, settings)


def _what(template: str, cloning: CloneFlags) -> "What":
    """What to run on a clone. Raises Unusable for a URL with a password, before it is sent."""
    from cijob_cli.bodies import Clone, What  # noqa: PLC0415

    clone = Clone(
        cloning.clone_url or "", cloning.ref, cloning.git_secret, cloning.tasks or ".", cloning.unit
    )
    return What(template, command=behind_dashes(), clone=clone)


def _passing(flags: JobFlags, cloning: CloneFlags) -> JobFlags:
    """The flags with the variables that are passed on; their names are said on stderr."""
    secret_values(cloning.pass_env, option="--pass-env")
    names = tuple(dict.fromkeys((*passed_on(), *cloning.pass_env)))
    if names:
        click.echo(f"ci: passed on from your environment: {', '.join(names)}", err=True)
    return replace(flags, secret_env=tuple(dict.fromkeys((*flags.secret_env, *names))))
