"""Who may do what: the chart's rights are those that the parts ask for, and no more."""

from collections.abc import Iterable
from typing import Any, Protocol

import pytest

from cijob_gateway.archiver.permissions import NEEDS as ARCHIVER_NEEDS
from cijob_gateway.permissions import NEEDS as GATEWAY_NEEDS
from cijob_operator.permissions import NEEDS as OPERATOR_NEEDS
from kit.chart import rendered

Right = tuple[str, str, str, str]


class Need(Protocol):
    """What both parts' tables of needs have."""

    @property
    def group(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def subresource(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def verbs(self) -> tuple[str, ...]: ...


def needed(needs: Iterable[Need]) -> set[Right]:
    """(group, resource, name, verb) of each need."""
    return {
        (need.group, "/".join(filter(None, (need.resource, need.subresource))), need.name, verb)
        for need in needs
        for verb in need.verbs
    }


def granted(account: str, documents: list[dict[str, Any]]) -> dict[str, set[Right]]:
    """What a ServiceAccount is granted, by namespace; empty for the whole cluster."""
    roles = {
        (d["kind"], d["metadata"].get("namespace", ""), d["metadata"]["name"]): d["rules"]
        for d in documents
        if d["kind"] in {"Role", "ClusterRole"}
    }
    found: dict[str, set[Right]] = {}
    for binding in documents:
        if not binding["kind"].endswith("RoleBinding"):
            continue
        if account not in {subject["name"] for subject in binding["subjects"]}:
            continue
        namespace = binding["metadata"].get("namespace", "")
        rules = roles[binding["roleRef"]["kind"], namespace, binding["roleRef"]["name"]]
        found.setdefault(namespace, set()).update(rights(rules))
    return found


def rights(rules: list[dict[str, Any]]) -> set[Right]:
    """(group, resource, name, verb) of each rule."""
    return {
        (group, resource, name, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


OPERATOR = [need for need in OPERATOR_NEEDS if not (need.system_only or need.cluster_wide)]
POOLS = [need for need in OPERATOR_NEEDS if need.cluster_wide]
LEASE = [need for need in OPERATOR_NEEDS if need.system_only]
ARCHIVER = [need for need in ARCHIVER_NEEDS if not need.system_only]
ARCHIVER_LEASE = [need for need in ARCHIVER_NEEDS if need.system_only]
GATEWAY = [need for need in GATEWAY_NEEDS if not need.cluster_wide]
REVIEWS = [need for need in GATEWAY_NEEDS if need.cluster_wide]


def test_the_operator_gets_what_it_asks_for_and_no_more() -> None:
    assert granted("cijob-operator", rendered()) == {
        "": needed([*OPERATOR, *POOLS]),
        "system": needed(LEASE),
    }


def test_the_gateway_gets_what_it_asks_for_and_no_more() -> None:
    assert granted("cijob-gateway", rendered()) == {"": needed([*GATEWAY, *REVIEWS])}


def test_the_archiver_gets_what_it_asks_for_and_no_more() -> None:
    assert granted("cijob-archiver", rendered()) == {
        "": needed(ARCHIVER),
        "system": needed(ARCHIVER_LEASE),
    }


def test_without_an_archiver_nobody_has_its_rights() -> None:
    documents = rendered("--set=archiver.enabled=false")
    assert granted("cijob-archiver", documents) == {}
    assert not [d for d in documents if "archiver" in d["metadata"]["name"]]


def test_limited_to_namespaces_only_reviews_pools_and_nodes_are_cluster_wide() -> None:
    documents = rendered("--set=operator.namespaces={a,b}")
    assert granted("cijob-operator", documents) == {
        "": needed(POOLS),
        "a": needed(OPERATOR),
        "b": needed(OPERATOR),
        # The templates for all are there.
        "system": needed([*OPERATOR, *LEASE]),
    }
    assert granted("cijob-gateway", documents) == {
        "": needed(REVIEWS),
        **dict.fromkeys(("a", "b", "system"), needed(GATEWAY)),
    }
    assert granted("cijob-archiver", documents) == {
        **dict.fromkeys(("a", "b"), needed(ARCHIVER)),
        "system": needed([*ARCHIVER, *ARCHIVER_LEASE]),
    }


def test_a_team_may_do_with_jobs_what_the_gateway_asks_for_them() -> None:
    documents = rendered("--set=jobNamespaces={team-a}")
    jobs = {
        ("cijob.dev", "cijobs", "", verb) for verb in ("create", "get", "list", "delete", "patch")
    }
    assert granted("ci-cli", documents) == {
        "team-a": {*jobs, ("cijob.dev", "cijobs/log", "", "get")}
    }


@pytest.mark.parametrize("account", ["cijob-minio", "default"])
def test_others_get_nothing(account: str) -> None:
    assert granted(account, rendered("--set=jobNamespaces={team-a}")) == {}


def test_no_service_account_hands_out_its_token_unasked() -> None:
    documents = rendered()
    accounts = [d for d in documents if d["kind"] == "ServiceAccount"]
    assert {a["metadata"]["name"] for a in accounts} == {
        "cijob-operator",
        "cijob-gateway",
        "cijob-archiver",
        "cijob-minio",
        "cijob-test",
        "ci-cli",
    }
    assert {a["automountServiceAccountToken"] for a in accounts} == {False}
    mounted = {
        d["metadata"]["name"]
        for d in documents
        if d["kind"] == "Deployment"
        and d["spec"]["template"]["spec"]["automountServiceAccountToken"]
    }
    assert mounted == {"cijob-operator", "cijob-gateway", "cijob-archiver"}
