"""What is worth a Kubernetes Event: a job's new reason, by the same word as in its status.

Not what every ordinary job goes through: its status says that, and the kubelet's Events of its Pod;
two requests a job for it were a tenth of what a job costs the operator.
`event_of` is pure. Told by `act` after a status was written; docs/reasons.md explains each word.
"""

from cijob_api import names
from cijob_api.objects import CIJob
from cijob_api.reasons import MEANINGS, Phase, Reason
from cijob_api.statuses import CIJobStatus
from cijob_kube.events import Event, Events, Subject

ORDINARY = {Reason.STARTING, Reason.RUNNING, Reason.COMPLETED}
# Waits that may be somebody's mistake, or that tell of a failure.
WARNINGS = {
    Reason.QUOTA_EXCEEDED,
    Reason.TEMPLATE_NOT_FOUND,
    Reason.NO_FITTING_POOL,
    Reason.BACKING_OFF,
}


def event_of(before: CIJobStatus, after: CIJobStatus) -> Event | None:
    """The Event that a change of status is worth, if any.

    Other words under the same reason are none, but another failed attempt is.
    """
    again = after.retries != before.retries
    if after.reason is None or (after.reason == before.reason and not again):
        return None
    reason = Reason(after.reason)
    if reason in ORDINARY:
        return None
    bad = MEANINGS[reason].phase in {Phase.FAILED, Phase.ERROR} or reason in WARNINGS
    return Event(reason.value, after.message or "", warning=bad)


def subject(job: CIJob) -> Subject:
    """A job, as Events name it."""
    meta = job.metadata
    return Subject(names.API_VERSION, "CIJob", meta.namespace, meta.name, meta.uid)


class JobEvents:
    """Sends what is worth it."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def tell(self, job: CIJob, status: CIJobStatus) -> None:
        """A job's next status was written. Returns at once."""
        if event := event_of(job.status, status):
            self._events.tell(subject(job), event)
