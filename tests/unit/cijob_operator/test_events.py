"""Which changes of a status are worth an Event."""

import asyncio
from typing import Any

import pytest

from cijob_api.reasons import MEANINGS, Phase, Reason
from cijob_api.statuses import CIJobStatus
from cijob_kube.events import Event, Events, Subject
from cijob_operator.events import ORDINARY, JobEvents, event_of
from unit.cijob_operator.builders import backing_off, is_running, job

NEW: dict[str, Any] = {}
WAITS = {"phase": "Queued", "reason": "WaitingForCapacity", "message": "all places are taken"}
UNFIT = {"phase": "Queued", "reason": "NoFittingPool", "message": "no pool has arm64"}
PULLS = {"phase": "Starting", "reason": "PullingImage", "message": "pulls it"}
UNSCHEDULABLE = {"phase": "Starting", "reason": "Unschedulable", "message": "0/1 nodes"}
DONE = {"phase": "Succeeded", "reason": "Completed", "message": "exit code 0"}
FAILED = {"phase": "Failed", "reason": "CommandFailed", "message": "exit code 1"}
CANCELLED = {"phase": "Cancelled", "reason": "Cancelled", "message": "it was cancelled"}

# before, after → reason, whether it is a warning
WORTH_ONE = [
    (NEW, WAITS, "WaitingForCapacity", False),
    (NEW, UNFIT, "NoFittingPool", True),
    (NEW, PULLS, "PullingImage", False),
    (PULLS, UNSCHEDULABLE, "Unschedulable", True),
    (is_running(), backing_off(own=1), "BackingOff", True),
    (backing_off(own=1), backing_off(own=2), "BackingOff", True),
    (backing_off(infrastructure=1), backing_off(infrastructure=2), "BackingOff", True),
    (is_running(), FAILED, "CommandFailed", True),
    (is_running(), CANCELLED, "Cancelled", False),
]
WORTH_NONE = [
    (NEW, NEW),
    (NEW, is_running()),
    (WAITS, is_running()),
    (is_running(), DONE),
    (NEW, DONE),
    (WAITS, {**WAITS, "message": "other words"}),
    (UNSCHEDULABLE, {**UNSCHEDULABLE, "message": "0/2 nodes"}),
    (is_running(), is_running(message="other words")),
    (NEW, {"phase": "Starting", "reason": "Starting", "message": "attempt 1 is about to start"}),
]


def status(fields: dict[str, Any]) -> CIJobStatus:
    return CIJobStatus.model_validate(fields)


@pytest.mark.parametrize(("before", "after", "reason", "warning"), WORTH_ONE)
def test_a_new_reason_is_worth_an_event(
    before: dict[str, Any], after: dict[str, Any], reason: str, *, warning: bool
) -> None:
    assert event_of(status(before), status(after)) == Event(
        reason, after["message"], warning=warning
    )


@pytest.mark.parametrize(("before", "after"), WORTH_NONE)
def test_what_is_ordinary_and_other_words_are_worth_none(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert event_of(status(before), status(after)) is None


@pytest.mark.parametrize("reason", sorted(set(Reason) - ORDINARY))
def test_every_bad_end_is_a_warning_and_no_good_one(reason: Reason) -> None:
    phase = MEANINGS[reason].phase
    event = event_of(status(NEW), status({"phase": phase.value, "reason": reason.value}))
    assert event is not None
    if phase.is_final:
        assert event.warning == (phase in {Phase.FAILED, Phase.ERROR})


def test_an_event_is_about_the_job() -> None:
    told: list[tuple[Subject, Event]] = []

    class Told(Events):
        def tell(self, subject: Subject, event: Event) -> None:
            told.append((subject, event))

    async def tell() -> None:
        events = JobEvents(Told(None, "c"))  # type: ignore[arg-type]  # nothing is sent
        events.tell(job(), status(FAILED))
        events.tell(job(status=FAILED), status(FAILED))

    asyncio.run(tell())
    about = Subject("cijob.dev/v1alpha1", "CIJob", "team", "tests", "job-uid")
    assert told == [(about, Event("CommandFailed", "exit code 1", warning=True))]
