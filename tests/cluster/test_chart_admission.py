"""Who may write what on a job, by the chart's policies, as the API server applies them."""

import json
import secrets
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from kit.chart import Release
from kit.cluster import Cluster
from kit.operator import job

JOB = "job"
COMMIT = {"results": {"source": {"commit": "abc"}}}
TESTS = {"results": {"tests": {"total": 3}}}


@pytest.fixture(scope="module")
def release(cluster: Cluster, crds: None) -> Iterator[Release]:
    """The chart without a Pod: what it says of rights is enough."""
    release = Release(cluster, f"test-{secrets.token_hex(4)}")
    cluster.kubectl("create", "namespace", release.namespace)
    none = "operator.replicas=0,gateway.replicas=0,archiver.replicas=0"
    release.install(f"--set={none},s3.endpoint=http://s3,s3.existingSecret=x")
    try:
        team = may("team", release.namespace, ("dev",), ["create", "get", "patch"])
        written = may(
            "status",
            release.namespace,
            ("cijob-operator", "cijob-gateway", "cijob-archiver"),
            ["get", "patch"],
        )
        cluster.apply(release.namespace, *team, *written, made_by("ann"))
        cluster.until_allowed(release.namespace, "dev", "create")
        cluster.until_allowed(release.namespace, "cijob-operator", "patch")
        attempts = count()

        def is_applied() -> bool:
            change = {"results": {"tests": {"total": next(attempts)}}}
            return bool(refusal(release, "cijob-operator", change))

        cluster.until("the policy of statuses", is_applied)
        cluster.until("the policy of submitters", lambda: bool(created(release, "dev", "ann")))
        yield release
    finally:
        release.uninstall()
        cluster.kubectl("delete", "namespace", release.namespace, "--wait=false")


def may(
    name: str, namespace: str, accounts: tuple[str, ...], verbs: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rights on jobs and any status by kubectl, so that only the policies stand against it."""
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["cijob.dev"], "resources": ["cijobs", "cijobs/status"], "verbs": verbs}]
    metadata = {"name": name}
    return (
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [
                {"kind": "ServiceAccount", "name": account, "namespace": namespace}
                for account in accounts
            ],
        },
    )


def made_by(submitter: str) -> dict[str, Any]:
    """A job that says who submitted it."""
    manifest = job(JOB)
    if submitter:
        manifest["metadata"]["annotations"] = {"cijob.dev/submitter": submitter}
    return manifest


def created(release: Release, account: str, submitter: str) -> str:
    """What the API server says against a new job by a ServiceAccount; empty if nothing."""
    manifest = made_by(submitter)
    manifest["metadata"]["name"] = "new"
    done = release.cluster.kubectl(
        *("create", "-n", release.namespace, "--dry-run=server", "-f", "-"),
        f"--as={name_of(release, account)}",
        stdin=json.dumps(manifest),
        check=False,
    )
    assert done.returncode == 0 or "ValidatingAdmissionPolicy" in done.stderr, done.stderr
    return done.stderr if done.returncode else ""


def name_of(release: Release, account: str) -> str:
    """A ServiceAccount, as the API server calls it."""
    return f"system:serviceaccount:{release.namespace}:{account}"


def refusal(release: Release, account: str, status: dict[str, Any]) -> str:
    """What the API server says against a change of status by a ServiceAccount; empty if nothing."""
    done = release.cluster.kubectl(
        *("patch", "cij", JOB, "-n", release.namespace, "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": status})),
        f"--as={name_of(release, account)}",
        check=False,
    )
    assert done.returncode == 0 or "ValidatingAdmissionPolicy" in done.stderr, done.stderr
    return done.stderr if done.returncode else ""


def test_who_makes_a_job_may_name_nobody_else_as_its_submitter(release: Release) -> None:
    own = name_of(release, "dev")
    assert not created(release, "dev", "")
    assert not created(release, "dev", own)
    told = created(release, "dev", "bob")
    assert f"annotation cijob.dev/submitter must be your own name, {own}, or absent" in told
    assert not created(release, "cijob-gateway", "bob"), "it has reviewed who that is"


@pytest.mark.parametrize("other", ["bob", None, "their own"])
def test_who_submitted_a_job_cannot_change(release: Release, other: str | None) -> None:
    def patched(patch: dict[str, Any]) -> str:
        return release.cluster.kubectl(
            *("patch", "cij", JOB, "-n", release.namespace, "--type=merge", "--dry-run=server"),
            *("-p", json.dumps(patch), f"--as={name_of(release, 'dev')}"),
            check=False,
        ).stderr

    submitter = name_of(release, "dev") if other == "their own" else other
    told = patched({"metadata": {"annotations": {"cijob.dev/submitter": submitter}}})
    assert "says who made the job and cannot change" in told
    assert not patched({"spec": {"desiredState": "Cancelled"}})


def test_the_operator_may_write_all_but_the_results_and_of_these_the_source(
    release: Release,
) -> None:
    assert not refusal(release, "cijob-operator", {"phase": "Starting", "message": "soon"})
    assert not refusal(release, "cijob-operator", {"phase": "Running", **COMMIT})
    told = refusal(release, "cijob-operator", {"results": {"tests": {"total": 1_000_000}}})
    assert "of status.results the operator may change source only" in told


@pytest.mark.parametrize(
    "status",
    [{"phase": "Succeeded"}, {"message": None}, {"message": "x", **TESTS}, {"exitCode": 0}],
)
def test_the_gateway_may_write_nothing_but_the_results(
    release: Release, status: dict[str, Any]
) -> None:
    assert not refusal(release, "cijob-operator", {"message": "the operator's"})
    assert not refusal(release, "cijob-gateway", TESTS)
    assert "may change status.results only" in refusal(release, "cijob-gateway", status)


@pytest.mark.parametrize("key", ["source", "logs", "failure"])
def test_of_the_results_the_gateway_may_not_write_the_others(release: Release, key: str) -> None:
    value = {"source": {"commit": "x"}, "logs": {"lines": 7}, "failure": {"logTail": "x"}}[key]
    told = refusal(release, "cijob-gateway", {"results": {key: value}})
    assert "the gateway may not change status.results.source" in told


def test_the_archiver_may_write_what_became_of_the_log_and_nothing_else(release: Release) -> None:
    own = {"results": {"logs": {"lines": 1}, "failure": {"logTail": "x"}}}
    assert not refusal(release, "cijob-archiver", own)
    told = refusal(release, "cijob-archiver", {"results": {"source": {"commit": "not its"}}})
    assert "of status.results the archiver may change logs and failure only" in told
    told = refusal(release, "cijob-archiver", {"phase": "Succeeded", **own})
    assert "may change status.results only" in told


def test_nobody_else_is_held(release: Release) -> None:
    done = release.cluster.kubectl(
        *("patch", "cij", JOB, "-n", release.namespace, "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": {"message": "by hand", "results": {"logs": {"lines": 2}}}})),
    )
    assert done.returncode == 0
    assert not refusal(release, "cijob-gateway", {"results": {"tests": {"total": 4}}})
