"""The chart as it is rendered: names, parts, and the words for what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.chart import CHART, find, helm, refusal, rendered
from kit.cluster import ROOT
from kit.testscript import SCRIPT

TEAM = "--set=jobNamespaces[0].name=team-a"
CA = "--set=caBundle=-----BEGIN CERTIFICATE-----"
INGRESS = "--set=gateway.ingress.enabled=true,gateway.ingress.host=ci.example.com"
OUTSIDE_S3 = "--set=s3.endpoint=https://s3.example.com,s3.existingSecret=keys"


def container(document: dict[str, Any]) -> dict[str, Any]:
    """The one container of a Pod or of what makes Pods."""
    spec = document["spec"]
    (found,) = spec.get("template", {"spec": spec})["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(document: dict[str, Any]) -> dict[str, str]:
    """The variables of its container that have a plain value."""
    return {e["name"]: e["value"] for e in container(document)["env"] if "value" in e}


def with_pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The manifests that make Pods."""
    return [d for d in documents if d["kind"] in {"Deployment", "Pod"}]


# -- all of it ------------------------------------------------------------------------------------


def test_values_are_a_page() -> None:
    assert len(Path(CHART / "values.yaml").read_text().splitlines()) < 90


def test_helm_finds_nothing_to_complain_of() -> None:
    helm("lint", "--strict", "--quiet", str(CHART))


def test_every_manifest_says_which_namespace_it_is_for() -> None:
    cluster_wide = ("Cluster", "Custom", "Validating")
    namespaced = [d for d in rendered(TEAM, CA) if not d["kind"].startswith(cluster_wide)]
    assert {d["metadata"].get("namespace") for d in namespaced} == {"system", "team-a"}


