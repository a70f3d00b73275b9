"""Why the agent ends without a workspace; the reason is the operator's word for it.

AgentError             AgentFailed: the platform's own failure
├── BadSetting         the operator gave an environment that cannot be used
├── SourceNotFound     the archive is gone: submit again
├── SourceRejected     the archive is not what was promised, or hostile: its maker must act
├── SourceTooLarge     it breaks a limit: make it smaller, or raise the job's limit
└── SourceUnreachable  the gateway did not answer in time: another attempt may
"""


class AgentError(Exception):
    """The agent cannot go on; the message is what the user reads."""

    reason = "AgentFailed"


class BadSetting(AgentError):
    """An environment variable is missing or has a value that cannot be used."""


class SourceNotFound(AgentError):
    """The gateway has no archive for this job."""

    reason = "SourceNotFound"


class SourceRejected(AgentError):
    """The archive is broken, hostile, or not the one that was submitted."""

    reason = "SourceRejected"


class SourceTooLarge(AgentError):
    """The archive has more entries or bytes than this job may unpack."""

    reason = "SourceTooLarge"


class SourceUnreachable(AgentError):
    """The gateway could not be reached, or did not serve the archive, in time."""

    reason = "SourceUnreachable"
