"""Places in the queue, as people read them. Pure; called by the commands and the screen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cijob_cli.units import counted, format_duration

POOL_HEADINGS = ("POOL", "RUNNING", "PLACES", "QUEUED", "WAIT")
PLACE_HEADINGS = ("NAMESPACE", "NAME", "POOL", "AHEAD", "WAIT", "WHY")


@dataclass(frozen=True)
class Place:
    """Where a queued job stands."""

    position: int | None
    pool: str
    seconds: int | None
    message: str
    limit: str = ""
    """Whose limit it waits for, if not for a place: then that is its line."""

    def words(self) -> str:
        """In a few words: `2 jobs ahead in pool default, about 15m`."""
        if self.position is None or self.seconds is None:
            return self.message
        ahead = "next" if self.position == 1 else f"{counted(self.position - 1, 'job')} ahead"
        wait = f"about {format_duration(self.seconds)}" if self.seconds else "now"
        if self.limit:
            return f"{self.message}; {ahead}, {wait}"
        return f"{ahead} in pool {self.pool}, {wait}"

    def is_news(self, before: "Place | None") -> bool:
        """Whether it is worth a line: half the way, the front, another pool, in line or not."""
        if before is None or (self.position is None) != (before.position is None):
            return True
        if self.position is None or before.position is None:
            return self.message != before.message
        nearer = self.position <= before.position // 2
        return nearer or (self.pool, self.limit) != (before.pool, before.limit)


def read_place(data: Mapping[str, Any]) -> Place:
    """A place, from the queue or from an event `queue`."""
    return Place(
        data.get("position"),
        data.get("pool") or "",
        data.get("waitSeconds"),
        data.get("message") or "",
        data.get("limit") or "",
    )


def short(place: Place) -> str:
    """For a column: `2 ahead, ~10m`; empty for a job that is in no line."""
    if place.position is None or place.seconds is None:
        return ""
    ahead = "next" if place.position == 1 else f"{place.position - 1} ahead"
    return f"{ahead}, ~{format_duration(place.seconds)}"


def pool_cells(pool: Mapping[str, Any]) -> tuple[str, ...]:
    """The row of a pool."""
    numbers = (str(pool[name]) for name in ("running", "places", "queued"))
    return (pool["name"], *numbers, _wait(pool["waitSeconds"]))


def place_cells(job: Mapping[str, Any]) -> tuple[str, ...]:
    """The row of a queued job."""
    ahead = "" if job["ahead"] is None else str(job["ahead"])
    return (
        job["namespace"],
        job["name"],
        job["pool"] or "",
        ahead,
        _wait(job["waitSeconds"]),
        job["message"],
    )


def _wait(seconds: int | None) -> str:
    return "" if seconds is None else format_duration(seconds)
