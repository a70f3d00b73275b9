"""`ci artifacts`: what a job left behind."""

from pathlib import Path
from typing import Any

import click

from cijob_cli.errors import NotFound
from cijob_cli.exitcodes import ExitCode
from cijob_cli.options import connection_options, job_argument, output_option
from cijob_cli.reaching import reaching
from cijob_cli.screen import Screen, open_screen
from cijob_cli.settings import Settings


@click.group(name="artifacts")
def artifacts_command() -> None:
    """What a job left behind: list it, download it.

    JOB is a name, or how it begins or ends, also of a job that is gone.
    """


@artifacts_command.command(name="list")
@job_argument
@click.option("--attempt", type=click.IntRange(min=1), help="Of this attempt (default: the last).")
@output_option("table", "json", "yaml", "name")
@connection_options
def artifacts_list(job: str, *, attempt: int | None, output: str, settings: Settings) -> int:
    """List the artifacts of JOB, with size and sha256."""
    screen = open_screen()
    with reaching(settings) as gateway:
        from cijob_cli.lookup import find_job  # noqa: PLC0415
        from cijob_cli.output import print_object, print_table  # noqa: PLC0415
        from cijob_cli.units import format_bytes  # noqa: PLC0415

        found = gateway.artifacts(find_job(gateway, job)["metadata"]["name"], attempt)
    if output in ("json", "yaml"):
        print_object(found, output)
    elif output == "name":
        for one in found["artifacts"]:
            click.echo(one["name"])
    elif found["artifacts"]:
        rows = [
            (one["name"], one["file"], format_bytes(one["sizeBytes"]), one["sha256"])
            for one in found["artifacts"]
        ]
        print_table(("NAME", "FILE", "SIZE", "SHA256"), rows)
    _say_what_is_missing(screen, found)
    return ExitCode.SUCCEEDED


@artifacts_command.command(name="download")
@job_argument
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where to (default: here).",
)
@click.option("--attempt", type=click.IntRange(min=1), help="Of this attempt (default: the last).")
@click.option("--force", is_flag=True, help="Overwrite files of another content.")
@connection_options
def artifacts_download(
    job: str,
    *,
    names: tuple[str, ...],
    folder: Path,
    attempt: int | None,
    force: bool,
    settings: Settings,
) -> int:
    """Download the artifacts of JOB, or those of these NAMEs, and print the files' paths.

    Each is compared with its sha256. A download that broke goes on where it was. A file that is
    there with another content is not overwritten without --force.
    """
    screen = open_screen()
    with reaching(settings) as gateway:
        from cijob_cli import downloads  # noqa: PLC0415
        from cijob_cli.lookup import find_job  # noqa: PLC0415

        name = find_job(gateway, job)["metadata"]["name"]
        found = gateway.artifacts(name, attempt)
        wanted = _chosen(name, found, names)
        folder.mkdir(parents=True, exist_ok=True)
        for one, file in wanted:
            target = downloads.Wanted(
                name, found["attempt"], one["name"], one["sizeBytes"], one["sha256"], folder / file
            )
            downloads.download(gateway, screen, target, force=force)
            click.echo(target.target)
    _say_what_is_missing(screen, found)
    return ExitCode.SUCCEEDED


def _chosen(
    job: str, found: dict[str, Any], names: tuple[str, ...]
) -> list[tuple[dict[str, Any], str]]:
    """The artifacts that are wanted, each with the file that it becomes. Raises NotFound."""
    from cijob_cli.filenames import distinct_names  # noqa: PLC0415

    there = {str(one["name"]): one for one in found["artifacts"]}
    if unknown := [name for name in names if name not in there]:
        known = ", ".join(there) or "none"
        raise NotFound(f"job {job} has no artifact {unknown[0]!r}; it has: {known}")
    files = distinct_names([(name, str(one["file"])) for name, one in there.items()])
    return [(there[name], files[name]) for name in dict.fromkeys(names or there)]


def _say_what_is_missing(screen: Screen, found: dict[str, Any]) -> None:
    if found["message"]:
        screen.warn(f"missing: {found['message']}")
    elif not found["artifacts"]:
        screen.note("the job left no artifacts")
