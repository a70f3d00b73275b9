"""Jobs that have ended, as the archive remembers them: also those whose CIJob is gone.

Used by jobs.py. The index has a line for each, the newest first; the CIJob as it ended is an object
of its own. Nothing here writes.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import cast

from cijob_gateway.errors import Down
from cijob_gateway.logs.archive import Entry, final_name, index_prefix
from cijob_gateway.store import Store
from cijob_gateway.submissions import ULID
from cijob_gateway.watches import Json

# A name that ends with a ULID says when it was made; clocks may differ by so much.
SKEW_MILLISECONDS = 600_000
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
Age = tuple[str, str]
"""When a job was created, as Kubernetes writes it, and its name: what lists are sorted by."""


class Records:
    """The final records of all namespaces."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, namespace: str, name: str) -> Json | None:
        """The newest job of that name, as it ended. Raises Down."""
        made = _made(name)
        if made is not None:
            first, last = made + SKEW_MILLISECONDS, made - SKEW_MILLISECONDS
            if body := await self._first(namespace, name, range(last, first)):
                return body
        return await self._first(namespace, name, None)

    async def of_uid(self, namespace: str, uid: str) -> Json | None:
        """The job of that UID, as it ended. Raises Down."""
        if self._store.trouble:
            raise Down(self._store.trouble)
        return await self._final(namespace, uid)

    async def entries(self, namespace: str, before: Age | None) -> AsyncGenerator[Entry]:
        """The index, sorted as lists are: newest first, then by name. Raises Down."""
        latest = None if before is None else _milliseconds(before[0])
        same: list[Entry] = []  # of one moment: the index has them by name, upwards
        async with aclosing(self._index(namespace, latest)) as index:
            async for entry in index:
                if same and entry.created_milliseconds != same[0].created_milliseconds:
                    for one in _downwards(same, before):
                        yield one
                    same = []
                same.append(entry)
        for one in _downwards(same, before):
            yield one

    async def bodies(self, entries: Iterable[Entry]) -> list[Json]:
        """These jobs as they ended, all at once; without those swept meanwhile. Raises Down."""
        found = await asyncio.gather(*(self._body(entry) for entry in entries))
        return [body for body in found if body]

    async def _first(self, namespace: str, name: str, when: range | None) -> Json | None:
        async with aclosing(self._index(namespace, when.stop if when else None)) as index:
            async for entry in index:
                if when and entry.created_milliseconds < when.start:
                    return None
                if entry.name == name and (body := await self._body(entry)):
                    return body
        return None

    async def _index(self, namespace: str, latest: int | None) -> AsyncGenerator[Entry]:
        """The index from a moment back, newest first."""
        if self._store.trouble:  # the answer would take seconds, and be the same
            raise Down(self._store.trouble)
        after = Entry(namespace, latest, "", "").object_name if latest is not None else ""
        objects = self._store.under(index_prefix(namespace), after=after)
        async with aclosing(cast("AsyncGenerator[object]", objects)):
            async for stored in objects:
                if entry := Entry.parse(stored.name):
                    yield entry

    async def _body(self, entry: Entry) -> Json | None:
        return await self._final(entry.namespace, entry.uid)

    async def _final(self, namespace: str, uid: str) -> Json | None:
        try:
            found = await self._store.get(final_name(namespace, uid))
        except FileNotFoundError:
            return None
        body: Json = json.loads(found.content)
        return body


def age(entry: Entry) -> Age:
    """What an entry is sorted by."""
    created = datetime.fromtimestamp(entry.created_milliseconds // 1000, UTC)
    return (created.isoformat().replace("+00:00", "Z"), entry.name)


def _downwards(entries: list[Entry], before: Age | None) -> list[Entry]:
    found = sorted(entries, key=age, reverse=True)
    return found if before is None else [entry for entry in found if age(entry) < before]


def _milliseconds(created: str) -> int:
    return int(datetime.fromisoformat(created).timestamp() * 1000)


def _made(name: str) -> int | None:
    """When a job of that name was made, in milliseconds since 1970, if the name says it."""
    ulid = name[-26:].lower()
    if not ULID.fullmatch(ulid):
        return None
    return sum(
        _CROCKFORD.index(letter) << 5 * (9 - place) for place, letter in enumerate(ulid[:10])
    )
