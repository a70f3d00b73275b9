"""A job's log and state as one stream, for any number of readers at a time.

Called by the HTTP layer, which writes what comes as server-sent events or text. Attempt after
attempt, each line once and in the log's own order; the end says what was given, and whether that
was all. What is archived is given first; readers of a running attempt share one follow of its log
behind that (sharedlogs.py); whoever comes late, comes back, or is slow reads archive and log by
itself up to where that is (readers.py).
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

from cijob_api.lines import LineId
from cijob_api.objects import CIJob
from cijob_gateway.logs.beginnings import Wish
from cijob_gateway.logs.logitems import Batch, End, Gap, Item, State
from cijob_gateway.logs.readers import Reader
from cijob_gateway.logs.readings import PACE, Pace
from cijob_gateway.logs.rooms import Ground, JobSource, Room
from cijob_gateway.logs.sharedlogs import Kept
from cijob_gateway.store import Store
from cijob_kube.api import Api

__all__ = ["Batch", "End", "Follows", "Gap", "Item", "JobSource", "State"]


class Follows:
    """All that is being followed."""

    def __init__(
        self,
        api: Api,
        jobs: JobSource,
        *,
        pace: Pace = PACE,
        kept: Kept | None = None,
        store: Store | None = None,
    ) -> None:
        self._ground = Ground(api, jobs, pace, kept or Kept(), store)
        self._rooms: dict[str, Room] = {}

    @property
    def readers(self) -> int:
        """How many readers there are."""
        return sum(room.readers for room in self._rooms.values())

    async def follow(
        self,
        job: CIJob,
        *,
        after: LineId | None = None,
        follow: bool = True,
        attempt: int | None = None,
        tail: int | None = None,
        since: str = "",
        from_now: bool = False,
    ) -> AsyncGenerator[Item]:
        """A job's states and lines until its end.

        `after` goes on behind a line; `tail` begins so many lines before the end of the current
        attempt, `from_now` with what is not written yet, `since` with the first line of that time
        (written as in a line's id) or a later one. `attempt` is about that one only. Without
        `follow` it ends with what is there now. Close it when nobody reads any more. Raises Down
        when what is missing may be in an archive that cannot be read.
        """
        wish = Wish(after, follow, attempt, 0 if from_now else tail, since)
        async with self._room(job) as room, aclosing(Reader(room, wish).items()) as items:
            async for item in items:
                yield item

    @asynccontextmanager
    async def _room(self, job: CIJob) -> AsyncGenerator[Room]:
        uid = job.metadata.uid
        room = self._rooms.get(uid)
        if room is None:
            room = self._rooms[uid] = Room(self._ground, job)
        room.readers += 1
        try:
            yield room
        finally:
            room.readers -= 1
            if not room.readers:
                del self._rooms[uid]
                await room.aclose()
