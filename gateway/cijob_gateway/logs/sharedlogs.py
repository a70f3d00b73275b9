"""One live follow of an attempt's log, for any number of readers.

Used by follows.py. The last lines are kept once for all readers, each of whom has nothing but a
place among them: a reader that is slow misses its place when the lines there are dropped, and costs
nobody memory or time. It then reads the log by itself and takes a seat again, by line id.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from cijob_api.lines import LineId
from cijob_gateway.logs.joinedlogs import JoinedLog
from cijob_gateway.logs.logitems import Batch, Gap
from cijob_gateway.logs.readings import stop

# Of one log, and of all that are followed at the same time.
KEEP_BYTES = 4 * 1024 * 1024
KEEP_BYTES_OF_ALL = 64 * 1024 * 1024


@dataclass
class Kept:
    """How much memory the last lines may take."""

    of_one: int = KEEP_BYTES
    of_all: int = KEEP_BYTES_OF_ALL
    logs: int = 0
    """How many there are."""

    @property
    def share(self) -> int:
        """How much of it each log may take now, in bytes."""
        return min(self.of_one, self.of_all // max(self.logs, 1))


@dataclass
class Seat:
    """A reader's place among what is kept."""

    number: int
    """Which item is its next, counted from the first that the follow ever gave."""
    rest: Batch | None = None
    """What it has not seen of the item before that."""


class SharedLog:
    """A follow and the last lines that it gave."""

    def __init__(self, log: JoinedLog, *, kept: Kept, wake: Callable[[], None]) -> None:
        self.readers = 0
        self.closed = False
        """Nothing more comes; `failed` says if that is not the log's end."""
        self.failed: BaseException | None = None
        self.first = 0
        """The number of the oldest item that is kept."""
        self._base = log.last
        self._log = log
        self._kept = kept
        self._wake = wake
        self._items: deque[Batch | Gap] = deque()
        self._bytes = 0
        self._task = asyncio.create_task(self._pump())
        kept.logs += 1

    @property
    def refused(self) -> str:
        """Why the log could not be read to its end, in words; empty if it could."""
        return self._log.refused

    @property
    def away(self) -> str:
        """Why the archive could not be asked for more, in words; empty if it could."""
        return self._log.away

    @property
    def next(self) -> int:
        """The number that the next item will have."""
        return self.first + len(self._items)

    def at(self, number: int) -> Batch | Gap | None:
        """The item of that number; None if it has not come yet, or is kept no more."""
        position = number - self.first
        return self._items[position] if 0 <= position < len(self._items) else None

    def seat(self, last: LineId | None) -> Seat | None:
        """The place behind a line, or before the first one; None if that is not kept."""
        if self.first == 0 and last == self._base:
            return Seat(0)
        if last is None:
            return None
        for number in range(self.next - 1, self.first - 1, -1):
            item = self._items[number - self.first]
            if isinstance(item, Batch) and (place := item.content.position(last)) is not None:
                rest = item.content.part(place + 1)
                return Seat(number + 1, Batch(item.attempt, rest) if rest else None)
        return None

    async def aclose(self) -> None:
        """End the follow."""
        self._kept.logs -= 1
        await stop(self._task)

    async def _pump(self) -> None:
        try:
            async with aclosing(self._log.follow()) as items:
                async for item in items:
                    self._add(item)
        except Exception as error:  # told to every reader, who raises it
            self.failed = error
        finally:
            self.closed = True
            self._wake()

    def _add(self, item: Batch | Gap) -> None:
        self._items.append(item)
        self._bytes += _cost(item)
        while self._bytes > self._kept.share and len(self._items) > 1:
            self._bytes -= _cost(self._items.popleft())
            self.first += 1
        self._wake()


def _cost(item: Batch | Gap) -> int:
    return item.cost if isinstance(item, Batch) else 0
