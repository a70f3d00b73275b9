"""Keeping a status small: each writer has a budget, and trims its own keys to it. Pure.

Used by every writer before it writes, with a status that holds only its own keys. What is trimmed
is words and history, oldest and longest first; never a verdict.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from cijob_api.statuses import CIJobStatus

OPERATOR_BYTES = 3072
GATEWAY_BYTES = 3584
ARCHIVER_BYTES = 1536

_ATTEMPTS = 10
_SHORTEST = 120
_ELLIPSIS = "…"

Holder = dict[str, Any]
Step = Callable[[Holder], bool]


def shorten(text: str, most: int) -> str:
    """The text, or its beginning in at most `most` characters, the last of them an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + _ELLIPSIS


def shorten_tail(text: str, most: int) -> str:
    """The text, or its end in at most `most` characters: a log is read from its end."""
    return text if len(text) <= most else _ELLIPSIS + text[-(most - 1) :]


def size_bytes(status: CIJobStatus) -> int:
    """What the status takes up as compact JSON, in bytes."""
    return _size(_plain(status))


def trim_status(status: CIJobStatus, most_bytes: int) -> CIJobStatus:
    """The status in at most so many bytes, and with the last 10 attempts.

    Long words go first, then old attempts, then what stands last in the results' lists.
    """
    plain = _plain(status)
    if "attempts" in plain:
        plain["attempts"] = plain["attempts"][-_ATTEMPTS:]
    while _size(plain) > most_bytes and any(step(plain) for step in _STEPS):
        pass
    return CIJobStatus.model_validate(plain)


def _plain(status: CIJobStatus) -> Holder:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _size(plain: Holder) -> int:
    return len(json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode())


def _words(node: Any) -> Iterator[tuple[Holder, str]]:
    """Every text for people in the status, oldest first: what holds it, and its key."""
    if isinstance(node, list):
        for item in node:
            yield from _words(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in {"message", "logTail"} and isinstance(value, str):
                yield node, key
            else:
                yield from _words(value)


def _halve_the_longest(plain: Holder) -> bool:
    """Halve the longest text; of equals the oldest. False if all are short."""
    holder, key = max(_words(plain), key=lambda word: len(word[0][word[1]]), default=({}, ""))
    length = len(holder.get(key, ""))
    if length <= _SHORTEST:
        return False
    cut = shorten_tail if key == "logTail" else shorten
    holder[key] = cut(holder[key], max(length // 2, _SHORTEST))
    return True


def _drop_the_oldest_attempt(plain: Holder) -> bool:
    if len(plain.get("attempts", [])) <= 1:
        return False
    del plain["attempts"][0]
    return True


def _drop_from_the_results(plain: Holder) -> bool:
    """Drop the last item of the longer list of the results: the whole is in S3."""
    results = plain.get("results", {})
    lists = [results.get("tests", {}).get("firstFailures", []), results.get("artifacts", [])]
    longest = max(lists, key=lambda items: len(json.dumps(items)))
    if not longest:
        return False
    longest.pop()
    return True


_STEPS: tuple[Step, ...] = (_halve_the_longest, _drop_the_oldest_attempt, _drop_from_the_results)
