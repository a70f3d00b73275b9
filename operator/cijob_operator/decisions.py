"""What `decide` is given and what it gives: values, nothing that acts.

`Observation` is everything that is known of one job now; `Decision` is everything that is to be
done about it now, and when to look again.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cijob_api.fitting import DEFAULT_POOL, Pools
from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.places import Waiting
from cijob_api.reasons import Reason
from cijob_api.specs import CIPoolSpec
from cijob_api.statuses import CIJobStatus
from cijob_operator.agentspecs import PodSettings
from cijob_operator.podviews import PodView
from cijob_operator.verdicts import Ending


@dataclass(frozen=True)
class Obstacle:
    """Why the last try to create a Pod failed, in the API server's words."""

    reason: Reason
    message: str
    again: datetime | None  # None: trying again cannot help
    refused: bool = True  # False: it may have been created for all that is known


@dataclass(frozen=True)
class Collecting:
    """An attempt that has ended and whose results are on their way."""

    pod_uid: str
    attempt: int
    end: Ending  # as it was seen first
    since: datetime
    until: datetime
    agent_ended: bool = False


@dataclass(frozen=True)
class Observation:
    """One job and what belongs to it."""

    job: CIJob
    pods: tuple[PodView, ...] = ()  # its own ones, by attempt; deleted ones until we closed them
    template: CIJobTemplate | None = None
    pools: Pools = field(default_factory=lambda: {DEFAULT_POOL: CIPoolSpec(max_concurrent=10)})
    place: str = ""  # the pool that it was admitted to
    passed_over: str = ""  # the queue was looked at, and it has to wait: for what, in words
    superseded_by: str = ""  # a newer job of its group that takes its place
    intended: int = 0  # the attempt whose intent this process wrote and whose Pod it will create
    obstacle: Obstacle | None = None
    told: datetime | None = None  # when this process last wrote about the job
    collecting: Collecting | None = None  # what this process waits for

    @property
    def obstacle_refused(self) -> bool:
        """Whether the last try to create a Pod certainly created none."""
        return self.obstacle is not None and self.obstacle.refused


@dataclass(frozen=True)
class Policy:
    """What the operator was told at its start."""

    pods: PodSettings = field(default_factory=PodSettings)
    archive_grace_seconds: float | None = None  # None: there is no archiver


@dataclass(frozen=True)
class Stop:
    """End a Pod's containers by lowering its deadline; Pod, exit codes and log stay."""

    pod: PodView
    reason: Reason


@dataclass(frozen=True)
class Decision:
    """What to do now; nothing, if it is empty."""

    status: CIJobStatus | None = None  # write this, if it is not there already
    create: dict[str, Any] | None = None  # the Pod's manifest
    intend: int = 0  # write `status` with this attempt's intent before its Pod is created
    stops: tuple[Stop, ...] = ()
    delete_pods: tuple[PodView, ...] = ()
    delete_job: bool = False
    wants: Waiting | None = None  # it could start now, if it were admitted
    stays: Waiting | None = None  # it could not, and is of its group all the same
    holds_place: bool = False  # its containers run, or are about to
    collecting: Collecting | None = None  # wait for results; the containers have ended
    again: datetime | None = None  # look again then, at the latest
