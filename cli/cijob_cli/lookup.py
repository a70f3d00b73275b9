"""Finds the job that a person means: by its name, or by how that begins or ends."""

from cijob_cli.errors import NotFound, Unusable
from cijob_cli.gateway import Gateway, Job

_SHOWN = 10


def find_job(gateway: Gateway, text: str) -> Job:
    """The job of that name, or the only one whose name starts or ends so.

    Jobs that are gone are looked at when none that is there fits. Raises NotFound, or Unusable when
    several do, naming them.
    """
    text = text.removeprefix("cijob/").removeprefix("cijob.cijob.dev/")
    if not text:
        raise Unusable("give the name of a job, or how it begins or ends; see `ci list`")
    try:
        return gateway.job(text)
    except NotFound:
        query = [("match", text), ("limit", str(_SHOWN + 1))]
        found = gateway.jobs(query).items or gateway.jobs([*query, ("all", "true")]).items
    if not found:
        raise NotFound(f"no job '{text}' in namespace {gateway.namespace}; see `ci list`")
    if len(found) > 1:
        names = [str(job["metadata"]["name"]) for job in found]
        more = " and more" if len(names) > _SHOWN else ""
        raise Unusable(
            f"'{text}' may be {len(names[:_SHOWN])} jobs: {', '.join(names[:_SHOWN])}{more}; "
            "give more of the name"
        )
    return found[0]
