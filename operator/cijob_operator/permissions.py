"""At the start: ask the API server whether we may do what we must, and say plainly if not.

Without this, kopf repeats a refused list for a minute and the person sees only 403s.
"""

from cijob_kube.api import Api
from cijob_kube.permissions import Need
from cijob_operator.errors import NotPermitted
from cijob_operator.settings import LEASE, Settings

NEEDS = (
    Need("cijob.dev", "cijobs", ("get", "list", "watch", "delete")),
    Need("cijob.dev", "cijobs", ("patch",), subresource="status"),
    Need("cijob.dev", "cijobtemplates", ("get", "list", "watch")),
    Need("cijob.dev", "cipools", ("get", "list", "watch"), cluster_wide=True),
    Need("cijob.dev", "cipools", ("patch",), subresource="status", cluster_wide=True),
    Need("", "nodes", ("list",), cluster_wide=True),
    Need("", "pods", ("get", "list", "watch", "create", "patch", "delete")),
    # Our own are counted up; of the kubelet's we hear how long it pulled images.
    Need("", "events", ("get", "watch", "create", "patch")),
    Need("coordination.k8s.io", "leases", ("create",), system_only=True),
    Need("coordination.k8s.io", "leases", ("get", "update"), name=LEASE, system_only=True),
)


async def check(api: Api, settings: Settings) -> None:
    """Raise NotPermitted, naming everything that is missing, unless all is allowed."""
    missing = []
    for need in NEEDS:
        for namespace in _scopes(need, settings):
            missing += [
                words
                for verb in need.verbs
                if not await _allowed(api, need, verb, namespace)
                for words in [_words(need, verb, namespace)]
            ]
    if missing:
        raise NotPermitted(
            f"the operator's ServiceAccount lacks {len(missing)} rights: {'; '.join(missing)}. "
            "Grant them by a Role or ClusterRole; the chart does"
        )


def _scopes(need: Need, settings: Settings) -> tuple[str, ...]:
    if need.system_only:
        return (settings.system_namespace,)
    if need.cluster_wide:
        return ("",)
    return settings.namespaces or ("",)


async def _allowed(api: Api, need: Need, verb: str, namespace: str) -> bool:
    attributes = {
        "group": need.group,
        "resource": need.resource,
        "subresource": need.subresource,
        "name": need.name,
        "verb": verb,
        "namespace": namespace,
    }
    review = await api.create(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    return bool(review["status"]["allowed"])


def _words(need: Need, verb: str, namespace: str) -> str:
    below = need.subresource or need.name
    resource = need.resource + (f"/{below}" if below else "")
    group = f".{need.group}" if need.group else ""
    return f"{verb} {resource}{group} {f'in {namespace}' if namespace else 'in all namespaces'}"
