"""What a job really ran on, for `results.source`: the one result that is the operator's. Pure.

Used by `closing`. The agent says the commit in its termination message, which needs no gateway; an
archive's digest stands in the job, and the agent has checked it (see docs/adr/0006).
"""

from cijob_api.specs import Recipe
from cijob_api.statuses import CIJobStatus, Results, SourceResult
from cijob_operator.podviews import PodView


def ran_on(said: Recipe, pod: PodView) -> SourceResult | None:
    """The source of an attempt, once it is certain that it was brought."""
    agent = pod.agent
    if agent is None or agent.failed:
        return None
    if agent.report.commit:
        return SourceResult(commit=agent.report.commit)
    archive = said.source.archive if said.source else None
    # A command that was faster than its agent's end had its workspace all the same.
    ran = agent.report.was_ready or (pod.container and pod.container.ended)
    return SourceResult(sha256=archive.sha256) if archive and ran else None


def with_source(status: CIJobStatus, source: SourceResult | None) -> CIJobStatus:
    """The status with that source in its results, which are otherwise others' to write."""
    if source is None:
        return status
    results = (status.results or Results()).model_copy(update={"source": source})
    return status.model_copy(update={"results": results})


def late_commit(status: CIJobStatus, pods: tuple[PodView, ...]) -> CIJobStatus | None:
    """The status of a finished job with its commit, if the agent said it after the job's end.

    An agent that offers the job a key ends after it; so does one whose job was faster than itself.
    """
    known = status.results.source if status.results else None
    commit = pods[-1].agent.report.commit if pods and pods[-1].agent else ""
    if known or not commit:
        return None
    return with_source(status, SourceResult(commit=commit))
