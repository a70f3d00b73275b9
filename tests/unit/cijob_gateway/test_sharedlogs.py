"""How much memory the last lines of all followed logs may take."""

import pytest

from cijob_gateway.logs.sharedlogs import Kept


@pytest.mark.parametrize(
    ("logs", "share"), [(0, 1000), (1, 1000), (5, 1000), (6, 833), (300, 16), (5000, 1)]
)
def test_each_log_has_its_share_of_what_all_may_take(logs: int, share: int) -> None:
    kept = Kept(of_one=1000, of_all=5000, logs=logs)
    assert kept.share == share
    assert kept.share * logs <= kept.of_all
