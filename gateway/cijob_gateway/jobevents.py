"""A job's events in their order, made from a follow of its log and states.

Called by the route. The same job gives the same events however often it is asked; a reader that
comes back goes on behind the event that it had last, even if that is not told any more: an attempt
is forgotten after ten, and a gap may have been filled.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

from cijob_api import cloudevents
from cijob_api.cloudevents import CloudEvent
from cijob_api.details import DETAILS, Details
from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_api.statuses import Attempt
from cijob_gateway.eventplaces import EventPlace
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
        self._line: LineId | None = None  # the last one that was told
        self._behind = ""  # what the last gap stands behind
        self._gaps = 0  # how many stand there
        self._tail = Details()
        self._tail_of = 0  # of which attempt these lines are the last

    def after(self, last: str | None) -> AsyncGenerator[CloudEvent, None]:
        """All events behind the one with id `last`, or all. Raises ValueError for a foreign id."""
        if last is None:
            return self._all()
        place = self._place(last)
        if place.line:
            self._line = place.line
            self._begun, self._closed = place.line.attempt, place.line.attempt - 1
        return self._all_behind(place)

    def from_now(self) -> AsyncGenerator[CloudEvent, None]:
        """What happens from now on."""
        begun = [number for number, known in self._attempts().items() if known.start_time]
        self._begun = max(begun, default=0)
        self._closed = self._begun - 1
        return self._all(now=True)

    async def _all_behind(self, place: EventPlace) -> AsyncGenerator[CloudEvent, None]:
        """What comes behind an event."""
        skipping = True
        async with aclosing(self._all(after=place.line)) as events:
            async for event in events:
                skipping = skipping and place.covers(self._place(event.id))
                if not skipping:
                    yield event

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
                    self._tail_of, self._tail = item.attempt, Details()
                self._line = item.last
                for identity, raw in zip(item.content.ids(item.attempt), item.lines, strict=True):
                    text = raw.decode("utf-8", "surrogateescape")
                    self._tail.add(text)
                    yield cloudevents.line(self._job, identity, text)
            case State():
                yield from self._up_to(item.attempt or 0)
            case Closed():
                if not self._job.status.phase.is_final:
                    yield from self._up_to(item.attempt + 1)
            case Gap():
                yield cloudevents.gap(self._job, self._gap(), item.message)
            case End():
                yield from self._up_to(max(self._attempts(), default=0))
                if self._job.status.phase.is_final:
                    yield cloudevents.finished(self._job, self._tail.lines)

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

    def _gap(self) -> str:
        """Where a gap stands: behind which line of the attempt, and which one it is there."""
        here = self._line and self._line.attempt >= self._begun
        behind = str(self._line if here else self._begun)
        self._gaps = self._gaps + 1 if behind == self._behind else 1
        self._behind = behind
        return f"{behind}.{self._gaps}"

    def _attempts(self) -> dict[int, Attempt]:
        return {attempt.number: attempt for attempt in self._job.status.attempts or []}

    async def _read_tail(self) -> None:
        """The end of the log for who did not read all of it."""
        if self._tail.full:
            return
        self._tail = Details()
        wanted = self._follows.follow(self._job, follow=False, tail=DETAILS)
        async with aclosing(wanted) as items:
            async for item in items:
                if isinstance(item, Batch):
                    for raw in item.lines:
                        self._tail.add(raw.decode("utf-8", "surrogateescape"))

    def _place(self, identity: str) -> EventPlace:
        """Where an event stands. Raises ValueError for one of another job."""
        uid = self._job.metadata.uid
        try:
            if identity.startswith(f"{uid}."):
                return EventPlace.parse(identity.removeprefix(f"{uid}."))
        except ValueError as error:
            raise ValueError(f"{identity[:200]!r} is no event of this job: {error}") from error
        raise ValueError(f"{identity[:200]!r} is no event of this job")
