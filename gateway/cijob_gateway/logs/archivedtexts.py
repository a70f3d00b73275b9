"""A finished job's log as one text in the archive, of which any range of bytes can be read.

Used by the route of logs, for whoever wants the plain log of a job that has ended: nothing is
parsed on the way, and its length is known before the first byte.
"""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from cijob_api.objects import CIJob
from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import Corrupt, End, list_attempts
from cijob_gateway.logs.archivelogs import ArchivedLog, Where
from cijob_gateway.logs.attempts import first_named
from cijob_gateway.logs.rooms import has_started
from cijob_gateway.store import Store


@dataclass(frozen=True)
class ArchivedText:
    """The logs of a job's attempts, one behind the other."""

    parts: Sequence[tuple[ArchivedLog, End]]

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(end.bytes for _, end in self.parts)

    @property
    def complete(self) -> bool:
        """Whether that is all that the job wrote."""
        return all(end.complete for _, end in self.parts)

    @property
    def digest(self) -> str:
        """Of all its bytes, as the header Repr-Digest (RFC 9530); empty if it is not known."""
        if len(self.parts) != 1:
            return ""
        value = base64.b64encode(bytes.fromhex(self.parts[0][1].sha256)).decode()
        return f"sha-256=:{value}:"

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes from one position up to another. Raises Down, Corrupt."""
        place = 0
        for log, end in self.parts:
            inside = max(start - place, 0), min(stop - place, end.bytes)
            place += end.bytes
            if inside[0] < inside[1]:
                async with aclosing(log.text(*inside)) as pieces:
                    async for piece in pieces:
                        yield piece


async def archived_text(store: Store, job: CIJob, attempt: int | None) -> ArchivedText | None:
    """The text of a job, or of one attempt; None while it may grow, or cannot be read."""
    if not (job.status.phase.is_final and (first_named(job) == 1 or _is_archived(job))):
        return None
    meta, parts = job.metadata, []
    try:
        numbers = await _numbers(store, job)
    except Down:
        return None
    for number in numbers:
        if attempt not in (None, number):
            continue
        log = ArchivedLog(store, Where(meta.namespace, meta.uid, number))
        try:
            await log.look()
        except (Down, Corrupt):  # its Pod may still have it
            return None
        if log.end is None:
            return None
        parts.append((log, log.end))
    return ArchivedText(parts) if parts else None


async def _numbers(store: Store, job: CIJob) -> list[int]:
    """The attempts that have a log, as far as is known. Raises Down."""
    meta, first = job.metadata, first_named(job)
    named = [tried.number for tried in job.status.attempts or [] if has_started(tried)]
    if first == 1:
        return named
    stored = await list_attempts(store, meta.namespace, meta.uid)
    return [*sorted(number for number in stored if number < first), *named]


def _is_archived(job: CIJob) -> bool:
    """Whether the archive has whatever the job left: also of attempts that nobody names."""
    return job.status.results is not None and job.status.results.logs is not None
