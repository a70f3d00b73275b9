"""What every cluster runs beside the daemons: DNS for Services, and rights of the API server."""

import json
from typing import Any

from localcluster.settings import COREDNS_IMAGE, DNS_ADDRESS

COREFILE = """.:1053 {
    errors
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf
    cache 30
    reload 2s
}
"""
LABELS = {"k8s-app": "kube-dns"}


def manifests() -> str:
    """All add-ons as one JSON list for `kubectl apply`."""
    items = [*_dns_rights(), _dns_config(), _dns_deployment(), _dns_service()]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _object(kind: str, api: str, name: str, **content: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "kube-system", "labels": LABELS}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}


def _dns_rights() -> list[dict[str, Any]]:
    rights = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
    watched = ["endpoints", "services", "pods", "namespaces"]
    verbs = ["list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": watched, "verbs": verbs},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
    ]
    role = {"apiGroup": rights, "kind": "ClusterRole", "name": "coredns"}
    return [
        _object("ServiceAccount", "v1", "coredns"),
        _object("ClusterRole", f"{rights}/v1", "coredns", rules=rules),
        _object("ClusterRoleBinding", f"{rights}/v1", "coredns", roleRef=role, subjects=[subject]),
    ]


def _dns_config() -> dict[str, Any]:
    return _object("ConfigMap", "v1", "coredns", data={"Corefile": COREFILE})


def _dns_deployment() -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": COREDNS_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    return _object("Deployment", "apps/v1", "coredns", spec=spec)


def _dns_service() -> dict[str, Any]:
    ports = [
        {"name": name, "port": 53, "targetPort": 1053, "protocol": protocol}
        for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))
    ]
    return _object(
        "Service",
        "v1",
        "kube-dns",
        spec={"clusterIP": DNS_ADDRESS, "selector": LABELS, "ports": ports},
    )
