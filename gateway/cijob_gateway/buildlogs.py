"""A build job's log as the Build Job API shows it: `[time] line`, and what became of the job.

Made from a follow of the job's log and states; called by the route. The lines of ours are made when
they are shown, from the status, and never stored: while a job waits it has none. Each stands where
it belongs in time, before the first line of its attempt or behind the last one.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

from cijob_api.objects import CIJob
from cijob_api.reasons import Phase, Reason
from cijob_api.statuses import ConditionType
from cijob_gateway.logs.logitems import Batch, End, Gap, Item, State


class BuildLog:
    """One reader's log of one build job; `current` gives the job as it is known now."""

    def __init__(self, job: CIJob, current: Callable[[], CIJob | None]) -> None:
        self._job = job
        self._current = current
        self._told: set[str] = set()  # what became of the job, as far as it was shown
        self._last = ""  # the time of the last line

    async def lines(self, items: AsyncGenerator[Item, None]) -> AsyncGenerator[list[str]]:
        """Lines as they come, some at a time; the job's end is the last one."""
        async with aclosing(items):
            async for item in items:
                self._job = self._current() or self._job
                if lines := list(self._made_from(item)):
                    yield lines

    def _made_from(self, item: Item) -> Iterator[str]:
        match item:
            case Batch():
                yield from self._up_to(item.attempt)
                for time, text in zip(item.timestamps, item.lines, strict=True):
                    self._last = time.decode()
                    yield f"[{self._last}] {text.decode(errors='replace').removesuffix(chr(10))}"
            case State():
                yield from self._up_to(item.attempt or 0)
            case Gap():
                yield self._line(self._last, f"cijob: lines are missing here: {item.message}")
            case End():
                attempts = self._job.status.attempts or []
                yield from self._up_to(attempts[-1].number if attempts else 0)
                if words := _end(self._job):
                    yield self._line(self._job.status.completion_time or "", words)

    def _up_to(self, number: int) -> Iterator[str]:
        """How the job came to this attempt, as far as it was not told yet."""
        for attempt, time, words in _history(self._job):
            if attempt <= number and words not in self._told:
                self._told.add(words)
                yield self._line(time, words)

    def _line(self, time: str, words: str) -> str:
        """A line of ours, never before the line that it stands behind.

        Statuses have whole seconds, and the clock of the operator's node.
        """
        if time[:19] <= self._last[:19]:
            time = self._last
        self._last = time
        return f"[{time}] {words}"


def _history(job: CIJob) -> Iterator[tuple[int, str, str]]:
    """What became of a job up to each attempt: the attempt, the time, the words."""
    attempts = job.status.attempts or []
    created = job.metadata.creation_timestamp
    if attempts:
        first = attempts[0]
        assigned = min(filter(None, (_admitted(job), first.start_time)), default=created)
        yield 1, created, "Build queued"
        yield 1, assigned, f"Build assigned to server {job.status.pool}"
    for attempt in attempts:
        if attempt.start_time:
            again = "" if attempt.number == 1 else f", attempt {attempt.number}"
            yield attempt.number, attempt.start_time, f"Build building{again}"


def _admitted(job: CIJob) -> str | None:
    for condition in job.status.conditions or []:
        if condition.type == ConditionType.ADMITTED and condition.status == "True":
            return condition.last_transition_time
    return None


def _end(job: CIJob) -> str:
    status = job.status
    if not status.phase.is_final:
        return ""
    if status.phase == Phase.SUCCEEDED:
        return "Build completed"
    if status.reason == Reason.CANCELLED:
        return "Build cancelled by user"
    kind = "cancelled" if status.phase == Phase.CANCELLED else "failed"
    return f"Build {kind}: {status.message or status.reason}"
