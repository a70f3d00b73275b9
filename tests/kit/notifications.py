"""A namespace's sinks, and what Events say of its jobs. Used by the tests of notifications."""

from typing import Any

from kit.cluster import Cluster


def configure(
    cluster: Cluster, namespace: str, sinks: dict[str, str], keys: dict[str, str]
) -> None:
    """Make the namespace's ConfigMap and Secret."""
    metadata = {"name": "cijob-notifications"}
    cluster.apply(
        namespace,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": sinks},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys},
    )


def events(cluster: Cluster, namespace: str, job: str) -> dict[str, dict[str, Any]]:
    """The Events of a job, by reason."""
    about = f"--field-selector=involvedObject.name={job}"
    items = cluster.get("events", "-n", namespace, about)["items"]
    return {each["reason"]: each for each in items}
