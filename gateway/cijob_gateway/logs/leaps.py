"""Where a follow may have left out a whole file of a log. Used by podlogs.py; pure.

The kubelet gives a follower one file to its end and then the newest one. Who reads so slowly that
the log was rotated twice meanwhile never sees the file between, and is not told: the lines just go
on later. Two things together show it. The last line before was read later than it was written, at
least by the time between two rotations: else the follow was at its file's end before the second
one. And the next line is younger than it by as much. Either alone is nothing: a reader who is slow,
or a job that was silent.

The node's clock is compared with ours: clocks that are apart by seconds cost reads that were not
necessary, or let a leap pass.
"""

from datetime import datetime

from cijob_api.lines import LineId, Lines, seconds_between

# The kubelet refuses a containerLogMonitorInterval below this.
ROTATION_SECONDS = 3.0


class Pulse:
    """When the lines of one follow were written, and when they were read."""

    def __init__(self, after: LineId | None) -> None:
        """Of a follow that begins behind a line, or at the start."""
        self._last = after.timestamp if after else ""
        self._read_at: datetime | None = None

    def sure(self, lines: Lines, now: datetime, *, found: bool) -> int:
        """How many of these lines, read now, surely come right behind the line before them.

        `found`: the follow has come by the line that it begins behind.
        """
        read_at = self._read_at or now
        count = before_leap(self._last, read_at, lines, now)
        if lines:
            self._last = lines.timestamps[-1].decode()
        if lines or found:
            self._read_at = now if lines else read_at
        return count


def before_leap(last: str, read_at: datetime, lines: Lines, now: datetime) -> int:
    """How many lines there are before the first leap; `last` was read at `read_at`."""
    if not lines:
        return 0
    before = last or lines.timestamps[0].decode()
    if seconds_between(before, lines.timestamps[-1].decode()) < ROTATION_SECONDS:
        return len(lines)  # nearly always so, and fast
    for position, timestamp in enumerate(lines.timestamps):
        this, at = timestamp.decode(), now if position else read_at
        if this[:19] != before[:19] and _is_leap(before, this, at):
            return position
        before = this
    return len(lines)


def _is_leap(before: str, this: str, read_at: datetime) -> bool:
    present = f"{read_at:%Y-%m-%dT%H:%M:%S}.{read_at.microsecond:06d}000Z"
    is_late = seconds_between(before, present) >= ROTATION_SECONDS
    return is_late and seconds_between(before, this) >= ROTATION_SECONDS
