"""One range of a body whose length is known (RFC 9110, 14); used by the routes that serve bytes."""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response

from cijob_gateway import streams

# No length has more digits, and int refuses thousands of them.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True)
class Body:
    """What can be read in ranges: `read` gives the bytes from one position up to another."""

    size: int
    headers: Mapping[str, str]  # with an ETag, if one is known
    read: Callable[[int, int], AsyncGenerator[bytes, None]]


async def ranged(request: Request, body: Body) -> Response:
    """The whole body, or the range of it that was asked for. Raises what reading it raises."""
    size, headers = body.size, {**body.headers, "Accept-Ranges": "bytes"}
    if _is_known(request, headers):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    start, stop = bounds(_wanted(request, headers), size) or (0, size)
    if start >= stop and size:
        refused = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        return Response(
            status_code=refused, headers={**headers, "Content-Range": f"bytes */{size}"}
        )
    if request.method == "HEAD":
        answer = Response(headers=headers)
    else:
        answer = streams.Stream(await begun(body.read(start, stop)), headers)
    answer.headers["Content-Length"] = str(stop - start)
    if (start, stop) != (0, size):
        answer.status_code = HTTPStatus.PARTIAL_CONTENT
        answer.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return answer


def bounds(wanted: str | None, size: int) -> tuple[int, int] | None:
    """Where one range begins and ends; None for no range, and for what is none or several."""
    found = _RANGE.fullmatch(wanted or "")
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(size - int(found[2]), 0), size
    start, last = int(found[1]), int(found[2] or size)
    return (start, min(last + 1, size)) if last >= start else None


async def begun(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same chunks; the first has come. Raises what reading it raised."""

    async def whole() -> AsyncGenerator[bytes, None]:
        async with aclosing(chunks):
            head = await anext(chunks, b"")
            yield b""
            yield head
            async for chunk in chunks:
                yield chunk

    running = whole()
    await anext(running)  # one that was never begun would not be closed either
    return running


def _wanted(request: Request, headers: Mapping[str, str]) -> str | None:
    """The range, unless it is of another version of the body (If-Range)."""
    only_of = request.headers.get("If-Range")
    return None if only_of and only_of != headers.get("ETag") else request.headers.get("Range")


def _is_known(request: Request, headers: Mapping[str, str]) -> bool:
    tags = {tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")}
    return headers.get("ETag") in tags
