"""Which part of a body a request asks for."""

import pytest

from cijob_gateway.ranges import bounds


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-7", (93, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=100-", (100, 100)),  # nothing is there: 416
        ("bytes=5-3", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        (f"bytes={'9' * 5000}-", None),
    ],
)
def test_a_range_is_read_as_rfc_9110_says(asked: str | None, wanted: object) -> None:
    assert bounds(asked, 100) == wanted
