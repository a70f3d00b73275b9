"""What a server does in the cluster, as a table: the chart's rights are compared with it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """Verbs that a server uses on a resource, or on one object of it."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    subresource: str = ""
    name: str = ""
    system_only: bool = False
    cluster_wide: bool = False  # has no namespace
