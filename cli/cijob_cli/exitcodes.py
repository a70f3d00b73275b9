"""What the exit code of `ci` says. Used by main, which ends the program, and by the commands."""

from enum import IntEnum

from cijob_api.reasons import Phase, Reason


class ExitCode(IntEnum):
    """The exit codes, all of them."""

    SUCCEEDED = 0
    FAILED = 1  # the job's command said no
    USAGE = 2  # what was asked cannot be done as it was asked
    PLATFORM = 3  # the platform could not run the job, or a bug
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    CANCELLED = 6
    UNREACHABLE = 7  # no gateway, or it is not ready: try again later
    TIMED_OUT = 124  # the job, or `ci wait --timeout`; as coreutils' timeout
    INTERRUPTED = 130
    BROKEN_PIPE = 141  # as a shell reports a program that SIGPIPE ended


_BY_PHASE: dict[str, ExitCode] = {
    Phase.SUCCEEDED: ExitCode.SUCCEEDED,
    Phase.FAILED: ExitCode.FAILED,
    Phase.ERROR: ExitCode.PLATFORM,
    Phase.CANCELLED: ExitCode.CANCELLED,
}


def code_of_end(phase: str, reason: str) -> ExitCode:
    """The exit code for a job that ended so; a phase that is unknown here is the platform's."""
    if phase == Phase.FAILED and reason == Reason.TIMED_OUT:
        return ExitCode.TIMED_OUT
    return _BY_PHASE.get(phase, ExitCode.PLATFORM)
