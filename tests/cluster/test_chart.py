"""The chart: what it installs works under `restricted`, with the rights it needs and no more."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cijob_operator.permissions import NEEDS
from kit.cluster import ROOT, Cluster, terminated
from kit.operator import job

CHART = ROOT / "charts" / "cijob"
HELM = ROOT / ".local" / "bin" / "helm"


def helm(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(HELM), *words], capture_output=True, text=True, timeout=180)
    assert not check or done.returncode == 0, done.stderr
    return done


def rendered(*options: str) -> list[dict[str, Any]]:
    """The manifests of the chart with these options."""
    words = ("template", "cijob", str(CHART), "--namespace=system", "--kube-version=1.34.0")
    documents = yaml.safe_load_all(helm(*words, *options).stdout)
    return [document for document in documents if document]


@pytest.fixture
def release(cluster: Cluster, crds: None, namespace: str) -> Iterator[str]:
    """The chart, installed for one namespace of its own; uninstalled afterwards."""
    common = (f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}")
    options = ("--set=crds.install=false", f"--set=operator.namespaces={{{namespace}}}")
    helm("install", "cijob", str(CHART), *common, *options, "--wait", "--timeout=120s")
    yield namespace
    helm("uninstall", "cijob", *common, "--wait", "--timeout=60s")


def test_an_installed_operator_runs_a_job_in_a_restricted_namespace(
    cluster: Cluster, release: str
) -> None:
    manifest = json.dumps(job("first", command=["echo", "hello"]))
    cluster.kubectl("create", "-n", release, "-f", "-", stdin=manifest)
    cluster.wait(release, "cij/first", "condition=Finished")
    assert cluster.get("cij", "-n", release, "first")["status"]["phase"] == "Succeeded"
    assert cluster.kubectl("logs", "-n", release, "first-1").stdout == "hello\n"
    assert terminated(cluster, release, "first-1")["exitCode"] == 0


def test_the_rights_are_what_the_operator_asks_for_and_no_more() -> None:
    granted = {
        (group, resource, name, verb)
        for document in rendered()
        if document["kind"] in {"Role", "ClusterRole"}
        for rule in document["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }
    needed = {
        (need.group, "/".join(filter(None, (need.resource, need.subresource))), need.name, verb)
        for need in NEEDS
        for verb in need.verbs
    }
    assert granted == needed


def test_no_service_account_but_the_operators_gets_a_token() -> None:
    accounts = [d for d in rendered() if d["kind"] == "ServiceAccount"]
    assert [a["automountServiceAccountToken"] for a in accounts] == [False]


def test_limited_to_namespaces_it_asks_for_nothing_cluster_wide() -> None:
    kinds = {d["kind"] for d in rendered("--set=operator.namespaces={a,b}")}
    assert not {kind for kind in kinds if kind.startswith("Cluster")}


def test_custom_resources_are_those_of_the_contract_and_are_kept() -> None:
    found = {
        d["metadata"]["name"]: d for d in rendered() if d["kind"] == "CustomResourceDefinition"
    }
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        definition = yaml.safe_load(file.read_text())
        chart = found.pop(definition["metadata"]["name"])
        assert chart["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert chart == definition
    assert found == {}


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("pool.maxConcurrent=many", "pool.maxConcurrent"),
        ("pool.maxConcurrent=-1", "pool.maxConcurrent"),
        ("pool.allow.everything=true", "pool.allow"),
        ("operator.replicas=9", "operator.replicas"),
        ("operator.namespaces=ci", "operator.namespaces"),
        ("image.pullPolicy=Sometimes", "image.pullPolicy"),
        ("image.tag=", "image.tag"),
        ("imagee.tag=x", "imagee"),
        ("crds.keep=yes please", "crds.keep"),
    ],
)
def test_a_wrong_value_is_refused_by_name(option: str, words: str) -> None:
    words_given = ("template", "cijob", str(CHART), "--kube-version=1.34.0", f"--set={option}")
    done = helm(*words_given, check=False)
    assert done.returncode != 0
    assert words in done.stderr.replace("/", ".")


def test_values_are_a_page() -> None:
    assert len(Path(CHART / "values.yaml").read_text().splitlines()) < 90
