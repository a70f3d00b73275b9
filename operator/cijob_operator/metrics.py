"""What the operator counts and measures, by Prometheus' naming rules.

Called wherever something happens; served by `main`. No label ever holds the name of a job.
"""

import re
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600)

jobs = Gauge("cijob_jobs", "Jobs there are now, by phase.", ["phase"], registry=REGISTRY)
finished = Counter(
    "cijob_jobs_finished", "Jobs that ended, by result.", ["phase", "reason"], registry=REGISTRY
)
queue_seconds = Histogram(
    "cijob_job_queue_seconds", "From creation to the first Pod.", buckets=SECONDS, registry=REGISTRY
)
run_seconds = Histogram(
    "cijob_job_run_seconds", "From start to end of jobs.", buckets=SECONDS, registry=REGISTRY
)
collection_seconds = Histogram(
    "cijob_collection_seconds",
    "From the end of a job's container until its results were collected, or given up.",
    ["result"],
    buckets=(0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
    registry=REGISTRY,
)
reconcile_seconds = Histogram(
    "cijob_reconcile_seconds",
    "One round of observe, decide, act.",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
    registry=REGISTRY,
)
retries = Counter(
    "cijob_reconcile_retries",
    "Rounds that failed and will be repeated.",
    ["error"],
    registry=REGISTRY,
)
api_writes = Counter(
    "cijob_api_writes",
    "Writes sent to the API server, without Events, Leases and reviews.",
    ["verb", "resource", "code"],
    registry=REGISTRY,
)
leading = Gauge("cijob_leading", "1 while this process leads.", registry=REGISTRY)


def follow_phases(count: Callable[[], Mapping[str, int]]) -> None:
    """Have the gauge of phases ask `count` whenever it is read."""

    def reader(phase: str) -> Callable[[], float]:
        return lambda: count()[phase]

    for phase in count():
        jobs.labels(phase).set_function(reader(phase))


_PATH = re.compile(r"/(?:namespaces/[^/]+/)?(?P<resource>[a-z]+)(?:/[^/]+)?(?P<sub>/status)?$")
_UNCOUNTED = {"events", "leases", "selfsubjectaccessreviews"}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def count_write(method: str, path: str, status: int) -> None:
    """Count a write by verb, resource (`pods`, `cijobs/status`) and HTTP status."""
    found = _PATH.search(path.removeprefix("/api/v1").removeprefix("/apis"))
    resource = found["resource"] + (found["sub"] or "") if found else "unknown"
    if resource.partition("/")[0] not in _UNCOUNTED:
        api_writes.labels(_VERBS[method], resource, str(status)).inc()
