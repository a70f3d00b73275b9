"""What is left of a job that has ended: its log's result, its last lines, its final object."""

import asyncio
import json
from typing import Any

import pytest

from cijob_api.lines import Lines, Ordinals
from cijob_api.trimming import ARCHIVER_BYTES
from cijob_gateway.archiver.records import (
    TAIL_BYTES,
    final,
    has_begun,
    is_archived,
    is_final,
    log_result,
    results,
    tail_of,
)
from cijob_gateway.logs.archive import End, compose, list_chunks
from kit.objects import MemoryStore

SHA = "0" * 64
WHOLE = End(lines=3, bytes=30, sha256=SHA, complete=True)
CUT = End(lines=2, bytes=20, sha256=SHA, complete=False, message="Pod x is gone")


def test_one_attempt_is_said_as_it_is() -> None:
    said = log_result([(1, CUT)], SHA)
    assert (said.lines, said.bytes, said.complete) == (2, 20, False)
    assert said.message == "Pod x is gone"


def test_attempts_are_added_and_what_is_missing_names_which() -> None:
    said = log_result([(1, CUT), (2, WHOLE)], SHA)
    assert (said.lines, said.bytes, said.complete) == (5, 50, False)
    assert said.message == "attempt 1: Pod x is gone"


def test_nothing_is_missing_of_a_job_that_never_ran() -> None:
    said = log_result([], SHA)
    assert (said.lines, said.bytes, said.complete, said.message) == (0, 0, True, None)


@pytest.mark.parametrize(
    "tail", [b"x" * 50_000, "ü€🙂".encode() * 5000, b"\xff\x00\x1b" * 3000, b'"\\' * 5000, b""]
)
def test_the_status_stays_small_whatever_was_said(tail: bytes) -> None:
    cut = CUT.model_copy(update={"message": "m" * 5000})
    own = results(log_result([(1, cut)], SHA), tail)
    assert len(json.dumps({"results": own}, ensure_ascii=False).encode()) <= ARCHIVER_BYTES + 100
    assert ("failure" in own) is bool(tail)
    assert own["logs"]["sha256"] == SHA


def test_the_tail_is_trimmed_from_its_beginning() -> None:
    own = results(log_result([(1, WHOLE)], SHA), b"early\n" * 1000 + b"AssertionError\n")
    assert own["failure"]["logTail"].startswith("…")
    assert own["failure"]["logTail"].endswith("early\nAssertionError")


def test_the_final_job_has_the_results_of_all_and_no_managed_fields() -> None:
    status = {"phase": "Failed", "results": {"source": {"commit": "abc"}}}
    body: Any = {"metadata": {"name": "x", "managedFields": []}, "status": status}
    stored = json.loads(final(body, {"logs": {"lines": 3}}))
    assert stored == {
        "metadata": {"name": "x"},
        "status": {
            "phase": "Failed",
            "results": {"source": {"commit": "abc"}, "logs": {"lines": 3}},
        },
    }
    assert body["status"]["results"] == {"source": {"commit": "abc"}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, (False, False, False)),
        ({"phase": "Running"}, (False, False, False)),
        ({"phase": "Running", "attempts": [{"startTime": "x"}]}, (False, True, False)),
        ({"phase": "Error"}, (True, False, False)),
        ({"phase": "Succeeded", "results": {"logs": {"lines": 0}}}, (True, False, True)),
        ({"phase": "Forged"}, (False, False, False)),
    ],
)
def test_where_a_job_is(status: dict[str, Any] | None, expected: tuple[bool, bool, bool]) -> None:
    body: Any = {"metadata": {}} | ({"status": status} if status else {})
    assert (is_final(body), has_begun(body), is_archived(body)) == expected


def tail(*chunks: list[bytes]) -> bytes:
    """The tail of a log with these chunks."""

    async def run() -> bytes:
        store, offset = MemoryStore(), 0
        for texts in chunks:
            stamps = [b"2026-01-31T12:00:00.%09dZ" % n for n in range(len(texts))]
            content = compose(Lines(tuple(stamps), Ordinals().number(stamps), tuple(texts)))
            await store.put(f"ci/job/u/log/1/{offset:016d}", content, kind="x")
            offset += len(content)
        return await tail_of(store, await list_chunks(store, "ci", "u", 1))

    return asyncio.run(run())


def test_the_tail_is_the_last_hundred_lines_over_chunks() -> None:
    texts = [b"line %d\n" % n for n in range(150)]
    assert tail(texts[:20], texts[20:80], texts[80:]) == b"".join(texts[50:])


def test_a_short_log_is_its_own_tail() -> None:
    assert tail([b"one\n", b"no newline"]) == b"one\nno newline"
    assert tail() == b""


def test_long_lines_make_a_short_tail() -> None:
    long = b"x" * (TAIL_BYTES - 10) + b"\n"
    assert tail([b"before\n", b"more than fits\n", long]) == long
    assert tail([b"y" * TAIL_BYTES * 2 + b"\n"]) == b"y" * (TAIL_BYTES - 1) + b"\n"
