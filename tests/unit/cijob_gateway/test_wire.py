"""Events as bytes: what they say, and what they cost in memory."""

import json
from typing import Any

import pytest

from cijob_api.lines import Lines
from cijob_gateway.logs.logitems import Batch, Closed, End, Gap, Item, State
from cijob_gateway.wire import LONG, Encodings, encode, event, pieces, stamped

T = "2026-01-01T00:00:00.000000000Z"
END = End("Succeeded", "Completed", "exit code 0", 0, 2, 6, "0" * 64, complete=True)


def batch(*texts: bytes) -> Batch:
    return Batch(1, Lines.of_rows([(T.encode(), k, text) for k, text in enumerate(texts)]))


LINES = batch(b"one\n", b"\xff\r")


def data(content: bytes) -> Any:
    return json.loads(content.decode("ascii").split("\n")[2].removeprefix("data: "))


def lines_of(content: bytes) -> list[bytes]:
    return [line.encode("utf-8", "surrogateescape") for line in data(content)["lines"]]


def test_a_batch_is_ascii_and_keeps_its_bytes() -> None:
    content = b"".join(encode(LINES))
    assert content.split(b"\n")[:2] == [f"id: 1.{T}.1".encode(), b"event: log"]
    assert lines_of(content) == list(LINES.lines)


def test_each_item_is_an_event_of_its_kind() -> None:
    items: list[Item] = [State("Queued", "", "", 1), Gap("x"), END, Closed(1)]
    kinds = [b"".join(encode(item)).split(b"\n")[0] for item in items]
    assert kinds == [b"event: status", b"event: gap", b"event: end", b""]


def test_a_line_with_times_is_behind_its_time() -> None:
    assert lines_of(b"".join(encode(stamped(LINES))))[0] == f"{T} one\n".encode()


@pytest.mark.parametrize("text", [b"\0", "\N{WAVING HAND SIGN}".encode(), b"\xf0\x9f", b'"\\'])
def test_a_long_line_is_the_same_event_in_pieces(text: bytes) -> None:
    long = batch(text * 200_000)
    made = list(encode(long))
    assert len(made) > 3
    assert max(map(len, made)) <= 12 * LONG
    assert b"".join(made) == Encodings().of(long)
    assert lines_of(b"".join(made)) == list(long.lines)


@pytest.mark.parametrize(
    "said", [{}, [], {"a": [1, None, {}], "b": {"c": "x" * (LONG + 1)}}, "y" * 3 * LONG, {"": [[]]}]
)
def test_pieces_are_the_event(said: object) -> None:
    assert b"".join(pieces("kind", said, "7")) == event("kind", said, "7")


def test_a_batch_is_encoded_once_for_its_readers() -> None:
    encodings = Encodings()
    assert encode(LINES, encodings) == encode(LINES, encodings)
    assert encodings.of(LINES) is encodings.of(LINES)


def test_what_is_kept_is_bounded_in_bytes_and_the_last_ones() -> None:
    encodings = Encodings(most_bytes=100_000)
    batches = [batch(*[b"\n"] * 100) for _ in range(50)]
    made = [encodings.of(one) for one in batches]
    assert 80_000 < encodings.bytes <= 100_000
    assert encodings.of(batches[-1]) is made[-1]
    assert encodings.of(batches[0]) is not made[0]


def test_a_long_line_is_not_kept() -> None:
    encodings = Encodings()
    assert sum(map(len, encode(batch(b"\0" * 8 * 1024 * 1024), encodings))) > 48 * 1024 * 1024
    assert encodings.bytes == 0
