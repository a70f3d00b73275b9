"""Turns the gateway's problem documents (RFC 9457) into errors. Called by transport. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from cijob_cli.errors import (
    CIError,
    NotAllowed,
    NotFound,
    Rejected,
    SourceMissing,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unusable,
)

_KINDS: dict[str, type[CIError]] = {
    "bad-request": Unusable,
    "unauthenticated": Unauthenticated,
    "forbidden": NotAllowed,
    "not-found": NotFound,
    "name-taken": Unusable,
    "job-finished": Unusable,
    "source-missing": SourceMissing,
    "invalid": Unusable,
    "idempotency-mismatch": Unusable,
    "source-too-large": TooLarge,
    "unavailable": Unavailable,
    "slow-upload": Unavailable,
    "gone": NotFound,
}
# For answers of something in between: a proxy, an Ingress.
_BY_STATUS: dict[int, type[CIError]] = {
    400: Unusable,
    401: Unauthenticated,
    403: NotAllowed,
    404: NotFound,
    410: NotFound,
    413: TooLarge,
    422: Unusable,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_of(status: int, body: bytes, headers: Mapping[str, str]) -> CIError:
    """The error for an answer that is not a success, in the gateway's own words."""
    problem = _problem(body)
    slug = str(problem.get("type", "")).rpartition("/")[2]
    kind = _KINDS.get(slug) or _BY_STATUS.get(status, Rejected)
    words = str(problem.get("detail") or problem.get("title") or _without_words(status))
    if kind is TooLarge:
        limit = problem.get("limitBytes")
        return TooLarge(words, limit if isinstance(limit, int) else None)
    if kind is Unavailable:
        return Unavailable(words, _seconds(headers.get("retry-after")))
    return kind(words)


def _without_words(status: int) -> str:
    return f"the gateway, or a proxy before it, answered {status}; see `ci doctor`"


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(given: str | None) -> float:
    return float(given) if given and given.isdigit() else 1.0
