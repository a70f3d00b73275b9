"""Durations, sizes and times as people read and write them. Pure."""

import re
from datetime import UTC, datetime

from cijob_cli.errors import BadSetting

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> int:
    """Seconds of `90`, `90s`, `15m`, `2h` or `1h30m`. Raises BadSetting."""
    parts = re.findall(r"(\d+)([smhd]?)", text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text:
        raise BadSetting(f"'{text}' is not a duration; write 90, 90s, 15m or 2h")
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if seconds < 1:
        raise BadSetting(f"'{text}' is no time at all; write at least 1s")
    return seconds


def format_duration(seconds: float) -> str:
    """`0.8s`, `12s`, `3m5s`, `2h10m`, `4d3h`: two units at most; tenths only of a float."""
    if seconds < 10 and isinstance(seconds, float):
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    for unit, below, lower in (("d", 86400, 3600), ("h", 3600, 60), ("m", 60, 1)):
        if whole >= below:
            rest = whole % below // lower
            smaller = {3600: "h", 60: "m", 1: "s"}[lower]
            return f"{whole // below}{unit}" + (f"{rest}{smaller}" if rest else "")
    return f"{whole}s"


def format_bytes(size: int) -> str:
    """`812 B`, `1.2 MiB`: powers of 1024, as Kubernetes counts."""
    if size < 1024:
        return f"{size} B"
    number = float(size)
    for unit in ("KiB", "MiB"):
        number /= 1024
        if number < 1024:
            return f"{number:.1f} {unit}"
    return f"{number / 1024:.1f} GiB"


def counted(number: int, word: str) -> str:
    """`1 file`, `34 files`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def parse_time(text: str | None) -> datetime | None:
    """A time as Kubernetes writes it, or None for none or one that is malformed."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
