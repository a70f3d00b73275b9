"""The events of a job in their order, and a reader that comes back."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from cijob_api.details import DETAILS_CHARACTERS
from cijob_api.lines import LineId, Lines
from cijob_api.objects import CIJob
from cijob_gateway.jobevents import JobEvents
from cijob_gateway.logs.follows import Follows
from cijob_gateway.logs.logitems import Batch, Closed, End, Gap, Item, State

T = "2026-01-01T00:00:00.00000000{}Z"


def job(*attempts: dict[str, Any], **status: Any) -> CIJob:
    return CIJob.parse(
        {
            "metadata": {"name": "j", "namespace": "team", "uid": "u", "creationTimestamp": "t0"},
            "spec": {},
            "status": {"attempts": list(attempts), **status},
        }
    )


def attempt(number: int, *, ended: bool = False) -> dict[str, Any]:
    end = {"completionTime": "t9", "reason": "CommandFailed", "exitCode": 1} if ended else {}
    return {"number": number, "startTime": f"t{number}", **end}


def batch(number: int, *lines: int) -> Batch:
    rows = [(T.format(n).encode(), 0, f"line {n}\n".encode()) for n in lines]
    return Batch(number, Lines.of_rows(rows))


STATES = {"queued": job(), "running": job(attempt(1), phase="Running")}
AGAIN = job(attempt(1, ended=True), phase="Queued", reason="BackingOff")
SECOND = job(attempt(1, ended=True), attempt(2), phase="Running")
FAILED = job(
    attempt(1, ended=True), attempt(2, ended=True), phase="Failed", completionTime="t9", exitCode=1
)
END = End("Failed", "CommandFailed", "exit code 1", 1, 3, 21, "0", complete=True)
# What is followed, and how the job stands when it comes.
LIFE: list[tuple[Item, CIJob]] = [
    (State("Queued", None, None, None), STATES["queued"]),
    (State("Running", "Running", None, 1), STATES["running"]),
    (batch(1, 1, 2), STATES["running"]),
    (State("Queued", "BackingOff", None, 1), AGAIN),
    (Closed(1), AGAIN),
    (batch(2, 3), SECOND),
    (Gap("rotated away"), SECOND),
    (END, FAILED),
]


class Followed:
    """A follow that gives the life above, from behind a line if one is named."""

    def __init__(self, life: list[tuple[Item, CIJob]]) -> None:
        self.life = life
        self.now = life[0][1]

    async def follow(
        self, _: CIJob, *, after: LineId | None = None, follow: bool, **wanted: Any
    ) -> AsyncGenerator[Item, None]:
        if not follow:  # its tail
            yield batch(2, 3)
            return
        for item, state in self.life:
            self.now = state
            if after and isinstance(item, Batch):
                left = [i for i in item.content.ids(item.attempt) if i.timestamp > after.timestamp]
                if not left:
                    continue
                numbers = [int(i.timestamp[-2]) for i in left]
                yield batch(item.attempt, *numbers)
            else:
                yield item


def told(last: str | None = None, life: list[tuple[Item, CIJob]] = LIFE) -> list[Any]:
    followed = Followed(life)

    async def run() -> list[Any]:
        made = JobEvents(life[0][1], cast("Follows", followed), lambda: followed.now)
        return [event async for event in made.after(last)]

    return asyncio.run(run())


WHOLE = [
    "u.queued",
    "u.started.1",
    f"u.1.{T.format(1)}.0",
    f"u.1.{T.format(2)}.0",
    "u.retrying.1",
    "u.started.2",
    f"u.2.{T.format(3)}.0",
    f"u.gap.2.{T.format(3)}.0.1",
    "u.finished",
]


def test_a_life_is_told_in_order_and_everything_once() -> None:
    assert [event.id for event in told()] == WHOLE


def test_states_that_were_skipped_are_told_all_the_same() -> None:
    life: list[tuple[Item, CIJob]] = [
        (batch(1, 1, 2), AGAIN),
        (batch(2, 3), SECOND),
        (END, FAILED),
    ]
    assert [event.id for event in told(life=life)] == [i for i in WHOLE if ".gap." not in i]


def test_a_repetition_is_told_before_its_attempt_begins_but_behind_all_lines() -> None:
    told_by = {item: [e.id for e in told(life=LIFE[: n + 1])] for n, (item, _) in enumerate(LIFE)}
    assert told_by[State("Queued", "BackingOff", None, 1)] == WHOLE[:4]
    assert told_by[Closed(1)] == WHOLE[:5]


@pytest.mark.parametrize("place", range(len(WHOLE)))
def test_who_comes_back_goes_on_behind_any_event(place: int) -> None:
    rest = [event.id for event in told(WHOLE[place])]
    assert rest == WHOLE[place + 1 :]


def test_the_end_has_the_last_attempts_tail_also_for_who_came_back() -> None:
    for last in (None, WHOLE[0], WHOLE[6]):
        assert told(last)[-1].data["details"] == ["line 3"]


def without(*kinds: type[Item]) -> list[tuple[Item, CIJob]]:
    return [(item, state) for item, state in LIFE if not isinstance(item, kinds)]


@pytest.mark.parametrize(
    ("last", "rest"),
    [
        (WHOLE[7], ["u.finished"]),
        ("u.gap.2.1", [*WHOLE[6:7], "u.finished"]),  # before any line of that attempt
        (f"u.1.{T.format(2)}.0", [*WHOLE[4:7], "u.finished"]),
    ],
)
def test_who_had_a_gap_that_is_filled_by_now_goes_on_all_the_same(
    last: str, rest: list[str]
) -> None:
    assert [event.id for event in told(last, without(Gap))] == rest


@pytest.mark.parametrize("last", ["u.queued", "u.started.1", "u.retrying.1", "u.gap.1.1"])
def test_who_had_an_event_of_an_attempt_that_is_forgotten_goes_on_all_the_same(last: str) -> None:
    forgotten = job(attempt(2), phase="Running")
    ended = job(attempt(2, ended=True), phase="Failed", completionTime="t9", exitCode=1)
    life: list[tuple[Item, CIJob]] = [
        (State("Running", "Running", None, 2), forgotten),
        (batch(2, 3), forgotten),
        (END, ended),
    ]
    assert [event.id for event in told(last, life)] == [*WHOLE[5:7], "u.finished"]


def test_gaps_at_one_place_are_told_apart_and_a_gap_without_a_line_is_of_its_attempt() -> None:
    life: list[tuple[Item, CIJob]] = [
        (Gap("nothing was read"), STATES["running"]),
        (State("Running", "Running", None, 1), STATES["running"]),
        (Gap("first"), STATES["running"]),
        (Gap("second"), STATES["running"]),
        (batch(1, 1), STATES["running"]),
        (Gap("third"), STATES["running"]),
        (batch(2, 3), SECOND),
        (Gap("fourth"), SECOND),
    ]
    assert [event.id for event in told(life=life) if ".gap." in event.id] == [
        "u.gap.0.1",
        "u.gap.1.1",
        "u.gap.1.2",
        f"u.gap.1.{T.format(1)}.0.1",
        f"u.gap.2.{T.format(3)}.0.1",
    ]


def test_details_are_bounded_however_long_the_lines_are() -> None:
    rows = [(T.format(n).encode(), 0, b"x" * 2**20 + b"\n") for n in range(9)]
    long: list[tuple[Item, CIJob]] = [(Batch(2, Lines.of_rows(rows)), SECOND), (END, FAILED)]
    assert [len(line) for line in told(life=long)[-1].data["details"]] == [DETAILS_CHARACTERS]


@pytest.mark.parametrize("last", ["u.gap.1", "u.started.x", "u.more", "u."])
def test_what_is_no_event_is_refused_at_once(last: str) -> None:
    with pytest.raises(ValueError, match="no event of this job"):
        told(last)


def test_an_event_of_another_job_is_refused_at_once() -> None:
    made = JobEvents(STATES["queued"], cast("Follows", None), lambda: None)
    with pytest.raises(ValueError, match="no event of this job"):
        made.after("other.queued")
