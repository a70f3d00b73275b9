"""Which nodes a pool's jobs can run on."""

from typing import Any

import pytest

from cijob_api.specs import CIPoolSpec
from cijob_operator.nodes import NodeView, count_nodes

ARM = {"kubernetes.io/arch": "arm64", "class": "ci"}
TAINT = {"key": "ci", "value": "only", "effect": "NoSchedule"}
EXISTS = {"key": "ci", "operator": "Exists"}


def node(labels: dict[str, str], **spec: Any) -> NodeView:
    return NodeView.of({"metadata": {"name": "n", "labels": labels}, "spec": spec})


def pool(**spec: Any) -> CIPoolSpec:
    return CIPoolSpec.model_validate({"maxConcurrent": 1, **spec})


@pytest.mark.parametrize(
    ("fits", "spec", "what"),
    [
        (True, {}, node({})),
        (True, {"architecture": "aarch64"}, node(ARM)),
        (False, {"architecture": "amd64"}, node(ARM)),
        (True, {"nodeSelector": {"class": "ci"}}, node(ARM)),
        (False, {"nodeSelector": {"class": "web"}}, node(ARM)),
        (False, {}, node({}, unschedulable=True)),
        (False, {}, node({}, taints=[TAINT])),
        (True, {}, node({}, taints=[{**TAINT, "effect": "PreferNoSchedule"}])),
        (True, {"tolerations": [EXISTS]}, node({}, taints=[TAINT])),
        (True, {"tolerations": [{"key": "ci", "value": "only"}]}, node({}, taints=[TAINT])),
        (False, {"tolerations": [{"key": "ci", "value": "other"}]}, node({}, taints=[TAINT])),
        (
            False,
            {"tolerations": [{**EXISTS, "effect": "NoExecute"}]},
            node({}, taints=[TAINT]),
        ),
        (False, {"tolerations": [{"key": "x", "operator": "Exists"}]}, node({}, taints=[TAINT])),
    ],
)
def test_a_node_counts_if_a_pod_of_the_pool_could_go_there(
    fits: bool,  # noqa: FBT001
    spec: dict[str, Any],
    what: NodeView,
) -> None:
    assert count_nodes(pool(**spec), [what]) == fits


def test_all_that_fit_are_counted() -> None:
    assert count_nodes(pool(architecture="arm64"), [node(ARM), node({}), node(ARM)]) == 2


def test_a_node_without_anything_is_a_node() -> None:
    assert NodeView.of({"metadata": {"name": "bare"}}) == NodeView({})
