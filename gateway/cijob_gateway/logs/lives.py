"""A follow of a log on its way, and what is known of it. Used by podlogs.py; asks nobody."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

from cijob_api.lines import LineId
from cijob_gateway.logs.leaps import Pulse
from cijob_gateway.logs.readings import Reading, Steps, stop


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
    hearings: int = 0
    """How often it was heard out."""
    pulse: Pulse = field(init=False)
    came: int = field(default=0, init=False)
    """Bytes."""

    caught_up: asyncio.Task[None] | None = field(default=None, init=False)
    """Done when the container has ended and the follow has fallen silent."""

    def __post_init__(self) -> None:
        self.pulse = Pulse(self.after)

    @classmethod
    def open(cls, reading: Reading, after: LineId | None) -> Self:
        """Begin to read."""
        return cls(reading, Steps(reading.lines()), after)

    def come(self, size: int) -> None:
        """Lines of so many bytes came."""
        self.silences = 0
        self.came += size

    def hear_out(self, ended: asyncio.Event, seconds: float) -> None:
        """Wait for the container's end and so long a silence; twice as long each time."""
        self.caught_up = asyncio.create_task(
            self.steps.caught_up(ended, seconds * 2**self.hearings)
        )
        self.hearings += 1

    async def aclose(self) -> None:
        """Stop in the middle; nothing is left behind."""
        if self.caught_up:
            await stop(self.caught_up)
        await self.steps.aclose()
