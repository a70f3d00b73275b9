"""Times as the API server writes them, and back. Pure: nobody here asks what time it is."""

from datetime import UTC, datetime, timedelta


def parse_time(text: str | None) -> datetime | None:
    """A time of RFC 3339, with or without fractions of a second; None for none."""
    if not text:
        return None
    return datetime.fromisoformat(text).astimezone(UTC)


def format_time(moment: datetime) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_duration(length: timedelta) -> str:
    """A duration for people: `0s`, `72s`, `5m12s`, `2h5m`."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 120:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m" if minutes else f"{hours}h"


def later(moment: datetime, seconds: float) -> datetime:
    """`seconds` after `moment`."""
    return moment + timedelta(seconds=seconds)
