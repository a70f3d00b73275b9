"""What the gateway counts and measures, by Prometheus' naming rules.

Served by the internal listener. No label ever holds a name of a job, a namespace or a user.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

requests = Counter(
    "cijob_gateway_requests",
    "Requests, by route and status.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
request_seconds = Histogram(
    "cijob_gateway_request_seconds",
    "From a request to its answer, streams left out.",
    ["route"],
    buckets=(0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60),
    registry=REGISTRY,
)
uploads = Counter("cijob_gateway_uploads", "Sources that were stored.", registry=REGISTRY)
uploaded_bytes = Counter(
    "cijob_gateway_uploaded_bytes", "Bytes of sources that were stored.", registry=REGISTRY
)
saved_bytes = Counter(
    "cijob_gateway_saved_bytes",
    "Bytes of sources that were there already and did not have to be uploaded.",
    registry=REGISTRY,
)
fetched_bytes = Counter(
    "cijob_gateway_fetched_bytes", "Bytes of sources given to agents.", registry=REGISTRY
)
result_bytes = Counter(
    "cijob_gateway_result_bytes",
    "Bytes of artifacts and reports that were stored.",
    ["kind"],
    registry=REGISTRY,
)
served_bytes = Counter(
    "cijob_gateway_artifact_served_bytes", "Bytes of artifacts given out.", registry=REGISTRY
)
collections = Counter(
    "cijob_gateway_collections", "Collections that ended, by state.", ["state"], registry=REGISTRY
)
streams = Gauge("cijob_gateway_streams", "Event streams open now.", registry=REGISTRY)
swept_sources = Counter(
    "cijob_gateway_swept_sources", "Sources removed as unused.", registry=REGISTRY
)
api_writes = Counter(
    "cijob_gateway_api_writes",
    "Writes sent to the API server, reviews included.",
    ["method", "status"],
    registry=REGISTRY,
)


def count_write(method: str, path: str, status: int) -> None:  # noqa: ARG001 (as Api calls it)
    """Count a write."""
    api_writes.labels(method, str(status)).inc()
