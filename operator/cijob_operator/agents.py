"""What the agent beside a job says of itself, read from its termination message. Pure.

Used by `podviews`. The agent rewrites the message at every stage, so that it is there after
SIGKILL, too: `{"stage": "unpack", "reason": "SourceRejected", "message": "…"}`; once it knows the
commit of a git source, with `commit`, and once it knows how long the job's container has waited for
its workspace, with `waitedSeconds`. It handles other people's archives, and may have been killed
while it wrote: nothing here is trusted to be whole.
"""

import json
import re
from dataclasses import dataclass

from cijob_api.reasons import Reason

# From then on the job's command runs, and the job keeps its own verdict.
READY_STAGES = frozenset({"ready", "collect", "done"})
REASONS = frozenset(
    {
        Reason.SOURCE_NOT_FOUND,
        Reason.SOURCE_REJECTED,
        Reason.SOURCE_TOO_LARGE,
        Reason.SOURCE_UNREACHABLE,
        Reason.GIT_AUTH_FAILED,
        Reason.GIT_REF_NOT_FOUND,
        Reason.GIT_HOST_KEY,
        Reason.AGENT_FAILED,
    }
)
WORDS_LENGTH = 800
MOST_SECONDS = 2**31


@dataclass(frozen=True)
class AgentReport:
    """How far the agent came, and why it went no further."""

    stage: str = ""
    reason: Reason | None = None  # one of REASONS
    words: str = ""
    commit: str = ""  # the full name of what was checked out, when it was
    waited: float | None = None  # how many seconds the job waited for it, when it was ready

    @property
    def was_ready(self) -> bool:
        """Whether the workspace was complete."""
        return self.stage in READY_STAGES


def read_report(message: str) -> AgentReport:
    """Read a termination message; what is no report of an agent becomes its words."""
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return AgentReport(words=_plain(message))
    if not isinstance(said, dict):
        return AgentReport(words=_plain(message))
    reason, words = str(said.get("reason") or ""), str(said.get("message") or "")
    known = Reason(reason) if reason in REASONS else None
    told = words if known else ": ".join(part for part in (reason, words) if part)
    return AgentReport(
        stage=_plain(said.get("stage")),
        reason=known,
        words=_plain(told),
        commit=_commit(said.get("commit")),
        waited=_seconds(said.get("waitedSeconds")),
    )


def _commit(said: object) -> str:
    return str(said) if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", str(said)) else ""


def _seconds(said: object) -> float | None:
    if not isinstance(said, int | float) or isinstance(said, bool):
        return None
    return float(said) if 0 <= said < MOST_SECONDS else None


def _plain(text: object) -> str:
    """A text without control characters: file names of an archive may hold any."""
    shown = "".join(c if c.isprintable() else " " for c in str(text or "")[:WORDS_LENGTH])
    return " ".join(shown.split())
