"""`ci submit`: run a template on a directory, show its log, end with its verdict."""

import os
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


@click.command(cls=BehindDashes, name="submit", short_help="Run a template on a directory.")
@click.argument("template", required=False)
@click.argument("path", required=False)
@job_options
@follow_options
@connection_options
def submit_command(
    template: str | None,
    path: str | None,
    *,
    flags: JobFlags,
    waiting: FollowFlags,
    settings: Settings,
) -> int:
    """Run TEMPLATE on the directory PATH (default: this one).

    The job's log comes on stdout and its verdict as the exit code: 0 succeeded, 1 failed, 3 the
    platform could not run it. All behind `--` are arguments of the template's command.

    In a git work tree the files that git knows or would add are the source, elsewhere what
    .gitignore leaves; .ciignore takes out more. TEMPLATE may be left out where .ci.toml or
    [tool.ci] in pyproject.toml names one: then a single argument that is `.` or `..` or has a
    slash is PATH.
    """
    chosen, folder = template_and_folder(template, path)
    project = read_project(folder, home())
    chosen = chosen or project.template
    if chosen is None:
        raise Unusable(
            'no template: `ci submit TEMPLATE`, or template = "…" in .ci.toml; see `ci templates`'
        )
    from cijob_cli.bodies import What  # noqa: PLC0415
    from cijob_cli.submitting import Wish, submit  # noqa: PLC0415

    what = What(chosen, args=behind_dashes() or project.args)
    return submit(Wish(what, folder, project, flags), waiting, settings)


def template_and_folder(template: str | None, path: str | None) -> tuple[str | None, Path]:
    """Which argument is which. Raises Unusable."""
    if path is None and template is not None and _is_path(template):
        template, path = None, template
    folder = Path(path or ".")
    if not folder.is_dir():
        raise Unusable(f"{folder} is no directory; give the directory to submit")
    return template, folder


def _is_path(text: str) -> bool:
    return text in (".", "..") or os.sep in text
