"""An operator of the whole cluster, as the chart installs it: no namespaces are named.

Alone, since it would act on the jobs of all other tests.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from kit.cluster import Cluster, fresh_namespace
from kit.operator import Operator

pytestmark = pytest.mark.alone
FINAL = {"Succeeded", "Failed", "Error", "Cancelled"}


def unfinished(cluster: Cluster) -> list[str]:
    """The jobs that it would take over from the operators of other tests."""
    return [
        f"{job['metadata']['namespace']}/{job['metadata']['name']}"
        for job in cluster.get("cij", "--all-namespaces")["items"]
        if job.get("status", {}).get("phase") not in FINAL
    ]


def test_an_operator_of_the_whole_cluster_runs_the_jobs_of_every_namespace(
    cluster: Cluster, crds: None, namespace: str, tmp_path: Path
) -> None:
    cluster.until("a cluster without jobs under way", lambda: not unfinished(cluster))
    whole = {"CIJOB_NAMESPACES": "", "CIJOB_SYSTEM_NAMESPACE": namespace}
    with fresh_namespace(cluster) as other:
        here = Operator(cluster, namespace, tmp_path, whole).start()
        there = replace(here, namespace=other)
        for place in (here, there):
            place.submit("one", command=["true"])
            place.submit("lasts", script="exec sleep 300", terminationGracePeriodSeconds=1)
        for place in (here, there):
            assert place.finished("one")["reason"] == "Completed"
            place.until_reason("lasts", "Running")
            place.patch("lasts", desiredState="Cancelled")
            assert place.finished("lasts")["reason"] == "Cancelled"
            assert place.pods_ever("one") == ["one-1"]
            assert place.pods_ever("lasts") == ["lasts-1"]
        assert here.stop() == 0
