"""What an upload must be before the last of its bytes are handed on."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from cijob_gateway.errors import DigestMismatch, Problem, SourceTooLarge
from cijob_gateway.uploads import Body, Wanted

CHUNKS = (b"first ", b"", b"second ", b"third")
WHOLE = b"".join(CHUNKS)
DIGEST = hashlib.sha256(WHOLE).hexdigest()


async def chunks() -> AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


def read(wanted: Wanted, size: int = 4) -> tuple[bytes, Problem | None]:
    """Read a body as the S3 client does, in a thread; what was handed on, and the problem."""

    async def run() -> tuple[bytes, Problem | None]:
        body = Body(chunks(), wanted, asyncio.get_running_loop())
        taken = b""

        def client() -> None:
            nonlocal taken
            while part := body.read(size):
                taken += part
            assert body.digest == DIGEST

        try:
            await asyncio.to_thread(client)
        except Problem:
            assert body.problem
        return taken, body.problem

    return asyncio.run(run())


@pytest.mark.parametrize("size", [1, 5, 100, -1])
def test_a_right_body_passes_in_any_portions(size: int) -> None:
    wanted = Wanted(limit=len(WHOLE), sha256=DIGEST, size=len(WHOLE))
    assert read(wanted, size) == (WHOLE, None)


@pytest.mark.parametrize("size", [None, len(WHOLE)])
def test_wrong_bytes_are_noticed_before_the_last_are_handed_on(size: int | None) -> None:
    taken, problem = read(Wanted(limit=100, sha256="0" * 64, size=size))
    assert isinstance(problem, DigestMismatch)
    assert size is None or len(taken) < len(WHOLE)


def test_too_many_bytes_are_noticed_when_they_come() -> None:
    taken, problem = read(Wanted(limit=10))
    assert isinstance(problem, SourceTooLarge)
    assert len(taken) <= 10
