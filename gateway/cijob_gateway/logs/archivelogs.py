"""The archived log of one attempt, read from any place in it. Used by readers, and by the routes.

Where to begin is found by the notes of the chunks: a few questions, no reading. Memory is bounded
whatever the log's length and however slowly somebody reads (portions.py). Nothing here writes.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from cijob_api.lines import LOOK_BACK, LineId, Lines, Ordinals, Resume, seconds_between
from cijob_gateway.errors import Down
from cijob_gateway.logs import archive
from cijob_gateway.logs.archive import Chunk, Corrupt, Notes
from cijob_gateway.logs.logitems import Batch, Gap, Tally, batches
from cijob_gateway.logs.portions import Portions, last_parts, parts_of
from cijob_gateway.store import Store

# So much of the chunk before is read, too, so that equal timestamps are counted as they were.
BEFORE_BYTES = 256 * 1024
TROUBLE_SECONDS = 1.0
# What the job wrote of each line; to find all is four times as fast as to replace what is not.
_TEXT = re.compile(rb"[^\n]{31}([^\n]*\n?)")


@dataclass(frozen=True)
class Where:
    """Whose log."""

    namespace: str
    uid: str
    attempt: int


class ArchivedLog:
    """What the archive has of one attempt's log, as of the last look at it."""

    def __init__(self, store: Store, where: Where) -> None:
        self._store = store
        self._portions = Portions(store)
        self._where = where
        self._notes: dict[str, Notes] = {}
        self.chunks: list[Chunk] = []
        self.end: archive.End | None = None
        """What the log came to; None while it may grow."""
        self.found = False
        """Whether the line that was last read from behind is in the archive."""

    async def look(self) -> None:
        """See what there is now. Raises Down."""
        if self.end:
            return  # nothing is added any more
        # A server that was away a moment ago may be there again; if not, nobody waits for that.
        patience = TROUBLE_SECONDS if self._store.trouble else None
        try:
            async with asyncio.timeout(patience):
                await self._look()
        except TimeoutError as error:
            raise Down(self._store.trouble) from error

    async def _look(self) -> None:
        where = (self._where.namespace, self._where.uid, self._where.attempt)
        # In this order: a log that has ended is listed whole.
        end = await archive.read_end(self._store, *where)
        self.chunks = await archive.list_chunks(self._store, *where)
        self.end = end
        if self.chunks:  # it grows: who it ends with is to be asked again
            self._notes.pop(self.chunks[-1].name, None)

    # -- reading -----------------------------------------------------------------------------------

    async def after(self, last: LineId | None) -> AsyncGenerator[Batch | Gap]:
        """All that is behind a line, or all there is; `found` says whether that line is here.

        Raises Down, Corrupt.
        """
        await self.look()
        self.found = last is None
        starts = await self._starts(last)
        for start in starts:
            resume = Resume(last)
            async with aclosing(self._lines(start)) as found:
                async for item in found:
                    if isinstance(item, Gap):
                        if resume.found:
                            yield item
                        continue
                    for batch in self._batches(resume.feed(item)):
                        yield batch
                    if last and start != starts[-1] and _is_past(resume, last):
                        break
            self.found = resume.found
            if self.found:
                return

    async def from_line(self, number: int) -> AsyncGenerator[Batch | Gap]:
        """All from a line on, by its number, counted from 0. Raises Down, Corrupt."""
        await self.look()
        if self.chunks:
            index = await self._last_where(lambda notes: notes.lines <= number)
            skipped = number - (await self._noted(index)).lines
            async with aclosing(self._from(index, skipped)) as items:
                async for item in items:
                    yield item

    async def from_time(self, since: str) -> AsyncGenerator[Batch | Gap]:
        """All from the chunk on that has a time, written as in a line's id. Raises as `after`."""
        await self.look()
        if self.chunks:
            index = await self._last_where(lambda notes: notes.first.timestamp <= since)
            async with aclosing(self._from(max(index - 1, 0), 0)) as items:
                async for item in items:
                    yield item

    async def count(self) -> int:
        """How many lines there are, as of the last look. Raises Down, Corrupt."""
        if self.end:
            return self.end.lines
        if not self.chunks:
            return 0
        counted = (await self._noted(-1)).lines
        async with aclosing(self._lines(len(self.chunks) - 1)) as found:
            async for item in found:
                counted += len(item) if isinstance(item, Lines) else 0
        return counted

    async def last(self) -> LineId | None:
        """The last line, as of the last look. Raises Down, Corrupt."""
        return (await self._noted(-1)).last if self.chunks else None

    async def text(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """The job's own bytes from one position up to another. Look first. Raises Down, Corrupt."""
        if start >= end or not self.chunks:
            return
        index = await self._last_where(lambda notes: notes.bytes <= start)
        place = (await self._noted(index)).bytes
        async with aclosing(self._portions.of(parts_of(self.chunks[index:]))) as portions:
            async for _, portion in portions:
                text = b"".join(_TEXT.findall(portion))
                wanted = text[max(start - place, 0) : end - place]
                place += len(text)
                if wanted:
                    yield wanted
                if place >= end:
                    return

    # -- a place in it -----------------------------------------------------------------------------

    async def _starts(self, last: LineId | None) -> list[int]:
        """The chunks from which to look for a line, the likeliest first; none if it is not here."""
        if last is None or not self.chunks:
            return [0] if self.chunks else []
        newest = (await self._noted(-1)).last
        if newest.timestamp < last.timestamp and not self.end:  # it will come
            return []
        index = await self._last_where(lambda notes: notes.first.timestamp <= last.timestamp)
        # Two streams' timestamps go back and forth: it may be in the chunk before. Clocks are set
        # back: it may be anywhere.
        return list(dict.fromkeys((index, max(index - 1, 0), 0)))

    async def _last_where(self, fits: Callable[[Notes], bool]) -> int:
        """The last chunk that fits, of chunks that fit up to some place; the first if none does."""
        low, high, probe = 0, len(self.chunks) - 1, len(self.chunks) - 1
        while low < high:
            if fits(await self._noted(probe)):
                low = probe
            else:
                high = probe - 1
            probe = (low + high + 1) // 2
        return low

    async def _noted(self, index: int) -> Notes:
        name = self.chunks[index].name
        if name not in self._notes:
            found = await self._store.find(name)
            if found is None:  # swept
                raise Corrupt(f"{name} is not there any more")
            self._notes[name] = Notes.parse(found.metadata)
        return self._notes[name]

    # -- bytes to lines ----------------------------------------------------------------------------

    async def _lines(self, index: int) -> AsyncGenerator[Lines | Gap]:
        """The lines from a chunk on, portion by portion; gaps where they are."""
        ordinals = await self._counted_before(index) if index else Ordinals()
        whole = self.end is not None and self.end.complete
        place = index - 1
        async with aclosing(self._portions.of(parts_of(self.chunks[index:]))) as portions:
            async for chunk, portion in portions:
                if place < index or self.chunks[place] is not chunk:
                    place += 1
                    if not whole and (words := (await self._noted(place)).gap):
                        yield Gap(words)
                yield archive.parse(portion, ordinals)

    async def _from(self, index: int, skipped: int) -> AsyncGenerator[Batch | Gap]:
        """What comes from a chunk on, but for so many lines."""
        async with aclosing(self._lines(index)) as found:
            async for item in found:
                if isinstance(item, Gap):
                    yield item
                    continue
                for batch in self._batches(item.part(skipped)):
                    yield batch
                skipped = max(skipped - len(item), 0)

    def _batches(self, lines: Lines) -> Iterator[Batch]:
        return batches(lines, self._where.attempt)

    async def _counted_before(self, index: int) -> Ordinals:
        """Timestamps counted up to a chunk, those that may come again."""
        ordinals, known = Ordinals(), 0
        first = (await self._noted(index)).first
        timestamp = first.timestamp.encode()
        for part in last_parts(self.chunks[:index], BEFORE_BYTES):
            content = await self._portions.fetch(part)
            if part.start:
                content = content[content.find(b"\n") + 1 :] if b"\n" in content else b""
            known += archive.parse(content, ordinals).timestamps.count(timestamp)
        # Pieces of a line longer than what was read share its timestamp.
        ordinals.number([timestamp] * (first.k - known))
        return ordinals


def missing(end: archive.End, given: Tally | None, before: tuple[int, int]) -> str:
    """What an archived log lacks, in words; empty if it lacks nothing.

    `given` has counted all of it, behind so many lines and bytes `before`, if it was read whole.
    """
    if not end.complete:
        return end.message or "the archived log is not complete"
    if given is None:
        return ""
    lines, size = given.lines - before[0], given.bytes - before[1]
    if (lines, size) != (end.lines, end.bytes):
        return f"the archive has {lines} of {end.lines} lines, {size} of {end.bytes} bytes"
    if not any(before) and given.sha256 != end.sha256:
        return f"the {lines} lines in the archive are not those that were stored"
    return ""


def _is_past(resume: Resume, last: LineId) -> bool:
    """Whether a line is not where it would be: what is read is younger by seconds."""
    if resume.found or not resume.newest:
        return False
    return seconds_between(last.timestamp, resume.newest) > LOOK_BACK
