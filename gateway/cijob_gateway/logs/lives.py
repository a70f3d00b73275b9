"""A follow of a log on its way, and what is known of it. Used by podlogs.py; asks nobody."""

from dataclasses import dataclass, field
from typing import Self

from cijob_api.lines import LineId, Lines
from cijob_gateway.logs.leaps import Pulse
from cijob_gateway.logs.readings import Reading, Steps


@dataclass
class Live:
    """A follow."""

    reading: Reading
    steps: Steps
    after: LineId | None
    """The line that it began behind; None: it began where its file does."""
    over: bool = False
    """It is not to be read on."""
    told: bool = False
    """The log was read to its end beside it."""
    hears: bool = False
    """It waits at the end of the newest file, so it is told of newer ones."""
    silences: int = 0
    """How often in a row it was silent for long."""
    pulse: Pulse = field(init=False)
    came: int = field(default=0, init=False)
    """Bytes."""

    def __post_init__(self) -> None:
        self.pulse = Pulse(self.after)

    @classmethod
    def open(cls, reading: Reading, after: LineId | None) -> Self:
        """Begin to read."""
        return cls(reading, Steps(reading.lines()), after)

    def come(self, lines: Lines) -> None:
        """Lines came."""
        self.silences = 0
        self.came += sum(map(len, lines.texts))
