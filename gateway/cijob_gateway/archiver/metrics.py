"""What the archiver counts and measures, by Prometheus' naming rules.

No label ever holds a name of a job, a namespace or a user.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

REGISTRY = CollectorRegistry()

leading = Gauge("cijob_archiver_leading", "1 while this process leads.", registry=REGISTRY)
archived = Counter(
    "cijob_archiver_jobs",
    "Jobs that were archived, by completeness.",
    ["complete"],
    registry=REGISTRY,
)
following = Gauge("cijob_archiver_following", "Attempts followed now.", registry=REGISTRY)
lines = Counter("cijob_archiver_lines", "Lines read from Pods.", registry=REGISTRY)
read_bytes = Counter(
    "cijob_archiver_read_bytes", "Bytes read from Pods, without timestamps.", registry=REGISTRY
)
gaps = Counter("cijob_archiver_gaps", "Places where lines are missing.", registry=REGISTRY)
stored_bytes = Counter(
    "cijob_archiver_stored_bytes", "Bytes sent to the object store.", registry=REGISTRY
)
store_failures = Counter(
    "cijob_archiver_store_failures", "Chunks that had to be sent again.", registry=REGISTRY
)
spool_bytes = Gauge("cijob_archiver_spool_bytes", "Bytes in the spool now.", registry=REGISTRY)
swept = Counter("cijob_archiver_swept_objects", "Objects removed by their age.", registry=REGISTRY)
notifications = Counter(
    "cijob_archiver_notifications",
    "Events sent to sinks, by outcome: accepted, refused, again; and those given up.",
    ["outcome"],
    registry=REGISTRY,
)
notifying = Gauge(
    "cijob_archiver_notifying", "Jobs that sinks are or will be told of.", registry=REGISTRY
)
api_writes = Counter(
    "cijob_archiver_api_writes",
    "Writes sent to the API server, without Events and Leases.",
    ["method", "status"],
    registry=REGISTRY,
)


def count_write(method: str, path: str, status: int) -> None:
    """Count a write; those of Lease and Events are not what costs."""
    if "/leases" not in path and "/events" not in path:
        api_writes.labels(method, str(status)).inc()
