"""Why the agent ends without a workspace; the reason is the operator's word for it.

AgentError             AgentFailed: the platform's own failure
├── BadSetting         the operator gave an environment that cannot be used
├── SourceNotFound     the archive is gone: submit again
├── SourceRejected     the archive is not what was promised, or hostile: its maker must act
├── SourceTooLarge     it breaks a limit: make it smaller, or raise the job's limit
├── SourceUnreachable  the gateway or git server did not answer in time: another attempt may
├── GitAuthFailed      the git server wants other credentials
├── GitRefNotFound     the repository has no such branch, tag or commit
└── GitHostKey         the git server cannot prove that it is the one that is meant
"""


class AgentError(Exception):
    """The agent cannot go on; the message is what the user reads."""

    reason = "AgentFailed"


class BadSetting(AgentError):
    """An environment variable is missing or has a value that cannot be used."""


class SourceNotFound(AgentError):
    """The gateway has no archive for this job, or the git server no such repository."""

    reason = "SourceNotFound"


class SourceRejected(AgentError):
    """The source is broken, hostile, or not the one that was submitted."""

    reason = "SourceRejected"


class SourceTooLarge(AgentError):
    """The source has more entries or bytes than this job may unpack."""

    reason = "SourceTooLarge"


class SourceUnreachable(AgentError):
    """The gateway or git server could not be reached, or did not serve the source, in time."""

    reason = "SourceUnreachable"


class GitAuthFailed(AgentError):
    """The git server refused the credentials, or wants some."""

    reason = "GitAuthFailed"


class GitRefNotFound(AgentError):
    """The repository has no such branch, tag or commit."""

    reason = "GitRefNotFound"


class GitHostKey(AgentError):
    """The git server's host key or certificate is not one that is trusted."""

    reason = "GitHostKey"
