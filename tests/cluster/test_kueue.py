"""What a site that runs Kueue relies on, as far as it goes without Kueue."""

import json

from kit.operator import Operator, job

QUEUE = "kueue.x-k8s.io/queue-name"


def test_a_queue_name_reaches_the_pod_and_suspend_is_the_switch(operator: Operator) -> None:
    manifest = job("by-kueue", command=["true"], suspend=True)
    manifest["metadata"]["labels"] = {QUEUE: "team-queue", "owner": "ada"}
    cluster, namespace = operator.cluster, operator.namespace
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
    operator.until_reason("by-kueue", "Suspended")
    assert operator.pods("by-kueue") == []
    operator.patch("by-kueue", suspend=False)
    assert operator.finished("by-kueue")["phase"] == "Succeeded"
    [pod] = operator.pods("by-kueue")
    assert pod["metadata"]["labels"][QUEUE] == "team-queue"
    assert "owner" not in pod["metadata"]["labels"]
