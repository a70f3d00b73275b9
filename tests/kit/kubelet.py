"""What a kubelet serves of a container's log: its rules for entries, `sinceTime` and partial lines.

After kubelet 1.34, cri-client/pkg/logs. Pure; `kit.logserver` puts it behind HTTP.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = 10**9


@dataclass(frozen=True)
class Entry:
    """One entry of the runtime's log file."""

    nanoseconds: int
    """Since EPOCH."""
    text: bytes
    """With its newline, unless the runtime cut the line here."""
    offset_minutes: int = 0
    """The node's time zone."""

    @property
    def timestamp(self) -> bytes:
        """As the kubelet writes it."""
        return stamp(self.nanoseconds, self.offset_minutes)


def stamp(nanoseconds: int, offset_minutes: int = 0) -> bytes:
    """RFC 3339 with nine digits, in a time zone."""
    seconds, rest = divmod(nanoseconds, SECOND)
    zone = timezone(timedelta(minutes=offset_minutes))
    there = (EPOCH + timedelta(seconds=seconds)).astimezone(zone).isoformat()
    offset = "Z" if offset_minutes == 0 else there[19:]
    return f"{there[:19]}.{rest:09d}{offset}".encode()


def nanoseconds(since: str) -> int:
    """A `sinceTime` as nanoseconds since EPOCH."""
    return int((datetime.fromisoformat(since) - EPOCH).total_seconds()) * SECOND


class Writer:
    """Writes entries as the kubelet does for one request."""

    def __init__(self, since: str | None = None) -> None:
        self._since = nanoseconds(since) if since else None
        self._new_line = True

    def write(self, entry: Entry) -> bytes:
        """What the kubelet sends for the next entry of the file."""
        first, self._new_line = self._new_line, entry.text.endswith(b"\n")
        if self._since is not None and entry.nanoseconds < self._since:
            return b""
        return entry.timestamp + b" " + entry.text if first else entry.text


def served(entries: Iterable[Entry], since: str | None = None) -> bytes:
    """What a request without `follow` gets of a file."""
    writer = Writer(since)
    return b"".join(map(writer.write, entries))
