"""Finished jobs in the cache: thousands of them, of which only few things are asked again."""

from functools import lru_cache

from cijob_api import parts
from cijob_api.objects import CIJob
from cijob_api.specs import CIJobSpec
from cijob_api.statuses import LogResult, Results, SourceResult


def slimmed(job: CIJob) -> CIJob:
    """A finished job without what nobody will ask of it again."""
    if not job.status.phase.is_final:
        return job
    results = job.status.results or Results()
    kept = _finished_results(results.logs is not None, results.source is not None)
    status = job.status.model_copy(
        update={"attempts": None, "conditions": None, "message": None, "results": kept}
    )
    said = job.spec
    spec = _finished_spec(said.ttl_seconds_after_finished, said.template_ref, said.desired_state)
    metadata = job.metadata.model_copy(update={"annotations": {}, "labels": {}})
    return job.model_copy(update={"spec": spec, "status": status, "metadata": metadata})


@lru_cache
def _finished_results(has_log: bool, has_source: bool) -> Results | None:  # noqa: FBT001
    """What is still asked of a finished job's results: whether its log is kept, and its source."""
    if not has_log and not has_source:
        return None
    log, source = LogResult() if has_log else None, SourceResult() if has_source else None
    return Results(logs=log, source=source)


@lru_cache(maxsize=1024)
def _finished_spec(
    ttl: parts.Ttl | None, template: parts.TemplateRef | None, state: parts.DesiredState
) -> CIJobSpec:
    """What is still asked of a finished job's spec; the same few values serve thousands."""
    return CIJobSpec(ttl_seconds_after_finished=ttl, template_ref=template, desired_state=state)
