"""What the status of a pool says."""

from datetime import UTC, datetime

from cijob_api.statuses import CIPoolStatus
from cijob_operator.poolstatuses import NODES, status
from cijob_operator.times import format_time

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


def test_a_pool_says_how_full_it_is() -> None:
    found = status(CIPoolStatus(), running=2, queued=3, nodes=1, now=NOON)
    assert (found.running, found.queued, found.nodes) == (2, 3, 1)
    assert found.conditions
    (condition,) = found.conditions
    assert (condition.type, condition.status, condition.reason) == (NODES, "True", "NodesFound")


def test_the_same_counts_are_the_same_status_at_any_time() -> None:
    first = status(CIPoolStatus(), running=2, queued=3, nodes=1, now=NOON)
    assert status(first, running=2, queued=3, nodes=1, now=LATER) == first


def test_a_pool_without_nodes_says_since_when() -> None:
    first = status(CIPoolStatus(), running=0, queued=0, nodes=1, now=NOON)
    found = status(first, running=0, queued=3, nodes=0, now=LATER)
    assert found.conditions
    assert found.conditions[0].status == "False"
    assert found.conditions[0].last_transition_time == format_time(LATER)
    assert "no node fits" in found.conditions[0].message
