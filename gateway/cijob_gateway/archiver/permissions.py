"""What the archiver does in the cluster, and no more: the chart's rights are compared with it."""

from cijob_gateway.archiver.settings import LEASE
from cijob_gateway.notifications.sinks import NAME
from cijob_kube.permissions import Need

NEEDS = (
    Need("cijob.dev", "cijobs", ("list", "watch")),
    Need("cijob.dev", "cijobs", ("patch",), subresource="status"),
    Need("cijob.dev", "cijobtemplates", ("list", "watch")),
    Need("", "pods", ("list", "watch")),
    Need("", "pods", ("get",), subresource="log"),
    # What there is to notify, and with which keys; and what is wrong with that.
    Need("", "configmaps", ("get",), name=NAME),
    Need("", "secrets", ("get",), name=NAME),
    Need("", "events", ("get", "create", "patch")),
    Need("coordination.k8s.io", "leases", ("create",), system_only=True),
    Need("coordination.k8s.io", "leases", ("get", "update"), name=LEASE, system_only=True),
)
