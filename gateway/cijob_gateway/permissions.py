"""What the gateway does in the cluster, and no more: the chart's rights are compared with it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """Verbs that the gateway uses on a resource."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    subresource: str = ""
    name: str = ""
    system_only: bool = False
    cluster_wide: bool = False  # has no namespace


NEEDS = (
    Need("cijob.dev", "cijobs", ("get", "list", "watch", "create", "patch", "delete")),
    Need("cijob.dev", "cijobtemplates", ("get", "list", "watch")),
    Need("", "pods", ("get",)),
    Need("", "pods", ("get",), subresource="log"),
    # A job's own Secret, never read again: who may create CIJobs may use it, nobody may ask for it.
    Need("", "secrets", ("create",)),
    Need("authentication.k8s.io", "tokenreviews", ("create",), cluster_wide=True),
    Need("authorization.k8s.io", "subjectaccessreviews", ("create",), cluster_wide=True),
)
