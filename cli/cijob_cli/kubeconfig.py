"""What the kubeconfig says of the current context: namespace, cluster, and how its user logs in.

Called by connecting. The file is read by kubectl, which merges and completes it.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cijob_cli.kubectl import Kubectl
from cijob_cli.settings import plugin_environment

_PLUGIN_SECONDS = 60.0  # it may open a browser


@dataclass(frozen=True)
class Kubeconfig:
    """The current context."""

    namespace: str | None
    server: str  # its URL, or empty
    identity: str  # tells clusters and users apart
    user: Mapping[str, Any]

    def own_token(self) -> str | None:
        """The user's token, if this way of logging in has one; certificates have none."""
        token = self.user.get("token")
        if token:
            return str(token)
        if path := self.user.get("tokenFile"):
            return _file(path)
        plugin = self.user.get("exec")
        return _plugin_token(plugin) if plugin else None


def read_kubeconfig(kubectl: Kubectl) -> Kubeconfig:
    """Ask kubectl for the current context. Raises Unreachable."""
    view = kubectl.ask("config", "view", "--raw", "--minify")
    context = _first(view, "contexts", "context")
    cluster = _first(view, "clusters", "cluster")
    user = _first(view, "users", "user")
    identity = hashlib.sha256(json.dumps([cluster, user], sort_keys=True).encode()).hexdigest()
    return Kubeconfig(context.get("namespace"), cluster.get("server") or "", identity, user)


def _first(view: Mapping[str, Any], listed: str, kind: str) -> Mapping[str, Any]:
    items = view.get(listed) or [{}]
    return items[0].get(kind) or {}


def _file(path: str) -> str | None:
    try:
        return Path(path).read_text("utf-8").strip() or None
    except OSError:
        return None


def _plugin_token(plugin: Mapping[str, Any]) -> str | None:
    """Run a login plugin as kubectl does: kubernetes.io/docs, client-go credential plugins."""
    request = {
        "apiVersion": plugin.get("apiVersion"),
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    given = {item["name"]: item["value"] for item in plugin.get("env") or []}
    environment = plugin_environment({**given, "KUBERNETES_EXEC_INFO": json.dumps(request)})
    try:
        done = subprocess.run(
            [plugin["command"], *(plugin.get("args") or [])],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_PLUGIN_SECONDS,
            check=True,
        )
        token = json.loads(done.stdout)["status"].get("token")
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None
    return str(token) if token else None
