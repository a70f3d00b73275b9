"""An attempt's log from its Pod, with what the Pod does not have any more from the archive.

Used by readers and by the follow that they share, in place of a PodLog. The node keeps the newest
file of a log only: where a reader's last line is gone from it, the archive has what is between, or
will have it in a moment, as the archiver is some seconds behind. Only what neither has is a gap.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Self

from cijob_api.lines import LineId
from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import Corrupt
from cijob_gateway.logs.archivelogs import ArchivedLog
from cijob_gateway.logs.logitems import Batch, Gap
from cijob_gateway.logs.podlogs import PodLog

# How often the archive is asked for what comes behind a line, with a pause of the log's between.
FILL_TRIES = 12
Way = Callable[[PodLog], AsyncGenerator[Batch | Gap]]


class JoinedLog:
    """A reader's place in the log of one attempt; it is read as a PodLog is."""

    def __init__(self, open_pod: Callable[[], PodLog], archived: ArchivedLog | None) -> None:
        self._open = open_pod
        self._pod = open_pod()
        self._archived = archived
        self._closed = False  # the archive says that nothing more comes
        self.away = ""
        """Why the archive could not be asked for more, in words; empty if it could."""
        self.last: LineId | None = None
        """The last line that was given, or that reading began behind."""

    def begin_after(self, last: LineId | None) -> Self:
        """Begin behind a line."""
        self.last = last
        self._pod = self._open().begin_after(last)
        return self

    @property
    def refused(self) -> str:
        """Why the log cannot be read any further, in words; empty while it can."""
        return "" if self._closed else self._pod.refused

    @property
    def trouble(self) -> str:
        """Why the last read failed, in words; empty if it did not."""
        return "" if self._closed else self._pod.trouble

    async def pause(self) -> None:
        """Wait a little, longer each time that nothing came."""
        await self._pod.pause()

    async def follow(self) -> AsyncGenerator[Batch | Gap]:
        """Everything until nothing more can come."""
        async with aclosing(self._read(PodLog.follow)) as items:
            async for item in items:
                yield item

    async def read_to_end(self) -> AsyncGenerator[Batch | Gap]:
        """Everything of a container that has ended."""
        async with aclosing(self._read(PodLog.read_to_end)) as items:
            async for item in items:
                yield item

    async def read_once(self) -> AsyncGenerator[Batch | Gap]:
        """What is there now, complete lines only."""
        async with aclosing(self._read(PodLog.read_once)) as items:
            async for item in items:
                yield item

    async def _read(self, way: Way) -> AsyncGenerator[Batch | Gap]:
        """By one way; again behind each piece of the archive that was put into a gap."""
        again = True
        while again and not self._closed:
            again = False
            async with aclosing(way(self._pod)) as items:
                async for item in items:
                    if isinstance(item, Batch):
                        self.last = item.last
                        yield item
                        continue
                    before = self.last
                    async with aclosing(self._fill(FILL_TRIES)) as found:
                        async for more in found:
                            yield more
                    again = self.last != before
                    if again or self._closed:
                        break
                    yield item
            if again:
                self._pod = self._open().begin_after(self.last)
        if self._pod.refused and not self._closed:
            async with aclosing(self._fill(1)) as found:
                async for more in found:
                    yield more

    async def _fill(self, tries: int) -> AsyncGenerator[Batch | Gap]:
        """What the archive has behind the last line, as soon as it has anything."""
        if self._archived is None:
            return
        archived, before = self._archived, self.last
        for tried in range(tries):
            async with aclosing(self._archive(archived)) as items:
                async for item in items:
                    yield item
            if archived.end or self.last != before or not (archived.chunks or self.away):
                return
            if tried + 1 < tries:
                await self.pause()

    async def _archive(self, archived: ArchivedLog) -> AsyncGenerator[Batch | Gap]:
        """What the archive has now."""
        self.away = ""
        try:
            async with aclosing(archived.after(self.last)) as items:
                async for item in items:
                    if isinstance(item, Batch):
                        self.last = item.last
                    yield item
        except Down as error:
            self.away = str(error)
            return
        except Corrupt as error:
            yield Gap(str(error))
            return
        if archived.end and archived.found:
            self._closed = True
            if not archived.end.complete:
                yield Gap(archived.end.message or "the archived log is not complete")
