"""The nodes of a pool: which ones its jobs can run on. Pure.

Used for a pool's status; where a Pod really goes is the scheduler's to say.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cijob_api.fitting import ARCHITECTURE_LABEL, architecture
from cijob_api.parts import Operator, Toleration
from cijob_api.specs import CIPoolSpec

Json = dict[str, Any]
HARD = {"NoSchedule", "NoExecute"}


@dataclass(frozen=True)
class NodeView:
    """What is kept of a node."""

    labels: dict[str, str]
    taints: tuple[Json, ...] = ()
    cordoned: bool = False

    @classmethod
    def of(cls, body: Json) -> "NodeView":
        """Read a node as the API server gives it."""
        spec = body.get("spec") or {}
        return cls(
            body["metadata"].get("labels") or {},
            tuple(spec.get("taints") or ()),
            bool(spec.get("unschedulable")),
        )


def count_nodes(pool: CIPoolSpec, nodes: Iterable[NodeView]) -> int:
    """How many nodes a pool's jobs can run on."""
    wanted = dict(pool.node_selector or {})
    if pool.architecture:
        wanted[ARCHITECTURE_LABEL] = architecture(pool.architecture)
    return sum(
        not node.cordoned
        and wanted.items() <= node.labels.items()
        and all(tolerated(taint, pool.tolerations or []) for taint in node.taints)
        for node in nodes
    )


def tolerated(taint: Json, tolerations: Iterable[Toleration]) -> bool:
    """Whether a taint keeps nobody off who has these tolerations; as the scheduler sees it."""
    if taint.get("effect") not in HARD:
        return True
    return any(
        one.key == taint.get("key")
        and (one.effect is None or one.effect == taint.get("effect"))
        and (one.operator == Operator.EXISTS or (one.value or "") == (taint.get("value") or ""))
        for one in tolerations
    )
