"""Where an attempt's time went, row by row: each second once, and nothing that is not known."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_api.reasons import Reason
from cijob_operator.podviews import AgentView, PodView
from cijob_operator.spent import spent
from unit.cijob_operator.builders import (
    NOON,
    agent,
    ago,
    attempt,
    ended,
    is_running,
    job,
    pod,
    running,
    starting,
)

FETCHED: dict[str, Any] = {"stage": "done", "waitedSeconds": 4.2}
BEFORE = replace(agent(0, **FETCHED), before=True, started=ago(59))
COLLECTED = is_running(
    results={"collection": {"attempt": 1, "state": "Complete", "fetchSeconds": 6}}
)
OTHER = is_running(results={"collection": {"attempt": 2, "state": "Complete", "fetchSeconds": 6}})
PULLING = {"phase": "Starting", "reason": "PullingImage"}
KNOWN = is_running(attempts=[attempt(1, spent={"pullingSeconds": 9})])


@dataclass(frozen=True)
class Row:
    """A Pod of a minute ago whose container started 30 s ago, if it did, and has ended now."""

    seen: str
    pod: PodView
    starting: int | None
    pulling: int | None = None
    fetching: int | None = None
    running: int | None = None
    status: dict[str, Any] = field(default_factory=dict)
    reason: Reason | None = Reason.COMPLETED  # None: it has not ended


ROWS = [
    Row("nothing but a command", ended(0), 30, running=30),
    Row("an image was pulled", ended(0, pulled=14.4), 16, 14, running=30),
    Row("it was there", ended(0, pulled=0.3), 30, running=30),
    Row("the kubelet says more than there was", ended(0, pulled=99), 0, 30, running=30),
    Row("the Running status knew of it", ended(0), 21, 9, running=30, status=KNOWN),
    Row("pulls failed before one did not", ended(0, pulled=2, scheduled=ago(50)), 10, 20,
        running=30, status=PULLING),
    Row("a source beside the job", ended(0, agent=agent(0, **FETCHED)), 30, None, 4, 26),
    Row("its command was faster than its agent's end", ended(0, agent=agent()), 30, running=30),
    Row("a source before the job", ended(0, agent=BEFORE), 26, None, 4, 30),
    Row("both before the job", ended(0, agent=BEFORE, pulled=20), 6, 20, 4, 30),
    Row("results, and the gateway knows", ended(0, agent=agent()), 30, None, 6, 24, COLLECTED),
    Row("the gateway knows it of another attempt", ended(0, agent=agent()), 30, running=30,
        status=OTHER),
    Row("the source never came", ended(143, agent=agent(1, stage="fetch")), 30, None, 29, 1,
        reason=Reason.SOURCE_NOT_FOUND),
    Row("it never came, and the image neither", starting(agent=agent(1, stage="fetch")), 31,
        None, 29, 0, reason=Reason.SOURCE_NOT_FOUND),
    Row("the image could not be pulled", starting(scheduled=ago(58)), 2, 58, running=0,
        reason=Reason.IMAGE_PULL_FAILED),
    Row("no node had room", pod(), 60, running=0, reason=Reason.UNSCHEDULABLE),
    Row("it runs", running(30, pulled=14), 16, 14, reason=None),
    Row("it runs, and its source is there", running(30, agent=agent(0, **FETCHED)), 30,
        reason=None),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.seen for row in ROWS])
def test_each_second_is_counted_once(row: Row) -> None:
    known = job(status=row.status)
    over = NOON if row.reason else None
    found = spent(known, row.pod, ended=over, reason=row.reason)
    assert found
    parts = (found.starting_seconds, found.pulling_seconds, found.fetching_seconds)
    assert (*parts, found.running_seconds) == (
        row.starting,
        row.pulling,
        row.fetching,
        row.running,
    )


def test_of_a_pod_that_has_not_begun_nothing_is_said() -> None:
    assert spent(job(), starting()) is None


@settings(max_examples=200)
@given(
    created=st.integers(-5, 5000),
    pulled=st.floats(0, 9000),
    waited=st.floats(0, 9000),
    before=st.booleans(),
    gone_wrong=st.booleans(),
)
def test_the_parts_are_the_whole(
    *, created: int, pulled: float, waited: float, before: bool, gone_wrong: bool
) -> None:
    said = {"waitedSeconds": waited, "stage": "fetch" if gone_wrong else "done"}
    beside: AgentView = agent(1 if gone_wrong else 0, **said)
    what = ended(0, created=ago(created), pulled=pulled, agent=replace(beside, before=before))
    found = spent(job(), what, ended=NOON, reason=Reason.COMPLETED)
    assert found
    parts = [seconds or 0 for seconds in found.model_dump().values()]
    assert min(parts) >= 0
    assert sum(parts) == max(created - 30, 0) + 30
