"""What the archiver does in the cluster, and no more: the chart's rights are compared with it."""

from cijob_gateway.archiver.settings import LEASE
from cijob_kube.permissions import Need

NEEDS = (
    Need("cijob.dev", "cijobs", ("list", "watch")),
    Need("cijob.dev", "cijobs", ("patch",), subresource="status"),
    Need("", "pods", ("list", "watch")),
    Need("", "pods", ("get",), subresource="log"),
    Need("coordination.k8s.io", "leases", ("create",), system_only=True),
    Need("coordination.k8s.io", "leases", ("get", "update"), name=LEASE, system_only=True),
)
