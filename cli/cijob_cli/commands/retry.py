"""`ci retry`: run a job again, with the same source and nothing uploaded."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from cijob_cli.options import FollowFlags, connection_options, follow_options, job_argument
from cijob_cli.reaching import reaching
from cijob_cli.screen import open_screen
from cijob_cli.settings import Settings, secret_values

if TYPE_CHECKING:
    from cijob_cli.events import Event
    from cijob_cli.follow import Following


@click.command(name="retry")
@job_argument
@click.option("--failed", is_flag=True, help="Only the tests that failed (pytest).")
@click.option("--name", help="Name of the new job (default: made of the template's).")
@click.option("--secret-env", multiple=True, metavar="NAME", help="Secret variable, from yours.")
@follow_options
@connection_options
def retry_command(
    job: str,
    *,
    failed: bool,
    name: str | None,
    secret_env: tuple[str, ...],
    waiting: FollowFlags,
    settings: Settings,
) -> int:
    """Run JOB again as a new job: the same source, nothing is uploaded. Follows as `ci submit`.

    JOB is a name, or how it begins or ends. Secret variables are not kept: give them again.

    With --failed the new job runs only the tests that failed in JOB, as its reports have them. JOB
    is one of template `test`, or its command is pytest and its reports name the tests' files
    (-o junit_family=xunit1).
    """
    secrets = secret_values(secret_env)
    said = {"name": name, "secrets": secrets, "failed": failed}
    body = {key: value for key, value in said.items() if value}
    screen = open_screen(raw=waiting.raw, silent=not waiting.show_log)
    with reaching(settings) as gateway:
        from cijob_cli.gateway import Submission  # noqa: PLC0415
        from cijob_cli.lookup import find_job  # noqa: PLC0415
        from cijob_cli.outcome import Start, refuse_contradictions, start_and_see  # noqa: PLC0415
        from cijob_cli.submission import new_key  # noqa: PLC0415

        refuse_contradictions(waiting)
        old = find_job(gateway, job)["metadata"]["name"]
        submission = Submission(body, new_key())

        def opening(following: "Following") -> "AbstractContextManager[Iterator[Event]]":
            if following.name:
                return gateway.follow(following.name, [], following.last_id)
            return gateway.retry_and_follow(old, submission)

        start = Start(lambda: gateway.retry(old, submission), opening)
        return start_and_see(gateway, screen, start, waiting)
