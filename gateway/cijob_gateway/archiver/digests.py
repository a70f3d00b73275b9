"""The digest of logs that are stored: of what the job wrote, read back from the bucket."""

import asyncio
import hashlib
from collections.abc import Iterable

from cijob_api.lines import Ordinals
from cijob_gateway.logs.archive import Chunk, parse
from cijob_gateway.store import Store


async def digest_of(store: Store, chunks: Iterable[Chunk]) -> "hashlib._Hash":
    """The sha256 of the texts in these chunks. Raises Down, Corrupt, FileNotFoundError."""
    digest = hashlib.sha256()
    for chunk in chunks:
        found = await store.get(chunk.name)
        await asyncio.to_thread(_add, digest, found.content)
    return digest


def _add(digest: "hashlib._Hash", content: bytes) -> None:
    digest.update(b"".join(parse(content, Ordinals()).texts))
