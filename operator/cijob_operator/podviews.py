"""What the operator keeps of a Pod: the few facts that decisions are made from.

Made from the API server's JSON at the edge, tolerant of anything that may be missing. Whole Pods
are not kept: they are thirty times as large.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cijob_api import names
from cijob_operator.agents import AgentReport, read_report
from cijob_operator.times import parse_time

Json = dict[str, Any]
NO_REPORT = AgentReport()


@dataclass(frozen=True)
class Ended:
    """How a container ended, in the runtime's own words."""

    exit_code: int
    reason: str = ""
    message: str = ""
    finished: datetime | None = None


@dataclass(frozen=True)
class ContainerView:
    """One container of a Pod."""

    id: str = ""
    started: datetime | None = None
    ended: Ended | None = None
    waiting: str = ""
    message: str = ""


@dataclass(frozen=True)
class AgentView(ContainerView):
    """The agent of a Pod: beside the job, or before it as an init container."""

    before: bool = False
    report: AgentReport = NO_REPORT

    @property
    def failed(self) -> bool:
        """Whether it ended, in whatever way, before the workspace was complete.

        An init container has to end well, too: else the kubelet never starts the job.
        """
        if self.ended is None:
            return False
        return not self.report.was_ready or (self.before and self.ended.exit_code != 0)


@dataclass(frozen=True)
class PodView:
    """One Pod of a job."""

    name: str
    namespace: str
    uid: str
    owner: str
    job: str
    attempt: int
    created: datetime
    version: int = 0
    template: str = ""
    node: str = ""
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    deleting: datetime | None = None
    grace_seconds: int = 30
    start_timeout_seconds: int = 600
    timeout_seconds: int = 3600
    pool: str = ""
    submitter: str = ""
    group: str = ""
    supersedes: bool = False
    stop: str = ""  # why and since when we stopped it: `Cancelled 2026-01-01T00:00:00Z`
    scheduled: datetime | None = None  # when it got its node
    unschedulable: str = ""  # the scheduler's words
    disruption: str = ""  # the reason of the condition DisruptionTarget
    wrapped_command: bool = False  # its wrapper runs a command, not a script
    collects: bool = False  # its agent collects results after the job's end
    container: ContainerView | None = None
    agent: AgentView | None = None
    pulled: float = 0.0  # seconds that its images took, which only the kubelet's Events say
    missing: datetime | None = None  # since when the API server has none, unsaid by its watch
    gone: bool = False  # deleted; this is what was seen last

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.namespace, self.name)

    @property
    def is_over(self) -> bool:
        """Whether no container of the job runs in it any more: its place is free."""
        ended = self.container is not None and self.container.ended is not None
        # The job's container is not started after an init container that failed.
        agent = self.agent
        never = agent and agent.before and agent.ended and agent.ended.exit_code != 0
        return self.gone or ended or bool(never) or self.phase in {"Succeeded", "Failed"}

    @property
    def awaits_agent(self) -> bool:
        """Whether the agent has not started, though the job's container may run already."""
        return self.agent is not None and not self.agent.started and not self.agent.ended

    def as_gone(self) -> "PodView":
        """The same Pod, deleted."""
        return replace(self, gone=True)


def view(body: Json) -> PodView:
    """Read a Pod of ours. Missing parts are as good as empty ones."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or []}
    created = parse_time(metadata.get("creationTimestamp"))
    return PodView(
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        uid=metadata.get("uid", ""),
        owner=_owner(metadata),
        job=labels.get(names.LABEL_JOB, ""),
        attempt=_number(labels.get(names.LABEL_ATTEMPT)),
        created=created or datetime.min,  # noqa: DTZ901 (never absent on a stored Pod)
        version=_number(metadata.get("resourceVersion")),
        template=notes.get(names.ANNOTATION_TEMPLATE_GENERATION, ""),
        node=spec.get("nodeName") or "",
        phase=status.get("phase") or "Pending",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        deleting=parse_time(metadata.get("deletionTimestamp")),
        grace_seconds=_number(spec.get("terminationGracePeriodSeconds"), 30),
        start_timeout_seconds=_number(notes.get(names.ANNOTATION_START_TIMEOUT), 600),
        timeout_seconds=_number(notes.get(names.ANNOTATION_TIMEOUT), 3600),
        pool=notes.get(names.ANNOTATION_POOL, ""),
        submitter=notes.get(names.ANNOTATION_SUBMITTER, ""),
        group=notes.get(names.ANNOTATION_GROUP, ""),
        supersedes=notes.get(names.ANNOTATION_SUPERSEDES) == "true",
        stop=notes.get(names.ANNOTATION_STOP, ""),
        scheduled=_since(conditions.get("PodScheduled") or {}),
        unschedulable=_unschedulable(conditions.get("PodScheduled") or {}),
        disruption=_disruption(conditions.get("DisruptionTarget") or {}),
        wrapped_command=notes.get(names.ANNOTATION_WRAPPED_COMMAND) == "true",
        collects=notes.get(names.ANNOTATION_COLLECTS) == "true",
        container=_container(status.get("containerStatuses"), "job"),
        agent=_agent(status),
    )


def _owner(metadata: Json) -> str:
    for reference in metadata.get("ownerReferences") or []:
        if reference.get("kind") == "CIJob":
            return str(reference.get("uid", ""))
    return ""


def _unschedulable(condition: Json) -> str:
    refused = condition.get("status") == "False" and condition.get("reason") == "Unschedulable"
    return str(condition.get("message") or "no node fits") if refused else ""


def _since(condition: Json) -> datetime | None:
    holds = condition.get("status") == "True"
    return parse_time(condition.get("lastTransitionTime")) if holds else None


def _disruption(condition: Json) -> str:
    return str(condition.get("reason") or "") if condition.get("status") == "True" else ""


def _agent(status: Json) -> AgentView | None:
    for statuses, before in (("containerStatuses", False), ("initContainerStatuses", True)):
        seen = _container(status.get(statuses), "agent")
        if seen is None:
            continue
        ended, report = seen.ended, NO_REPORT
        if ended:
            report = read_report(ended.message)
            ended = replace(ended, message="")  # it is in the report; Pods are kept by thousands
        return AgentView(**{**vars(seen), "ended": ended}, before=before, report=report)
    return None


def _container(statuses: list[Json] | None, name: str) -> ContainerView | None:
    found = [c for c in statuses or [] if c.get("name") == name]
    if not found:
        return None
    state = found[0].get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated")
    started = parse_time((state.get("running") or ended or {}).get("startedAt"))
    if started and started.year <= 1970:  # what the kubelet says of one that never started
        started = None
    return ContainerView(
        id=found[0].get("containerID") or "",
        started=started,
        ended=_ended(ended) if ended else None,
        waiting=waiting.get("reason") or "",
        message=waiting.get("message") or "",
    )


def _ended(state: Json) -> Ended:
    return Ended(
        exit_code=_number(state.get("exitCode")),
        reason=state.get("reason") or "",
        message=state.get("message") or "",
        finished=parse_time(state.get("finishedAt")),
    )


def _number(value: object, default: int = 0) -> int:
    try:
        return int(str(value))
    except ValueError:
        return default
