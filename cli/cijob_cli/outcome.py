"""Sees a job through to its end and makes the exit code of it. Called by the commands.

Ways to wait: with the log (the default), without it, or not at all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cijob_api.reasons import Phase
from cijob_cli.answers import SHOWN, Answer, read_answer
from cijob_cli.errors import CIError, Unusable
from cijob_cli.events import End
from cijob_cli.exitcodes import ExitCode, code_of_end
from cijob_cli.follow import Following, Opening, follow
from cijob_cli.gateway import Gateway, Job
from cijob_cli.interrupts import leaving
from cijob_cli.jobs import view
from cijob_cli.options import FollowFlags
from cijob_cli.output import print_jobs, print_object
from cijob_cli.screen import Screen
from cijob_cli.units import format_duration
from cijob_cli.watching import watching_events


@dataclass(frozen=True)
class Start:
    """How a job is made: at once, or as the beginning of a stream."""

    create: Callable[[], Job]
    opening: Opening


def refuse_contradictions(waiting: FollowFlags, *, dry_run: bool = False) -> None:
    """Raises Unusable for flags that cannot go together."""
    if waiting.json_events and (waiting.leave or not waiting.show_log):
        raise Unusable("--json-events goes with neither --async nor --no-follow")
    if waiting.output and not (dry_run or waiting.leave or not waiting.show_log):
        raise Unusable("-o needs --dry-run, --async or --no-follow: stdout has the log")


def print_job(job: Job, form: str) -> None:
    """One job on stdout."""
    if form == "name":
        print_jobs([job], form, datetime.now(UTC))
    else:
        print_object(job, form)


def start_and_see(gateway: Gateway, screen: Screen, start: Start, waiting: FollowFlags) -> int:
    """Start a job and wait as the flags say; the exit code."""
    if waiting.leave:
        print_job(start.create(), waiting.output or "name")
        return ExitCode.SUCCEEDED
    began = time.monotonic()
    if waiting.json_events:
        following = Following(screen, whole=False, job=start.create())
        end = see(gateway, following, watching_events(gateway, []))
    else:
        following = Following(screen)
        end = see(gateway, following, start.opening)
    if waiting.output and following.name:
        print_job(gateway.job(following.name), waiting.output)
    took = time.monotonic() - began
    return conclude(gateway, following, end, took=took, own_code=waiting.exit_code_from_job)


def see(gateway: Gateway, following: Following, opening: Opening) -> End:
    """Follow to the end; Ctrl-C leaves."""
    with leaving(following.screen, lambda: following.name, gateway.cancel):
        return follow(
            opening,
            following,
            reopen=gateway.connection.address.reopen,
            pause=gateway.transport.pause,
        )


def conclude(
    gateway: Gateway, following: Following, end: End, *, took: float | None, own_code: bool
) -> int:
    """What broke, the last words, and the exit code."""
    missing = following.missing(end)
    name, screen = following.name or "JOB", following.screen
    if missing:
        screen.warn(f"{missing}; read it again: {screen.command('logs', name)}")
    answer = read_answer(gateway.outcome(name, SHOWN))
    screen.answer(answer, screen.command("get", name))
    screen.end(
        end,
        answer,
        took="" if took is None else format_duration(took),
        following=screen.command(_next(end, answer), name),
    )
    code = code_of_end(end.phase, end.reason)
    if own_code and code == ExitCode.FAILED and end.exit_code:
        return end.exit_code
    return code


def ran_for(gateway: Gateway, name: str) -> int | None:
    """How long a finished job ran, in seconds, if that can be said."""
    try:
        job = view(gateway.job(name))
    except CIError:
        return None
    if job.started is None or job.ended is None:
        return None
    return round((job.ended - job.started).total_seconds())


def _next(end: End, answer: Answer) -> str:
    """The command that a person is likely to want now."""
    if end.phase == Phase.SUCCEEDED:
        return "logs"
    if end.phase == Phase.ERROR:
        return "get"
    return "retry --failed" if answer.can_retry_failed else "retry"
