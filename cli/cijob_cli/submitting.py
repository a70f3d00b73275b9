"""From the flags of submit and run to the end of the job. Called by these two."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cijob_cli.bodies import What, job_body, with_job_flags
from cijob_cli.exitcodes import ExitCode
from cijob_cli.options import FollowFlags, JobFlags
from cijob_cli.outcome import Start, print_job, refuse_contradictions, start_and_see
from cijob_cli.project import Project
from cijob_cli.reaching import reaching
from cijob_cli.screen import open_screen
from cijob_cli.settings import Settings, secret_values


@dataclass(frozen=True)
class Wish:
    """What the caller wants to run."""

    what: What
    folder: Path | None  # None: no source
    project: Project
    flags: JobFlags


def submit(wish: Wish, waiting: FollowFlags, settings: Settings) -> int:
    """Pack, post, upload what is missing, follow; the exit code."""
    refuse_contradictions(waiting, dry_run=wish.flags.dry_run)
    screen = open_screen(raw=waiting.raw, silent=not waiting.show_log)
    body = job_body(wish.what, wish.flags, wish.project, secret_values(wish.flags.secret_env))
    with ExitStack() as stack:
        # First: kubectl looks for the gateway while the source is packed.
        gateway = stack.enter_context(reaching(settings.in_project(wish.project.namespace)))
        if wish.what.clone and not wish.what.command:
            body = with_job_flags(body, wish.what, gateway.templates())
        from cijob_cli.submission import Submitter, packed  # noqa: PLC0415

        source = stack.enter_context(packed(wish.folder, screen)) if wish.folder else None
        submitter = Submitter(gateway, screen, body, source)
        if wish.flags.dry_run:
            print_job(submitter.check(), waiting.output or "yaml")
            return ExitCode.SUCCEEDED
        return start_and_see(gateway, screen, Start(submitter.create, submitter.opening), waiting)
