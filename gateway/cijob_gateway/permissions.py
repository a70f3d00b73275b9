"""What the gateway does in the cluster, and no more: the chart's rights are compared with it."""

from cijob_kube.permissions import Need

NEEDS = (
    Need("cijob.dev", "cijobs", ("get", "list", "watch", "create", "patch", "delete")),
    # What jobs leave behind: status.results but for logs and failure.
    Need("cijob.dev", "cijobs", ("patch",), subresource="status"),
    # No resource but a right, which admission asks for: to say for whom a job is made.
    Need("cijob.dev", "cijobs", ("create",), subresource="submitter"),
    Need("cijob.dev", "cijobtemplates", ("get", "list", "watch")),
    Need("", "pods", ("get",)),
    Need("", "pods", ("get",), subresource="log"),
    Need("cijob.dev", "cipools", ("get", "list", "watch"), cluster_wide=True),
    # A job's own Secret, never read again: who may create CIJobs may use it, nobody may ask for it.
    Need("", "secrets", ("create",)),
    Need("authentication.k8s.io", "tokenreviews", ("create",), cluster_wide=True),
    Need("authorization.k8s.io", "subjectaccessreviews", ("create",), cluster_wide=True),
)
