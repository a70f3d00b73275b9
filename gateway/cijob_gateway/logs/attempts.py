"""The attempts that a job has had, also those that its status names no more. Pure.

Used by whoever reads the log of a whole job: a status keeps the last ten attempts, fewer where
their words are long, and there may be forty. The logs of the others are archived like any other.
"""

from cijob_api.names import pod_name
from cijob_api.objects import CIJob
from cijob_api.statuses import Attempt


def first_named(job: CIJob) -> int:
    """The number of the first attempt that the status names; 1 if there was none."""
    named = job.status.attempts or []
    return named[0].number if named else 1


def last_number(job: CIJob) -> int:
    """How many attempts there were."""
    named = job.status.attempts or []
    return named[-1].number if named else 0


def attempts_of(job: CIJob, after: int = 0) -> list[Attempt]:
    """The attempts behind the one of that number, the oldest first.

    Of one that the status names no more, only number and Pod are known: not whether it ran.
    """
    forgotten = range(after + 1, first_named(job))
    name = job.metadata.name
    unnamed = [Attempt(number=number, pod_name=pod_name(name, number)) for number in forgotten]
    return unnamed + [known for known in job.status.attempts or [] if known.number > after]
