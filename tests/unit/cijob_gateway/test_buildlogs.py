"""The log of a build job: its own lines, and those of what became of it, each in its place."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from cijob_api.lines import Lines
from cijob_api.objects import CIJob
from cijob_gateway.buildlogs import BuildLog
from cijob_gateway.logs.logitems import Batch, Closed, End, Gap, Item, State

Life = list[tuple[Item, CIJob]]
CREATED = "2026-01-01T00:00:00Z"


def at(second: int, fraction: str = "") -> str:
    return f"2026-01-01T00:00:{second:02}{fraction}Z"


def job(phase: str = "Queued", *attempts: dict[str, Any], **status: Any) -> CIJob:
    metadata = {"name": "j", "namespace": "ci", "uid": "u", "creationTimestamp": CREATED}
    status = {"phase": phase, "attempts": list(attempts), **status}
    return CIJob.parse({"metadata": metadata, "spec": {}, "status": status})


def attempt(number: int, started: int | None = None) -> dict[str, Any]:
    return {"number": number, **({"startTime": at(started)} if started is not None else {})}


def admitted(second: int) -> list[dict[str, str]]:
    found = {"type": "Admitted", "status": "True", "reason": "Admitted", "message": ""}
    return [{**found, "lastTransitionTime": at(second)}]


def batch(number: int, second: int, *lines: str) -> Batch:
    time = at(second, ".500000000").encode()
    return Batch(number, Lines.of_rows([(time, k, f"{t}\n".encode()) for k, t in enumerate(lines)]))


def end(phase: str) -> End:
    return End(phase, None, None, None, None, None, None, complete=True)


def read(life: Life) -> list[list[str]]:
    """What a reader gets who follows this life of a job."""
    now = life[0][1]

    async def items() -> AsyncGenerator[Item, None]:
        nonlocal now
        for item, then in life:
            now = then
            yield item

    async def all_of_it() -> list[list[str]]:
        return [lines async for lines in BuildLog(now, lambda: now).lines(items())]

    return asyncio.run(all_of_it())


RUNNING = job("Running", attempt(1, 2), pool="big", conditions=admitted(3))
DONE = job("Succeeded", attempt(1, 2), pool="big", conditions=admitted(3), completionTime=at(4))
BEGIN = [
    f"[{CREATED}] Build queued",
    # Written with the status that says it runs, so never later than that.
    f"[{at(2)}] Build assigned to server big",
    f"[{at(2)}] Build building",
]


def test_a_build_from_its_queue_to_its_end() -> None:
    life: Life = [
        (State("Queued", None, None, None), job()),
        (State("Running", None, None, 1), RUNNING),
        (batch(1, 3, "one", "two"), RUNNING),
        (Closed(1), RUNNING),
        (end("Succeeded"), DONE),
    ]
    line = at(3, ".500000000")
    assert read(life) == [
        BEGIN,
        [f"[{line}] one", f"[{line}] two"],
        [f"[{at(4)}] Build completed"],
    ]


def test_who_comes_late_reads_the_same() -> None:
    life: Life = [(batch(1, 3, "one"), DONE), (Closed(1), DONE), (end("Succeeded"), DONE)]
    told = [line for lines in read(life) for line in lines]
    assert told == [*BEGIN, f"[{at(3, '.500000000')}] one", f"[{at(4)}] Build completed"]


def test_while_it_waits_there_is_nothing() -> None:
    assert read([(State("Queued", None, None, None), job()), (end("Queued"), job())]) == []


def test_cancelled_while_it_waited_it_has_one_line() -> None:
    done = job("Cancelled", reason="Cancelled", completionTime=at(5))
    assert read([(end("Cancelled"), done)]) == [[f"[{at(5)}] Build cancelled by user"]]


def test_one_that_starts_is_assigned_and_not_building_yet() -> None:
    starting = job("Starting", attempt(1), pool="big", conditions=admitted(1))
    life: Life = [(State("Starting", None, None, 1), starting), (end("Starting"), starting)]
    assert read(life) == [[f"[{CREATED}] Build queued", f"[{at(1)}] Build assigned to server big"]]


def test_a_second_attempt_is_told_behind_the_lines_of_the_first() -> None:
    both = [attempt(1, 2), attempt(2, 6)]
    failed = job("Failed", *both, pool="big", message="exit code 2", completionTime=at(9))
    life: Life = [(batch(1, 3, "one"), failed), (batch(2, 7, "two"), failed)]
    told = [
        line.split("] ")[1] for lines in read([*life, (end("Failed"), failed)]) for line in lines
    ]
    assert told == [
        *("Build queued", "Build assigned to server big", "Build building", "one"),
        *("Build building, attempt 2", "two", "Build failed: exit code 2"),
    ]


def test_the_end_is_never_shown_before_the_last_line() -> None:
    """Its time has whole seconds, and comes from another clock."""
    life: Life = [(batch(1, 4, "late"), DONE), (end("Succeeded"), DONE)]
    late = at(4, ".500000000")
    assert read(life)[-2:] == [[*BEGIN, f"[{late}] late"], [f"[{late}] Build completed"]]


def test_what_is_missing_is_said() -> None:
    told = read([(batch(1, 3, "one"), RUNNING), (Gap("rotated away"), RUNNING)])
    where = at(3, ".500000000")
    assert told[-1] == [f"[{where}] cijob: lines are missing here: rotated away"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    row = (at(3, ".500000000").encode(), 0, b"\xff!\n")
    [lines] = read([(Batch(1, Lines.of_rows([row])), RUNNING)])
    assert lines[-1].endswith("] \N{REPLACEMENT CHARACTER}!")