def test_two_releases_in_two_namespaces_do_not_meet() -> None:
    words = ("template", "cijob", str(CHART), "--kube-version=1.34.0", "--set=crds.install=false")
    one, other = (
        {
            (d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"])
            for d in yaml.safe_load_all(helm(*words, f"--namespace={namespace}").stdout)
        }
        for namespace in ("one", "other")
    )
    assert one & other == set()


def test_every_pod_keeps_to_restricted_and_to_its_own_files() -> None:
    for document in with_pods(rendered()):
        security = container(document)["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container(document)["resources"]["limits"]


def test_the_registry_stands_before_every_image() -> None:
    documents = rendered("--set=image.registry=registry.example:5000/mirror/")
    images = {container(document)["image"] for document in with_pods(documents)}
    images |= {d["spec"]["image"] for d in documents if d["kind"] == "CIJobTemplate"}
    images.add(environment(find(documents, "Deployment", "cijob-operator"))["CIJOB_AGENT_IMAGE"])
    assert images == {
        f"registry.example:5000/mirror/cijob/{name}:dev"
        for name in ("build", "cijob", "minio", "python")
    }


def test_pull_secrets_reach_every_pod_and_the_templates_jobs() -> None:
    secrets = [{"name": "my-registry"}]
    documents = rendered("--set=image.pullSecrets[0].name=my-registry")
    for document in with_pods(documents):
        spec = document["spec"]
        assert spec.get("template", {"spec": spec})["spec"]["imagePullSecrets"] == secrets
    for document in [d for d in documents if d["kind"] == "CIJobTemplate"]:
        assert document["spec"]["imagePullSecrets"] == secrets


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


def test_the_templates_are_test_run_and_build() -> None:
    found = {d["metadata"]["name"]: d["spec"] for d in rendered() if d["kind"] == "CIJobTemplate"}
    assert set(found) == {"test", "run", "build"}
    assert found["test"]["script"] == SCRIPT
    # Where the script reports is where the agent looks.
    [variable], [junit] = found["test"]["env"], found["test"]["reports"]["junit"]
    assert variable == {"name": "CIJOB_JUNIT", "value": f"/workspace/{junit}"}
    build = (CHART / "files" / "templates" / "build.sh").read_text()
    assert found["build"]["script"] == build
    assert {"command", "script"} & set(found["run"]) == set()


# -- the gateway ----------------------------------------------------------------------------------


def test_a_disruption_budget_only_where_there_is_more_than_one() -> None:
    assert "PodDisruptionBudget" not in {d["kind"] for d in rendered()}
    documents = rendered("--set=gateway.replicas=3,operator.replicas=2")
    for name in ("cijob-gateway", "cijob-operator"):
        assert find(documents, "PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_with_a_certificate_the_gateway_speaks_https_to_everybody() -> None:
    documents = rendered("--set=gateway.tls.existingSecret=certificate")
    gateway = find(documents, "Deployment", "cijob-gateway")
    assert environment(gateway)["CIJOB_TLS_CERT"] == "/etc/cijob-tls/tls.crt"
    probes = [container(gateway)[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")]
    assert {probe["httpGet"]["scheme"] for probe in probes} == {"HTTPS"}
    operator = environment(find(documents, "Deployment", "cijob-operator"))
    assert operator["CIJOB_GATEWAY"] == "https://cijob-gateway.system.svc:8081"


def test_without_one_agents_find_it_by_http() -> None:
    operator = environment(find(rendered(), "Deployment", "cijob-operator"))
    assert operator["CIJOB_GATEWAY"] == "http://cijob-gateway.system.svc:8081"
    assert operator["CIJOB_CA_BUNDLE"] == "false"


def test_large_numbers_reach_it_as_they_were_written() -> None:
    option = "--set=gateway.maxSourceBytes=107374182400"
    gateway = environment(find(rendered(option), "Deployment", "cijob-gateway"))
    assert gateway["CIJOB_MAX_SOURCE_BYTES"] == "107374182400"


def test_operator_and_gateway_know_the_same_pool() -> None:
    documents = rendered("--set=pool.maxConcurrent=3,operator.agingSeconds=60")
    parts = [
        environment(find(documents, "Deployment", f"cijob-{n}")) for n in ("operator", "gateway")
    ]
    for name in ("CIJOB_DEFAULT_POOL", "CIJOB_AGING_SECONDS"):
        assert parts[0][name] == parts[1][name]
    assert parts[0]["CIJOB_AGING_SECONDS"] == "60"


def test_an_ingress_leads_to_the_user_api_only() -> None:
    options = (INGRESS, "--set=gateway.ingress.className=nginx,gateway.ingress.tlsSecret=web")
    spec = find(rendered(*options), "Ingress", "cijob-gateway")["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"hosts": ["ci.example.com"], "secretName": "web"}]
    (rule,) = spec["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "cijob-gateway", "port": {"number": 80}}


def test_an_http_route_does_not_cut_a_followed_log() -> None:
    options = (
        "--set=gateway.httpRoute.enabled=true",
        "--set=gateway.httpRoute.parentRefs[0].name=web",
        "--set=gateway.httpRoute.hostnames={ci.example.com}",
    )
    spec = find(rendered(*options), "HTTPRoute", "cijob-gateway")["spec"]
    assert spec["parentRefs"] == [{"name": "web"}]
    assert spec["hostnames"] == ["ci.example.com"]
    (rule,) = spec["rules"]
    assert rule["backendRefs"] == [{"name": "cijob-gateway", "port": 80}]
    assert rule["timeouts"] == {"request": "0s"}


# -- S3 -------------------------------------------------------------------------------------------


def test_with_an_s3_server_of_yours_there_is_no_minio() -> None:
    documents = rendered(OUTSIDE_S3)
    assert [d["metadata"]["name"] for d in documents if "minio" in d["metadata"]["name"]] == []
    gateway = find(documents, "Deployment", "cijob-gateway")
    assert environment(gateway)["CIJOB_S3_ENDPOINT"] == "https://s3.example.com"
    keys = [e["valueFrom"]["secretKeyRef"] for e in container(gateway)["env"] if "KEY" in e["name"]]
    assert keys == [{"name": "keys", "key": key} for key in ("accessKey", "secretKey")]


def test_the_keys_may_be_in_a_secret_of_yours() -> None:
    documents = rendered("--set=s3.existingSecret=keys")
    assert "Secret" not in {d["kind"] for d in documents}
    minio = container(find(documents, "Deployment", "cijob-minio"))
    names = {e["valueFrom"]["secretKeyRef"]["name"] for e in minio["env"] if "valueFrom" in e}
    assert names == {"keys"}


def test_minio_keeps_a_volume_if_told_to() -> None:
    option = "--set=minio.persistence.enabled=true,minio.persistence.storageClass=fast"
    documents = rendered(option)
    claim = find(documents, "PersistentVolumeClaim", "cijob-minio")
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    volumes = find(documents, "Deployment", "cijob-minio")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "cijob-minio"}} in volumes


# -- teams ----------------------------------------------------------------------------------------


def test_the_ca_bundle_is_wherever_our_pods_run() -> None:
    documents = rendered(CA, TEAM, "--set=jobNamespaces[1]=team-b")
    places = [d["metadata"]["namespace"] for d in documents if d["metadata"]["name"] == "cijob-ca"]
    assert sorted(places) == ["system", "team-a", "team-b"]
    assert environment(find(documents, "Deployment", "cijob-operator"))["CIJOB_CA_BUNDLE"] == "true"
    gateway = environment(find(documents, "Deployment", "cijob-gateway"))
    assert gateway["SSL_CERT_FILE"] == "/etc/cijob-ca/ca.crt"
    found = [d["data"] for d in documents if d["metadata"]["name"] == "cijob-ca-env"]
    variables = {
        "SSL_CERT_FILE",
        "PIP_CERT",
        "REQUESTS_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "NODE_EXTRA_CA_CERTS",
    }
    assert found == [dict.fromkeys(variables, "/etc/cijob-ca/ca.crt")] * 3


def test_a_job_namespace_that_is_the_systems_own_gets_one_bundle() -> None:
    documents = rendered(CA, "--set=jobNamespaces={system}")
    assert len([d for d in documents if d["metadata"]["name"] == "cijob-ca"]) == 1


def test_the_users_of_a_team_and_the_command_line_share_its_role() -> None:
    users = (
        "--set=jobNamespaces[0].users[0].kind=Group,jobNamespaces[0].users[0].name=team-a",
        "--set=jobNamespaces[0].users[1].kind=ServiceAccount,jobNamespaces[0].users[1].name=bot",
    )
    binding = find(rendered(TEAM, *users), "RoleBinding", "cijob-user")
    assert binding["metadata"]["namespace"] == "team-a"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "ci-cli", "namespace": "system"},
        {"kind": "Group", "name": "team-a", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "team-a"},
    ]


BUILDERS = "--set=buildJobs.users[0].kind=Group,buildJobs.users[0].name=builders"
GROUP = {"kind": "Group", "name": "builders", "apiGroup": "rbac.authorization.k8s.io"}


@pytest.mark.parametrize(
    ("options", "namespace", "teams"),
    [
        ([], "", []),
        (["jobNamespaces={a,b}"], "a", ["a", "b"]),
        (["jobNamespaces={a,b}", "operator.namespaces={b}"], "b", ["a", "b"]),
        (["jobNamespaces={a,b}", "buildJobs.namespace=b"], "b", ["a", "b"]),
        (["jobNamespaces={a}", "buildJobs.namespace=builds"], "builds", ["a", "builds"]),
    ],
)
def test_build_jobs_have_a_namespace_and_users(
    options: list[str], namespace: str, teams: list[str]
) -> None:
    documents = rendered(BUILDERS, *(f"--set={option}" for option in options))
    gateway = environment(find(documents, "Deployment", "cijob-gateway"))
    assert gateway["CIJOB_BUILD_NAMESPACE"] == namespace
    bindings = [d for d in documents if d["metadata"]["name"] == "cijob-user" and "subjects" in d]
    assert [d["metadata"]["namespace"] for d in bindings] == teams
    allowed = [d["metadata"]["namespace"] for d in bindings if GROUP in d["subjects"]]
    assert allowed == ([namespace] if namespace else [])


def test_nothing_connects_to_a_job_and_only_gateway_and_archiver_to_minio() -> None:
    documents = rendered(TEAM)
    jobs = find(documents, "NetworkPolicy", "cijob-jobs")["spec"]
    assert jobs == {
        "podSelector": {"matchExpressions": [{"key": "cijob.dev/job", "operator": "Exists"}]},
        "policyTypes": ["Ingress"],
    }
    (rule,) = find(documents, "NetworkPolicy", "cijob-minio")["spec"]["ingress"]
    parts = [find(documents, "Deployment", f"cijob-{name}") for name in ("gateway", "archiver")]
    labels = [part["spec"]["template"]["metadata"]["labels"] for part in parts]
    assert rule["from"] == [{"podSelector": {"matchLabels": own}} for own in labels]


def test_network_policies_can_be_left_to_the_site() -> None:
    documents = rendered(TEAM, "--set=networkPolicy.enabled=false")
    assert "NetworkPolicy" not in {d["kind"] for d in documents}


# -- the archiver ---------------------------------------------------------------------------------


def test_finished_pods_wait_for_their_archive_only_if_there_is_an_archiver() -> None:
    for enabled, grace in (("true", "3600"), ("false", None)):
        documents = rendered(f"--set=archiver.enabled={enabled}")
        operator = environment(find(documents, "Deployment", "cijob-operator"))
        assert operator.get("CIJOB_ARCHIVE_GRACE_SECONDS") == grace


def test_the_archiver_is_told_how_long_and_how_much() -> None:
    options = ("--set=archiver.retentionDays=2", "--set=archiver.spoolMiB=100")
    archiver = find(rendered(*options), "Deployment", "cijob-archiver")
    told = environment(archiver)
    assert told["CIJOB_RETENTION_SECONDS"] == "172800"
    assert told["CIJOB_SPOOL_BYTES"] == str(100 << 20)
    volumes = {v["name"]: v for v in archiver["spec"]["template"]["spec"]["volumes"]}
    assert volumes["spool"]["emptyDir"] == {"sizeLimit": "200Mi"}


def test_the_archiver_is_told_where_notifications_may_go_and_may_leave_the_cluster() -> None:
    options = ("notifications.allow={10.1.0.0/16,sink.team-a.svc}", "notifications.refuse={::/0}")
    documents = rendered(*(f"--set={option}" for option in options))
    told = environment(find(documents, "Deployment", "cijob-archiver"))
    assert told["CIJOB_NOTIFY_ALLOW"] == "10.1.0.0/16 sink.team-a.svc"
    assert told["CIJOB_NOTIFY_REFUSE"] == "::/0"
    assert find(documents, "NetworkPolicy", "cijob-archiver")["spec"]["policyTypes"] == ["Ingress"]


def test_gateway_and_archiver_speak_to_the_same_store() -> None:
    documents = rendered("--set=s3.endpoint=https://s3.example.com,s3.existingSecret=keys")
    gateway, archiver = (
        [e for e in container(find(documents, "Deployment", name))["env"] if "S3" in e["name"]]
        for name in ("cijob-gateway", "cijob-archiver")
    )
    assert gateway == archiver


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("pool.maxConcurrent=many", "pool.maxConcurrent"),
        ("pool.maxConcurrent=-1", "pool.maxConcurrent"),
        ("pool.allow.everything=true", "pool.allow"),
        ("operator.replicas=9", "operator.replicas"),
        ("operator.namespaces=ci", "operator.namespaces"),
        ("operator.namespaces={Team A}", "operator.namespaces.0"),
        ("operator.resources.limit.memory=1Gi", "operator.resources"),
        ("image.pullPolicy=Sometimes", "image.pullPolicy"),
        ("image.tag=", "image.tag"),
        ("image.registry=https://registry.example", "image.registry"),
        ("imagee.tag=x", "imagee"),
        ("jobImage=", "jobImage"),
        ("buildJobs.image=", "buildJobs.image"),
        ("buildJobs.users={anna}", "buildJobs.users"),
        ("archiver.retentionDays=0", "archiver.retentionDays"),
        ("notifications.allow=10.0.0.0/8", "notifications.allow"),
        ("notifications.allow={a b}", "notifications.allow.0"),
        ("notifications.refuse={sink.example}", "notifications.refuse.0"),
        ("gateway.auth=basic", "gateway.auth"),
        ("gateway.maxSourceBytes=200Mi", "gateway.maxSourceBytes"),
        ("gateway.tls.secret=x", "gateway.tls"),
        ("gateway.ingress.host=https://ci.example.com", "gateway.ingress.host"),
        ("s3.endpoint=s3.example.com", "s3.endpoint"),
        ("s3.bucket=My_Bucket", "s3.bucket"),
        ("minio.persistence.size=big", "minio.persistence.size"),
        ("jobNamespaces={Team_A}", "jobNamespaces.0"),
        ("jobNamespaces[0].users={anna}", "jobNamespaces.0"),
        ("jobNamespaces[0].name=a,jobNamespaces[0].users[0].kind=Person", "users.0.kind"),
        ("networkPolicy.enabled=maybe", "networkPolicy.enabled"),
        ("crds.keep=yes please", "crds.keep"),
    ],
)
def test_a_wrong_value_is_refused_by_name(option: str, words: str) -> None:
    assert words in refusal(f"--set={option}").replace("/", ".")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("s3.endpoint=https://s3.example.com", "s3.existingSecret is not"),
        ("gateway.auth=none,gateway.ingress.enabled=true", "gateway.auth is none"),
        ("gateway.ingress.enabled=true", "without gateway.ingress.host"),
        ("gateway.httpRoute.enabled=true", "without gateway.httpRoute.parentRefs"),
        ("caBundle=/etc/ssl/ca.pem", "holds no PEM certificate"),
        ("operator.namespaces={a},buildJobs.namespace=b", "operator.namespaces leaves out"),
    ],
)
def test_values_that_do_not_go_together_are_refused_in_words(options: str, words: str) -> None:
    assert words in refusal(f"--set={options}")


def test_a_ca_bundle_that_helm_could_not_store_is_refused_with_its_size(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n" + "x" * 500_000)
    told = refusal(f"--set-file=caBundle={bundle}", TEAM)
    assert "500028 bytes and 3 copies" in told
