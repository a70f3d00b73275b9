"""What can go wrong, and the exit code of each.

    CIError
    ├── Unusable            the caller: what was asked cannot be done as it was asked
    │   ├── BadSetting      the caller: a flag, a variable or a settings file
    │   ├── SourceRefused   the caller: the directory cannot be submitted as it is
    │   └── TooLarge        the caller: the gateway's limit for sources
    ├── NotAllowed          whoever gives rights
    │   └── Unauthenticated the caller: no login, or it has run out
    ├── NotFound            the caller
    ├── Unreachable         the network, or whoever runs the gateway; later it may work
    │   ├── Cut             nobody: the connection broke, try again
    │   └── Unavailable     nobody: the gateway said to try again
    ├── Rejected            whoever runs the gateway: an answer that nobody expects
    ├── SourceMissing       nobody: upload, then post again
    ├── LogIncomplete       nobody: lines are missing
    ├── Damaged             whoever runs the gateway: bytes are not those that were stored
    └── WaitTimedOut        the caller, who set that limit

A message is a fact, a number where there is one, and the next step.
"""

from cijob_cli.exitcodes import ExitCode


class CIError(Exception):
    """Anything that `ci` says instead of a traceback."""


class Unusable(CIError):
    """What was asked cannot be done as it was asked."""


class BadSetting(Unusable):
    """A flag, an environment variable or a settings file has a value that cannot be used."""


class SourceRefused(Unusable):
    """The directory cannot be submitted as it is."""


class TooLarge(Unusable):
    """The source is over the gateway's limit, which is `limit_bytes` if it was told."""

    def __init__(self, message: str, limit_bytes: int | None = None) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes


class NotAllowed(CIError):
    """The caller may not do this."""


class Unauthenticated(NotAllowed):
    """The gateway does not know who is calling."""


class NotFound(CIError):
    """There is no such thing."""


class Unreachable(CIError):
    """The gateway cannot be reached, or is not ready."""


class Cut(Unreachable):
    """The connection broke, or could not be made."""


class Unavailable(Unreachable):
    """The gateway is there and cannot answer now; it said when to ask again, in seconds."""

    def __init__(self, message: str, retry_after: float = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Rejected(CIError):
    """The gateway gave an answer that is of no use."""


class SourceMissing(CIError):
    """The gateway does not have the archive that the job names."""


class LogIncomplete(CIError):
    """Lines of the log are missing."""


class Damaged(CIError):
    """An artifact's bytes are not those that were stored."""


class WaitTimedOut(CIError):
    """The time that the caller gave is over; the job goes on."""


# The first that fits: the special before the general.
EXIT_CODES: dict[type[CIError], ExitCode] = {
    Unusable: ExitCode.USAGE,
    NotAllowed: ExitCode.NOT_ALLOWED,
    NotFound: ExitCode.NOT_FOUND,
    Unreachable: ExitCode.UNREACHABLE,
    WaitTimedOut: ExitCode.TIMED_OUT,
    CIError: ExitCode.PLATFORM,
}


def exit_code(error: CIError) -> ExitCode:
    """The exit code for an error that ends the program."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
