"""Jobs by what they ran, in the bucket: so one that is gone can still say that another is flaky.

The archiver writes an entry when it has archived a job with a verdict; the route of a job's outcome
asks for the newest one before that job. What is the same is said in repeats.py. An entry is an
empty object, `<namespace>/same/<digest>/<newest first>-<name>-<uid>-<phase>`: one short list finds
it, whatever else is in the bucket. It goes with the archive of its job.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Self, cast

from cijob_api.reasons import Phase
from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import Entry
from cijob_gateway.records import age
from cijob_gateway.repeats import Same, digest
from cijob_gateway.store import Store, Stored
from cijob_gateway.watches import Json

PATIENCE_SECONDS = 2
_NAME = re.compile(r"([^/]+)/same/([0-9a-f]{64})/([^/]+)-(Succeeded|Failed)")


@dataclass(frozen=True)
class Twin:
    """A job with a verdict, by what it ran."""

    digest: str
    entry: Entry
    phase: Phase

    @property
    def object_name(self) -> str:
        """Its name in the bucket: of those that ran the same, the newest comes first."""
        one = self.entry
        line = one.object_name.rpartition("/")[2]
        return f"{_prefix(one.namespace, self.digest)}{line}-{self.phase}"

    @classmethod
    def of(cls, body: Json) -> Self | None:
        """The entry of a job that has ended; None if there is nothing to compare it by."""
        known = digest(body)
        if known is None:
            return None
        metadata = body["metadata"]
        created = datetime.fromisoformat(metadata["creationTimestamp"])
        entry = Entry.of(metadata["namespace"], metadata["name"], metadata["uid"], created)
        return cls(known, entry, Phase(body["status"]["phase"]))

    @classmethod
    def parse(cls, object_name: str) -> Self | None:
        """Read an entry's name in the bucket; None if it is none."""
        found = _NAME.fullmatch(object_name)
        entry = Entry.parse(f"{found[1]}/index/{found[3]}") if found else None
        return cls(found[2], entry, Phase(found[4])) if found and entry else None


async def newest_before(store: Store, body: Json) -> Twin | None:
    """The newest archived job before this one that ran the same. Raises Down."""
    own = Twin.of(body)
    if own is None:
        return None
    namespace, known = own.entry.namespace, own.digest
    if store.trouble:  # the answer would take seconds, and be the same
        raise Down(store.trouble)
    objects = store.under(_prefix(namespace, known), after=own.object_name)
    async with aclosing(cast("AsyncGenerator[Stored]", objects)) as names:
        async for stored in names:
            twin = Twin.parse(stored.name)
            if twin and twin.entry.created_milliseconds < own.entry.created_milliseconds:
                return twin
    return None


async def same_now(store: Store, body: Json) -> Same | None:
    """That one; None while the bucket is away or slow: an outcome does not wait for it."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            twin = await newest_before(store, body)
    except (Down, TimeoutError):
        return None
    return Same(*age(twin.entry), twin.phase.value) if twin else None


def _prefix(namespace: str, known: str) -> str:
    return f"{namespace}/same/{known}/"
