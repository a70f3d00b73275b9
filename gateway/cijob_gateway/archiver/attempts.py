"""One attempt's log, from its Pod into the bucket, to its end.

Used by jobs.py. Goes on where an archiver before it has stopped: behind the last line that is
stored, so that nothing is lost or there twice. Whether everything came is decided here and stands
in `end.json`.
"""

import asyncio
import hashlib
import logging
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from time import monotonic

from cijob_api.lines import LineId
from cijob_gateway.archiver import metrics
from cijob_gateway.archiver.digests import digest_of
from cijob_gateway.archiver.spools import LogSpool, Spool
from cijob_gateway.archiver.uploads import Bucket, Log, patiently, upload
from cijob_gateway.logs.archive import Chunk, End, Notes, end_name, list_chunks, read_end
from cijob_gateway.logs.leaps import may_lack_beginning
from cijob_gateway.logs.logitems import Batch
from cijob_gateway.logs.podlogs import PodLog
from cijob_gateway.logs.readings import PACE, Source
from cijob_kube.api import Api

logger = logging.getLogger(__name__)
JSON = "application/json"
DISK_SECONDS = 1.0
# What is given up here is lost: the operator deletes the Pod of an archived log, and waits an hour
# for it. A node's runtime is back in a minute. A Pod or a container that is gone is not waited for.
PATIENT = replace(PACE, patience=180.0)


@dataclass(frozen=True)
class Tools:
    """What every attempt is archived with."""

    api: Api
    bucket: Bucket
    spool: Spool


@dataclass(frozen=True)
class Subject:
    """Which attempt, and what is known of it."""

    log: Log
    pod: str
    ended: asyncio.Event
    """Set once its container has ended."""
    begun: bool
    """Its container ran; if not, that there is no log is no loss."""
    fresh: bool
    """Nothing of it can be stored yet."""
    started_at: str | None = None
    """When its container began; None if that is not known."""


async def archive(tools: Tools, subject: Subject) -> End:
    """Bring an attempt's log into the bucket; what it came to. Raises LeaseLost."""
    store, log = tools.bucket.store, subject.log
    if not subject.fresh:
        end = await patiently(lambda: read_end(store, log.namespace, log.uid, log.attempt))
        if end:
            return end
    metrics.following.inc()
    spool = LogSpool(tools.spool)
    try:
        end = await _Archiving(tools, subject, spool).run()
    finally:
        metrics.following.dec()
        spool.aclose()
    name = end_name(log.namespace, log.uid, log.attempt)
    await tools.bucket.put(name, end.model_dump_json().encode(), JSON)
    return end


class _Archiving:
    """A log on its way."""

    def __init__(self, tools: Tools, subject: Subject, spool: LogSpool) -> None:
        self._tools = tools
        self._subject = subject
        self._spool = spool
        self._troubles: list[str] = []
        self._waited = 0.0  # for room in the spool, in seconds, since lines were last missing
        # None when not all of the log went through here.
        self._digest: hashlib._Hash | None = hashlib.sha256()

    async def run(self) -> End:
        """To its end."""
        last = None if self._subject.fresh else await patiently(self._resume)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(upload(self._subject.log, self._spool, self._tools.bucket))
            await self._read(last)
            self._spool.finish()
        return await patiently(self._end)

    async def _resume(self) -> LineId | None:
        """Where an archiver before this one has stopped. Raises Down, Corrupt."""
        chunks = await self._chunks()
        if not chunks:
            return None
        last, store = chunks[-1], self._tools.bucket.store
        found = await store.get(last.name)
        notes = Notes.parse(found.metadata)
        self._spool.resume(found.content, notes, last.offset)
        self._digest = None
        for chunk in chunks:  # what was said about gaps stands with the chunks behind them
            known = await store.find(chunk.name)
            if known and (gap := Notes.parse(known.metadata).gap):
                self._troubles.append(gap)
        return notes.last

    async def _chunks(self) -> list[Chunk]:
        log = self._subject.log
        return await list_chunks(self._tools.bucket.store, log.namespace, log.uid, log.attempt)

    async def _read(self, last: LineId | None) -> None:
        """Everything that the Pod's log has behind a line, into the spool."""
        subject = self._subject
        source = Source(subject.log.namespace, subject.pod, subject.log.attempt)
        pace = PATIENT if subject.begun else replace(PACE, tries=1)
        log = PodLog(self._tools.api, source, subject.ended, pace=pace).begin_after(last)
        opened = pace.now()
        async with aclosing(log.follow()) as items:
            async for item in items:
                if isinstance(item, Batch):
                    if not self._spool.lines:
                        self._look_at_first(item, opened)
                    await self._take(item)
                else:
                    self._lose(f"{item.message}{self._excuse()}")
        if log.refused and (subject.begun or log.last):
            self._troubles.append(log.refused)

    def _look_at_first(self, batch: Batch, opened: datetime) -> None:
        """Say it if this may not be the log's beginning."""
        started, first = self._subject.started_at, batch.timestamps[0].decode()
        if started and may_lack_beginning(started, opened, first):
            self._lose(
                f"the first lines may be missing: the container started at {started}, its log was"
                f" first read at {opened:%H:%M:%S} UTC, and by then began at {first}"
            )

    def _lose(self, words: str) -> None:
        """Lines are missing here, or may be."""
        metrics.gaps.inc()
        self._troubles.append(words)
        self._spool.gap(words)

    def _excuse(self) -> str:
        """Why lines are missing, if it is known here."""
        waited, self._waited = self._waited, 0.0
        words = f"; for {waited:.0f} s the object store took nothing and the spool was full"
        return words if waited else ""

    async def _take(self, batch: Batch) -> None:
        if self._spool.is_full:
            began = monotonic()
            await self._spool.room()
            self._waited += monotonic() - began
        while True:
            try:
                self._spool.add(batch)
            except OSError as error:  # the disk is full, of others' files
                logger.warning("the spool cannot be written: %s", error)
                await asyncio.sleep(DISK_SECONDS)
            else:
                break
        metrics.lines.inc(len(batch.lines))
        text = b"".join(batch.lines)
        metrics.read_bytes.inc(len(text))
        if self._digest:
            self._digest.update(text)

    async def _end(self) -> End:
        """What it came to, by what the bucket has now. Raises Down."""
        chunks = await self._chunks()
        there = sum(chunk.size for chunk in chunks)
        if there != self._spool.offset or any(
            one.end != other.offset for one, other in pairwise(chunks)
        ):
            words = f"the object store has {there} bytes of this log and was given"
            self._troubles.append(f"{words} {self._spool.offset}; lines are missing")
        digest = self._digest
        if digest is None:
            digest = await digest_of(self._tools.bucket.store, chunks)
        return End(
            lines=self._spool.lines,
            bytes=self._spool.bytes,
            sha256=digest.hexdigest(),
            complete=not self._troubles,
            message="; ".join(dict.fromkeys(self._troubles)) or None,
        )
