"""What can go wrong, each with the words for the person who must act.

ClusterError
├── Missing      something this machine lacks; says how to get it
├── Refused      the request conflicts with what is there
├── NotFound     no such cluster, component or image
└── TimedOut     something did not come up; names the log to read
"""

from pathlib import Path


class ClusterError(Exception):
    """A failure that is explained in one line, without a stack trace."""


class Missing(ClusterError):
    """A requirement of this machine is not there."""


class Refused(ClusterError):
    """The request conflicts with what already runs."""


class NotFound(ClusterError):
    """No cluster, component or image has that name."""


class TimedOut(ClusterError):
    """A part of the cluster did not become ready before its deadline; `log` may tell why."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log
