"""Where in a job's life an event stands, as its id says. Used by jobevents.py. Pure.

    queued, started.1, lines of attempt 1 and gaps, retrying.1, started.2, …, finished

A gap is named after the line that it stands behind, or after its attempt if that had no line yet:
so whoever had it goes on there, whether or not it is told again.
"""

import sys
from dataclasses import dataclass

from cijob_api.lines import LineId

_STARTED, _GAP, _LINE, _RETRYING = range(4)


@dataclass(frozen=True)
class EventPlace:
    """A place; one that has a line is behind that line."""

    rank: tuple[int, int, int]
    """The attempt, the kind of event, the number of the gap."""
    line: LineId | None = None

    @classmethod
    def parse(cls, text: str) -> "EventPlace":
        """Read the end of an event's id. Raises ValueError."""
        kind, _, rest = text.partition(".")
        if text == "queued":
            return cls((0, 0, 0))
        if text == "finished":
            return cls((sys.maxsize, 0, 0))
        if kind in {"started", "retrying"}:
            return cls((int(rest), _STARTED if kind == "started" else _RETRYING, 0))
        if kind == "gap":
            behind, _, number = rest.rpartition(".")
            if behind.isdecimal():
                return cls((int(behind), _GAP, int(number)))
            return cls._behind(behind, int(number))
        return cls._behind(text, 0)

    @classmethod
    def _behind(cls, text: str, gap: int) -> "EventPlace":
        line = LineId.parse(text)
        return cls((line.attempt, _LINE, gap), line)

    def covers(self, other: "EventPlace") -> bool:
        """Whether who is here had that one, in a stream that begins behind `line` if it has one."""
        if self.line:
            return other.line == self.line and other.rank <= self.rank
        return other.rank <= self.rank
