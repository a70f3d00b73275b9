"""Which job of a group takes whose place: `concurrency.supersede`.

Used by jobqueue.py. A job is in its group from the first look at it until its end, whether it
waits, runs, hands in its results or backs off: an older one must not come back once a newer one is
done. Limits of groups are not here: who holds a place counts for those, in `cijob_api.places`.
"""

from collections.abc import Callable
from dataclasses import replace

from cijob_api.admission import waiting
from cijob_api.places import Holding, Waiting
from cijob_api.resolve import merge
from cijob_operator.decisions import Observation

Key = tuple[str, str]
Member = Waiting | Holding


class Groups:
    """Who is in which group; `look` is called with each job that there is news for."""

    def __init__(self, look: Callable[[Key], None]) -> None:
        self._look = look
        self._own: dict[Key, Member] = {}
        self._members: dict[tuple[str, str], dict[Key, Member]] = {}
        # By one that ran and is gone; the older one may still be handing in its results.
        self._overtaken: dict[Key, str] = {}

    def join(self, key: Key, job: Member) -> None:
        """Remember a job's group, and look at whom it supersedes, and at itself if it is."""
        known = self._own.get(key)
        # Its template changed, or it is another job of that name.
        if known and (known.group, known.since) != (job.group, job.since):
            self.leave(key)
            known = None
        if not job.group:
            return
        self._own[key] = job
        members = self._members.setdefault((job.namespace, job.group), {})
        members[key] = job
        if known and known.supersedes == job.supersedes:
            return
        if job.supersedes:
            for other in members.keys() - {key}:
                self._look(other)
        if self.superseded_by(key):
            self._look(key)

    def leave(self, key: Key) -> None:
        """A job is over. Who ran has taken the place of the older ones for good."""
        self._overtaken.pop(key, None)
        own = self._own.pop(key, None)
        if own is None:
            return
        members = self._members[(own.namespace, own.group)]
        del members[key]
        if isinstance(own, Holding):
            self._overtaken |= {other: own.name for other in members if _takes(own, members[other])}
        if not members:
            del self._members[(own.namespace, own.group)]

    def superseded_by(self, key: Key) -> str:
        """The newest job that takes this one's place in its group; empty for none."""
        own = self._own.get(key)
        if own is None:
            return ""
        members = self._members[(own.namespace, own.group)].values()
        newer = [(other.since, other.name) for other in members if _takes(other, own)]
        return max(newer)[1] if newer else self._overtaken.get(key, "")


def member_of(seen: Observation) -> Waiting | None:
    """What a job that cannot start now is in its group; None for one without a group.

    A newer one may take its place at any time; it takes that of others once it had its turn.
    """
    said = merge(seen.job.spec, seen.template.spec if seen.template else None)
    if not said.concurrency:
        return None
    member = waiting(seen.job, said, pools=())
    begun = bool(seen.job.status.attempts or seen.obstacle)
    return replace(member, supersedes=member.supersedes and begun)


def _takes(one: Member, other: Member) -> bool:
    """Whether one takes the place of another of its group: it is newer, and asks for it."""
    return one.supersedes and (one.since, one.name) > (other.since, other.name)
