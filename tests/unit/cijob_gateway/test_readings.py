"""What is asked of the log API, and when lines came so fast that less is asked."""

import pytest

from cijob_api.lines import LineId
from cijob_gateway.logs.readings import END_LINES, Dense
from kit.kubelet import SECOND, stamp


@pytest.mark.parametrize(
    ("lines", "nanoseconds", "batch", "dense"),
    [
        (END_LINES - 1, 1000, 1, False),
        (2 * END_LINES, 1000, 1, True),
        (2 * END_LINES, 1000, 700, True),
        (2 * END_LINES, 1000, 3 * END_LINES, False),  # all of it came at once: it may be no more
        (2 * END_LINES, SECOND // 100, 1, False),  # a hundred a second
        (0, 0, 1, False),
    ],
)
def test_lines_are_dense_if_seconds_of_them_are_more_than_the_end_of_a_log(
    *, lines: int, nanoseconds: int, batch: int, dense: bool
) -> None:
    counted, last = Dense(), None
    for n in range(0, lines, batch):
        last = LineId(1, stamp((n + batch) * nanoseconds).decode(), 0)
        counted.add(batch, last)
    assert counted.at(last) is dense
    assert len(counted._marks) <= 20
