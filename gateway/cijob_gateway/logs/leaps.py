"""Where whole files of a log may have been left out, unsaid. Used by podlogs.py and the archiver.

Pure.

The kubelet gives a follower one file to its end and then the newest one. Who reads so slowly that
the log was rotated twice meanwhile never sees the file between, and is not told: the lines just go
on later. It may even be given the newest file twice, once for each rotation. Two things together
show it. The last line before was read later than it was written, at least by the time between two
rotations: else the follow was at its file's end before the second one. And the next line is younger
than it by as much. Either alone is nothing: a reader who is slow, or a job that was silent.

The node's clock is compared with ours: clocks that are apart by seconds cost reads that were not
necessary, or let a leap pass.
"""

from datetime import datetime

from cijob_api.lines import LineId, Lines, seconds_between

# The kubelet refuses a containerLogMonitorInterval below this.
ROTATION_SECONDS = 3.0
# A log that is opened so soon after its container's start is read from its first line.
SOON_SECONDS = 5.0


class Pulse:
    """When the lines of one follow were written, and when they were read."""

    def __init__(self, after: LineId | None) -> None:
        """Of a follow that begins behind a line, or at the start."""
        self._last = after.timestamp if after else ""
        self._read_at: datetime | None = None

    def leaps(self, lines: Lines, now: datetime, *, found: bool) -> list[int]:
        """Which of these lines, read now, may not come right behind the line before them.

        `found`: the follow has come by the line that it begins behind.
        """
        read_at = self._read_at or now
        positions = leaps(self._last, read_at, lines, now)
        if lines:
            self._last = lines.timestamps[-1].decode()
        if lines or found:
            self._read_at = now if lines else read_at
        return positions


def leaps(last: str, read_at: datetime, lines: Lines, now: datetime) -> list[int]:
    """The positions of the lines behind leaps; the line `last` was read at `read_at`."""
    if not lines:
        return []
    before = last or lines.timestamps[0].decode()
    if seconds_between(before, lines.timestamps[-1].decode()) < ROTATION_SECONDS:
        return []  # nearly always so, and fast
    found = []
    for position, timestamp in enumerate(lines.timestamps):
        this, at = timestamp.decode(), now if position else read_at
        if this[:19] != before[:19] and _is_leap(before, this, at):
            found.append(position)
        before = this
    return found


def may_lack_beginning(started: str, opened: datetime, first: str) -> bool:
    """Whether there may have been lines before the first one that was found.

    The node keeps the newest file only: a log that is opened late may have had others. Of a
    container that was silent at first the same is said.
    """
    begun = f"{started[:19]}.000000000Z"
    late = min(seconds_between(begun, _stamp(opened)), seconds_between(begun, first))
    return late > SOON_SECONDS


def _is_leap(before: str, this: str, read_at: datetime) -> bool:
    is_late = seconds_between(before, _stamp(read_at)) >= ROTATION_SECONDS
    return is_late and seconds_between(before, this) >= ROTATION_SECONDS


def _stamp(moment: datetime) -> str:
    """As timestamps are written."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z"
