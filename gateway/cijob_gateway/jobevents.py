"""A job's events in their order, made from a follow of its log and states.

Called by the route. The same job gives the same events however often it is asked; a reader that
comes back goes on behind the event that it had last.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

from cijob_api import cloudevents
from cijob_api.cloudevents import DETAILS, CloudEvent
from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_api.statuses import Attempt
from cijob_gateway.logs.follows import Follows
from cijob_gateway.logs.logitems import Batch, Closed, End, Gap, Item, State


class JobEvents:
    """The events of one job for one reader; `current` gives the job as it is known now."""

    def __init__(self, job: CIJob, follows: Follows, current: Callable[[], CIJob | None]) -> None:
        self._job = job
        self._follows = follows
        self._current = current
        self._begun = 0  # the last attempt whose start was told
        self._closed = 0  # the last attempt whose repetition was told
        self._gaps = 0
        self._tail: deque[str] = deque(maxlen=DETAILS)
        self._tail_of = 0  # of which attempt these lines are the last

    def after(self, last: str | None) -> AsyncGenerator[CloudEvent, None]:
        """All events behind the one with id `last`, or all. Raises ValueError for a foreign id."""
        place = self._place(last)
        line = _line_id(place)
        if line:
            self._begun, self._closed = line.attempt, line.attempt - 1
            return self._all(after=line)
        return _behind(last, self._all()) if last else self._all()

    def from_now(self) -> AsyncGenerator[CloudEvent, None]:
        """What happens from now on."""
        begun = [number for number, known in self._attempts().items() if known.start_time]
        self._begun = max(begun, default=0)
        self._closed = self._begun - 1
        return self._all(now=True)

    async def _all(
        self, *, after: LineId | None = None, now: bool = False
    ) -> AsyncGenerator[CloudEvent, None]:
        whole = after is None and not now
        if whole:
            yield cloudevents.queued(self._job)
        items = self._follows.follow(self._job, after=after, follow=True, from_now=now)
        async with aclosing(items):
            async for item in items:
                self._job = self._current() or self._job
                if isinstance(item, End) and not whole:
                    await self._read_tail()
                for event in self._made_from(item):
                    yield event

    def _made_from(self, item: Item) -> Iterator[CloudEvent]:
        match item:
            case Batch():
                yield from self._up_to(item.attempt)
                if item.attempt != self._tail_of:
                    self._tail_of = item.attempt
                    self._tail.clear()
                for identity, raw in zip(item.content.ids(item.attempt), item.lines, strict=True):
                    text = raw.decode("utf-8", "surrogateescape")
                    self._tail.append(text.removesuffix("\n"))
                    yield cloudevents.line(self._job, identity, text)
            case State():
                yield from self._up_to(item.attempt or 0)
            case Closed():
                if not self._job.status.phase.is_final:
                    yield from self._up_to(item.attempt + 1)
            case Gap():
                self._gaps += 1
                yield cloudevents.gap(self._job, self._gaps, item.message)
            case End():
                yield from self._up_to(max(self._attempts(), default=0))
                if self._job.status.phase.is_final:
                    yield cloudevents.finished(self._job, list(self._tail))

    def _up_to(self, number: int) -> Iterator[CloudEvent]:
        """Starts and repetitions that were not told yet, up to an attempt, each once.

        A repetition is told when all lines of its attempt were.
        """
        for known, attempt in sorted(self._attempts().items()):
            if known > number:
                return
            if known > self._begun and attempt.start_time:
                self._begun = known
                yield cloudevents.started(self._job, attempt)
            if number > known > self._closed and attempt.completion_time:
                self._closed = known
                yield cloudevents.retrying(self._job, attempt)

    def _attempts(self) -> dict[int, Attempt]:
        return {attempt.number: attempt for attempt in self._job.status.attempts or []}

    async def _read_tail(self) -> None:
        """The end of the log for who did not read all of it."""
        if len(self._tail) == DETAILS:
            return
        self._tail.clear()
        wanted = self._follows.follow(self._job, follow=False, tail=DETAILS)
        async with aclosing(wanted) as items:
            async for item in items:
                if isinstance(item, Batch):
                    texts = (raw.decode("utf-8", "surrogateescape") for raw in item.lines)
                    self._tail.extend(text.removesuffix("\n") for text in texts)

    def _place(self, last: str | None) -> str:
        uid = self._job.metadata.uid
        if last is None:
            return ""
        if not last.startswith(f"{uid}."):
            raise ValueError(f"{last!r} is no event of this job")
        return last.removeprefix(f"{uid}.")


def _line_id(place: str) -> LineId | None:
    try:
        return LineId.parse(place) if place else None
    except ValueError:
        return None


async def _behind(
    last: str, events: AsyncGenerator[CloudEvent, None]
) -> AsyncGenerator[CloudEvent, None]:
    """What comes behind an event."""
    found = False
    async with aclosing(events):
        async for event in events:
            if found:
                yield event
            found = found or event.id == last
