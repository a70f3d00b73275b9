"""Where in a log a reader begins: behind so many lines, or with a time. Used by readers."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from cijob_api.lines import LineId
from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import Corrupt
from cijob_gateway.logs.archivelogs import ArchivedLog
from cijob_gateway.logs.logitems import Batch, Item


@dataclass(frozen=True)
class Wish:
    """What a reader wants of a job's log."""

    after: LineId | None = None
    follow: bool = True
    attempt: int | None = None
    tail: int | None = None
    since: str = ""
    """A time, written as in a line's id."""


@dataclass
class Beginning:
    """What a reader does not want of the lines that come first."""

    skipped: int = 0
    """So many lines."""
    since: str = ""
    """All lines before the first of that time or a later one, written as in a line's id."""

    def take(self, batch: Batch) -> Batch | None:
        """What is wanted of the next lines."""
        if not (self.skipped or self.since):
            return batch
        start = min(self.skipped, len(batch.lines))
        self.skipped -= start
        if self.since:
            since, times = self.since.encode(), batch.timestamps
            found = (place for place in range(start, len(times)) if times[place] >= since)
            start = next(found, len(times))
        if start == len(batch.lines):
            return None
        self.since = ""
        return replace(batch, content=batch.content.part(start))


@dataclass(frozen=True)
class Tail:
    """Where the last lines of a log begin."""

    last: LineId | None
    """Behind this line,"""
    skipped: int
    """and so many more;"""
    line: int | None = None
    """or in the archive, with the line of this number."""


async def find_tail(
    count: int,
    archived: ArchivedLog | None,
    behind: Callable[[LineId | None], AsyncGenerator[Item]],
) -> Tail:
    """Find the last `count` lines: all are counted first, so that none need be kept.

    `behind` gives what the Pod has behind a line.
    """
    total, last = 0, None
    if archived:
        with suppress(Down, Corrupt):
            await archived.look()
            total, last = await archived.count(), await archived.last()
    newest, more = last, 0
    if archived is None or archived.end is None:
        async with aclosing(behind(last)) as items:
            async for item in items:
                if isinstance(item, Batch):
                    newest = item.last
                    more += len(item.lines)
    if count == 0:
        return Tail(newest, 0)
    first = max(total + more - count, 0)
    return Tail(None, 0, first) if first < total else Tail(last, first - total)
