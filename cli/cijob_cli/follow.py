"""Follows a job to its end, whatever happens to the connection. Called by outcome.

The stream is opened again for ever, behind the last line that came; only an `end` event ends it.
What came is counted and hashed, and compared with what the gateway says the whole log is.
"""

import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from cijob_api.names import ANNOTATION_AWAITS_SECRET
from cijob_api.reasons import FINAL, Reason
from cijob_cli.errors import Cut, Unavailable, Unreachable
from cijob_cli.events import End, Event, Status, read_end, read_last_event, read_status
from cijob_cli.gateway import Job
from cijob_cli.problems import error_of
from cijob_cli.queue import Place, read_place
from cijob_cli.screen import Screen

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
# A stream that never began: an address that is wrong is to be said soon.
_PATIENCE = 4


@dataclass
class Following:
    """How far a follow has come."""

    screen: Screen
    whole: bool = True  # the stream begins at the log's start
    job: Job | None = None
    last_id: str | None = None
    lines: int = 0
    size: int = 0
    began: bool = False
    shown: Status | None = None
    place: Place | None = None  # in the queue, as it was shown last
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=1000))
    earlier: frozenset[str] = frozenset()  # ids of the streams before this one
    gaps: set[str | None] = field(default_factory=set)  # behind which lines some are missing

    @property
    def name(self) -> str | None:
        """The job's name, once it is known."""
        return str(self.job["metadata"]["name"]) if self.job else None

    def take(self, event: Event) -> End | None:
        """One event; the end, if it is that."""
        self.began = True
        if event.kind == "log":
            self._log(event)
        elif event.kind == "job":
            self.job = dict(event.data())
            self.screen.note(f"job {self.name}")
        elif event.kind == "status":
            self._status(read_status(event.data()))
        elif event.kind == "queue":
            self._queue(read_place(event.data()))
        elif event.kind == "gap":
            self.gaps.add(self.last_id)
            self.screen.gap(str(event.data().get("message") or ""))
        elif event.kind == "error":
            raise error_of(int(event.data().get("status") or 500), event.text.encode(), {})
        elif event.kind == "end":
            return read_end(event.data())
        elif event.kind == "cloudevent":
            return self._cloudevent(event)
        return None

    def begin_again(self) -> None:
        """A new stream: what came in the earlier ones may come again.

        A gap behind the last line is told again, unless its lines are there by now. One with lines
        behind it is told by nobody any more.
        """
        self.earlier = frozenset(self.recent)
        self.gaps.discard(self.last_id)

    def _log(self, event: Event) -> None:
        if event.id in self.earlier:
            return  # sent again after a reconnect
        lines = [str(line) for line in event.data().get("lines") or []]
        # Taken before it is shown: a pipe that breaks now ends the program anyway.
        self.recent.append(event.id)
        self.last_id = event.id or self.last_id
        sent = "".join(lines).encode("utf-8", "surrogateescape")
        self.digest.update(sent)
        self.lines += len(lines)
        self.size += len(sent)
        self.screen.lines(lines)

    def _queue(self, place: Place) -> None:
        """Where the job stands, when that is worth a line."""
        if place.is_news(self.place):
            self.place = place
            self.screen.note(f"queued: {place.words()}")

    def _cloudevent(self, event: Event) -> End | None:
        """One line of JSON for whoever reads; the end, if it is that."""
        if event.id in self.earlier:
            return None
        self.recent.append(event.id)
        self.last_id = event.id
        self.screen.object(event.text)
        return read_last_event(event.data())

    def _status(self, status: Status) -> None:
        if status != self.shown and status.phase not in set(FINAL) and not self._half_made(status):
            self.screen.status(status)
        self.shown = status

    def _half_made(self, status: Status) -> bool:
        """Whether the gateway holds the job until its Secret is there: nobody's concern."""
        notes = (self.job or {}).get("metadata", {}).get("annotations") or {}
        return status.reason == Reason.SUSPENDED and ANNOTATION_AWAITS_SECRET in notes

    def missing(self, end: End) -> str | None:
        """What of the log did not arrive, in words."""
        if self.gaps or not end.complete:
            return "the log is not complete: some lines were not recorded"
        if not self.whole or end.lines is None:
            return None
        if end.lines != self.lines:
            return f"{self.lines} of {end.lines} lines of the log arrived"
        if end.sha256 and end.sha256 != self.digest.hexdigest():
            return f"the log's {self.lines} lines arrived, but not byte for byte"
        return None


Opening = Callable[[Following], AbstractContextManager[Iterator[Event]]]


def follow(
    opening: Opening,
    following: Following,
    *,
    reopen: Callable[[], None],
    pause: Callable[[float], None],
) -> End:
    """Show a job's log and status until it has ended. Raises Unreachable if it never began."""
    failures = 0
    while True:
        broken: Unreachable = Cut("the stream ended early")
        told = False
        try:
            following.begin_again()
            with opening(following) as events:
                for event in events:
                    if failures and not told:
                        following.screen.note("connected again")
                    failures, told = 0, True
                    if event.kind == "reconnect":
                        break
                    end = following.take(event)
                    if end is not None:
                        return end
        except Unreachable as error:
            broken = error
        failures += 1
        _bear(broken, failures, following)
        reopen()
        pause(_delay(broken, failures))


def _bear(error: Unreachable, failures: int, following: Following) -> None:
    """Once it began, for ever; before that only what may pass, and not for long."""
    passing = isinstance(error, Cut | Unavailable)
    if not following.began and (failures > _PATIENCE or not passing):
        raise error
    if failures == 1 and following.began:
        following.screen.note(f"connection lost ({error}); trying again until it is back")


def _delay(error: Unreachable, failures: int) -> float:
    told = error.retry_after if isinstance(error, Unavailable) else 0.0
    longest = min(_FIRST_PAUSE * 2.0 ** (failures - 1), _LONGEST_PAUSE)
    # Jitter: after a restart of the gateway all its followers come at once.
    return max(told, longest * random.uniform(0.5, 1))  # noqa: S311
