"""What is left of a job that has ended: the result of its log, its last lines, its final CIJob.

Used by jobs.py. Pure but for `tail_of`, which reads the bucket.
"""

import hashlib
import json
from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime

from cijob_api.lines import Ordinals
from cijob_api.reasons import Phase
from cijob_api.statuses import CIJobStatus, Failure, LogResult, Results
from cijob_api.trimming import ARCHIVER_BYTES, shorten, shorten_tail, trim_status
from cijob_gateway.logs.archive import Chunk, End, Entry, parse
from cijob_gateway.store import Store
from cijob_gateway.watches import Json

TAIL_LINES = 100
TAIL_BYTES = 1024 * 1024
LOG_TAIL_CHARACTERS = 1000
MESSAGE_CHARACTERS = 1000
FAILED = {Phase.FAILED, Phase.ERROR}


def log_result(ends: Sequence[tuple[int, End]], sha256: str) -> LogResult:
    """What is said of all attempts' logs together; `sha256` is of all their bytes in order.

    Nothing is missing from the log of a job that never ran.
    """
    many = len(ends) > 1
    words = [
        f"attempt {number}: {end.message}" if many else end.message
        for number, end in ends
        if end.message
    ]
    return LogResult(
        lines=sum(end.lines for _, end in ends),
        bytes=sum(end.bytes for _, end in ends),
        sha256=sha256,
        complete=all(end.complete for _, end in ends),
        message=shorten("; ".join(words), MESSAGE_CHARACTERS) if words else None,
    )


def results(logs: LogResult, tail: bytes) -> Json:
    """The archiver's part of `status.results`, as small as it must be."""
    text = tail.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}").rstrip("\n")
    failure = Failure(log_tail=shorten_tail(text, LOG_TAIL_CHARACTERS)) if text else None
    small = trim_status(CIJobStatus(results=Results(logs=logs, failure=failure)), ARCHIVER_BYTES)
    body = small.model_dump(mode="json", by_alias=True, exclude_none=True)
    found: Json = body["results"]
    return found


def final(body: Json, own: Json) -> bytes:
    """The CIJob as it ended, with the archiver's results."""
    job = deepcopy(body)
    job["metadata"].pop("managedFields", None)
    status = job.setdefault("status", {})
    status["results"] = {**(status.get("results") or {}), **own}
    return json.dumps(job, separators=(",", ":")).encode()


def entry(body: Json) -> Entry:
    """Its line in the index."""
    metadata = body["metadata"]
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    return Entry.of(metadata["namespace"], metadata["name"], metadata["uid"], created)


def has_failed(body: Json) -> bool:
    """Whether what it said last is worth showing."""
    return (body.get("status") or {}).get("phase") in FAILED


def is_final(body: Json) -> bool:
    """Whether the job has ended."""
    phase = (body.get("status") or {}).get("phase")
    return phase in set(Phase) and Phase(phase).is_final


def has_begun(body: Json) -> bool:
    """Whether its status knows of a container that ran."""
    attempts = (body.get("status") or {}).get("attempts") or []
    return any(attempt.get("startTime") or attempt.get("containerID") for attempt in attempts)


def is_archived(body: Json) -> bool:
    """Whether the archiver's results are there."""
    return bool(((body.get("status") or {}).get("results") or {}).get("logs"))


async def tail_of(store: Store, chunks: Sequence[Chunk]) -> bytes:
    """The last 100 lines in these chunks, at most 1 MiB of them. Raises Down, Corrupt."""
    lines: deque[bytes] = deque()
    size = 0
    for chunk in reversed(chunks):
        content = (await store.get(chunk.name)).content
        for text in reversed(parse(content, Ordinals()).texts):
            if len(lines) == TAIL_LINES or (lines and size + len(text) > TAIL_BYTES):
                return b"".join(lines)[-TAIL_BYTES:]
            lines.appendleft(text)
            size += len(text)
    return b"".join(lines)[-TAIL_BYTES:]


EMPTY_SHA256 = hashlib.sha256().hexdigest()
