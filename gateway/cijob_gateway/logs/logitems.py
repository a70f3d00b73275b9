"""What a follower of a job's log is given, and the count of what was given.

Made by podlogs.py and follows.py, written to clients by the HTTP layer. Plain data.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from cijob_api.lines import LineId, Lines
from cijob_api.objects import CIJob

BATCH_BYTES = 64 * 1024
# What a line costs in memory beyond its bytes: timestamp, number and their headers.
_LINE_COST = 150


@dataclass(frozen=True, eq=False)
class Batch:
    """Lines that came together. Readers of one log share the object: what is made of it once
    serves all of them.
    """

    attempt: int
    content: Lines

    @property
    def last(self) -> LineId:
        """The id of the last line."""
        return self.content.id_of(-1, self.attempt)

    @property
    def lines(self) -> tuple[bytes, ...]:
        """The lines, each with its newline if it had one."""
        return self.content.texts

    @property
    def timestamps(self) -> tuple[bytes, ...]:
        """The time of each line: UTC, nine digits."""
        return self.content.timestamps

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes, roughly."""
        return sum(map(len, self.lines)) + _LINE_COST * len(self.lines)


@dataclass(frozen=True)
class State:
    """Where the job is now."""

    phase: str
    reason: str | None
    message: str | None
    attempt: int | None

    @classmethod
    def of(cls, job: CIJob) -> "State":
        """What a job's status says."""
        status = job.status
        number = status.attempts[-1].number if status.attempts else None
        return cls(status.phase.value, status.reason, status.message, number)


@dataclass(frozen=True)
class Closed:
    """An attempt's log was given to its end."""

    attempt: int


@dataclass(frozen=True)
class Gap:
    """Lines are missing here, or may be."""

    message: str


def lost(last: LineId | None) -> Gap:
    """The gap behind a line that nobody can read on from."""
    return Gap(
        f"line {last} is not in the log any more, as the node keeps the newest file only; lines are"
        " missing here"
    )


@dataclass(frozen=True)
class End:
    """Nothing more comes."""

    phase: str
    reason: str | None
    message: str | None
    exit_code: int | None
    lines: int | None
    """How many lines were given; None when the reader did not begin at the start."""
    bytes: int | None
    sha256: str | None
    """Of the job's own bytes, without timestamps."""
    complete: bool
    """The job has ended, and every line behind the reader's beginning was given."""

    @classmethod
    def of(cls, job: CIJob, tally: "Tally | None", *, message: str | None, complete: bool) -> "End":
        """The end of a job's stream, and what was counted of it."""
        return cls(
            phase=job.status.phase.value,
            reason=job.status.reason,
            message=message,
            exit_code=job.status.exit_code,
            lines=tally.lines if tally else None,
            bytes=tally.bytes if tally else None,
            sha256=tally.sha256 if tally else None,
            complete=complete,
        )


Item = Batch | State | Closed | Gap | End


@dataclass
class Tally:
    """Counts what a reader was given."""

    lines: int = 0
    bytes: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        content = b"".join(batch.lines)
        self.lines += len(batch.lines)
        self.bytes += len(content)
        self._digest.update(content)

    @property
    def sha256(self) -> str:
        """The digest of all that was counted, in hex."""
        return self._digest.hexdigest()


def batches(lines: Lines, attempt: int) -> Iterator[Batch]:
    """Lines in batches of at most 64 KiB; a longer line is a batch of its own."""
    ends = list(accumulate(map(len, lines.texts)))
    start = 0
    while start < len(lines):
        before = ends[start - 1] if start else 0
        end = max(bisect_right(ends, before + BATCH_BYTES), start + 1)
        yield Batch(attempt, lines.part(start, end))
        start = end
