"""The Pod of an attempt, as a value. Pure: the same job gives the same manifest, byte for byte.

A job that needs no agent is the user's container, untouched. One with a source, artifacts or
reports has the agent beside it, not before it: an init container costs a second of the kubelet's
time, a parallel container none.
"""

from typing import Any

from cijob_api import names
from cijob_api.objects import CIJob
from cijob_api.parts import Prepare
from cijob_api.resolve import Resolved
from cijob_api.variables import EnvVar, SecretEnv
from cijob_operator.agentspecs import PodSettings, add_agent, in_workspace, restricted, verbatim
from cijob_operator.wrapper import WRAPPER

Json = dict[str, Any]
USER = 1000
# For the day the operator is gone: no Pod outlives what was promised for it by more than this.
BACKSTOP_SECONDS = 600
# The agent collects results after the job has ended, within the Pod's own grace.
COLLECT_SECONDS = 15
CA_FOLDER = "/etc/cijob-ca"


def pod(job: CIJob, resolved: Resolved, attempt: int, settings: PodSettings) -> Json:
    """The manifest of the Pod for one attempt of a job."""
    spec: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": _deadline(resolved),
        "terminationGracePeriodSeconds": _grace(resolved),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_job_container(resolved)],
        **_placement(resolved),
    }
    if resolved.needs_agent:
        add_agent(spec, job, resolved, settings)
    if settings.ca_bundle:
        _add_ca_bundle(spec)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(job, resolved, attempt),
        "spec": spec,
    }


def _metadata(job: CIJob, resolved: Resolved, attempt: int) -> Json:
    labels = {
        "app.kubernetes.io/managed-by": "cijob",
        names.LABEL_JOB: job.metadata.name,
        names.LABEL_ATTEMPT: str(attempt),
    }
    if queue := job.metadata.labels.get(names.LABEL_KUEUE):
        labels[names.LABEL_KUEUE] = queue
    annotations = {
        "kubectl.kubernetes.io/default-container": "job",
        names.ANNOTATION_START_TIMEOUT: str(resolved.start_timeout_seconds),
        names.ANNOTATION_TIMEOUT: str(resolved.timeout_seconds),
        names.ANNOTATION_POOL: resolved.pool,
    }
    if resolved.concurrency:
        annotations[names.ANNOTATION_GROUP] = resolved.concurrency.group
        if resolved.concurrency.supersede:
            annotations[names.ANNOTATION_SUPERSEDES] = "true"
    if _is_wrapped(resolved) and resolved.command:
        annotations[names.ANNOTATION_WRAPPED_COMMAND] = "true"
    if resolved.collects:
        annotations[names.ANNOTATION_COLLECTS] = "true"
    if resolved.template:
        labels[names.LABEL_TEMPLATE] = resolved.template.partition("/")[0]
        annotations[names.ANNOTATION_TEMPLATE_GENERATION] = resolved.template
    if submitter := job.metadata.annotations.get(names.ANNOTATION_SUBMITTER):
        annotations[names.ANNOTATION_SUBMITTER] = submitter
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": "CIJob",
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {
        "name": names.pod_name(job.metadata.name, attempt),
        "namespace": job.metadata.namespace,
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner],
    }


def _deadline(resolved: Resolved) -> int:
    promised = resolved.start_timeout_seconds + resolved.timeout_seconds + _grace(resolved)
    return promised + BACKSTOP_SECONDS


def _grace(resolved: Resolved) -> int:
    extra = COLLECT_SECONDS if resolved.needs_agent else 0
    return resolved.termination_grace_period_seconds + extra


def _placement(resolved: Resolved) -> Json:
    placed: Json = {}
    if resolved.service_account_name != "default":
        placed["serviceAccountName"] = resolved.service_account_name
    if resolved.image_pull_secrets:
        placed["imagePullSecrets"] = [{"name": s.name} for s in resolved.image_pull_secrets]
    if resolved.node_selector:
        placed["nodeSelector"] = resolved.node_selector
    if resolved.tolerations:
        placed["tolerations"] = [_plain(toleration) for toleration in resolved.tolerations]
    if resolved.runtime_class_name:
        placed["runtimeClassName"] = resolved.runtime_class_name
    return placed


def _job_container(resolved: Resolved) -> Json:
    container: Json = {"name": "job", "image": resolved.image, **_command(resolved)}
    if resolved.working_dir and not resolved.needs_agent:
        container["workingDir"] = resolved.working_dir
    if resolved.env:
        container["env"] = [_variable(variable) for variable in resolved.env]
    optional, whole = _secret_environment(resolved.secret_env)
    if optional:
        container["env"] = [*container.get("env", []), *optional]
    if whole:
        container["envFrom"] = whole
    container["resources"] = {"requests": resolved.requests, "limits": resolved.limits}
    container["securityContext"] = restricted()
    return container


def _command(resolved: Resolved) -> Json:
    """What the container runs: the user's words, or the wrapper around them."""
    words = resolved.command
    if resolved.script is not None:
        # `sh -c text name args`: the arguments become $1, $2 … of the script.
        words = ["sh", "-euc", verbatim(resolved.script), "sh"]
    if words and _is_wrapped(resolved):
        grace = str(resolved.termination_grace_period_seconds)
        folder = in_workspace(resolved.working_dir)
        wrapped = ["sh", "-c", WRAPPER, "cijob", grace, folder, *words, *resolved.args]
        return {"command": wrapped}
    command: Json = {"command": words} if words else {}
    return {**command, "args": resolved.args} if resolved.args else command


def _is_wrapped(resolved: Resolved) -> bool:
    return resolved.needs_agent and resolved.prepare == Prepare.PARALLEL


def _variable(variable: EnvVar) -> Json:
    source = variable.value_from
    if source is None:
        return {"name": variable.name, "value": variable.value or ""}
    return {"name": variable.name, "valueFrom": _plain(source)}


def _secret_environment(secrets: list[SecretEnv]) -> tuple[list[Json], list[Json]]:
    """Single keys, each optional, and whole Secrets, which must be there."""
    keys = [
        {
            "name": key,
            "valueFrom": {
                "secretKeyRef": {"name": secret.secret_name, "key": key, "optional": True}
            },
        }
        for secret in secrets
        for key in secret.keys or []
    ]
    whole = [{"secretRef": {"name": s.secret_name}} for s in secrets if s.keys is None]
    return keys, whole


def _add_ca_bundle(spec: Json) -> None:
    """Have every container trust the installation's own authorities, where the namespace has them.

    A variable of the job's own wins over those of `envFrom`, and so does a later Secret there.
    """
    spec.setdefault("volumes", []).append(
        {"name": "ca", "configMap": {"name": "cijob-ca", "optional": True}}
    )
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        mount = {"name": "ca", "mountPath": CA_FOLDER, "readOnly": True}
        container["volumeMounts"] = [*container.get("volumeMounts", []), mount]
        variables = {"configMapRef": {"name": "cijob-ca-env", "optional": True}}
        container["envFrom"] = [variables, *container.get("envFrom", [])]


def _plain(part: Any) -> Json:
    """A part of the contract as Kubernetes writes it."""
    plain: Json = part.model_dump(by_alias=True, exclude_none=True, mode="json")
    return plain
