"""The CustomResourceDefinitions, as values. `python -m cijob_api` prints them.

What a field says stands with the field; what holds between an object and its former self, or
between its name and its content, stands here.
"""

from typing import Any

from cijob_api.fields import rule
from cijob_api.names import GROUP, JOB_NAME_LENGTH, SECRET_PREFIX, VERSION
from cijob_api.schemas import Schema, in_words, structural
from cijob_api.specs import CIJobSpec, CIJobTemplateSpec, CIPoolSpec
from cijob_api.statuses import CIJobStatus, CIPoolStatus

MUTABLE = frozenset({"desiredState", "priority", "suspend", "ttlSecondsAfterFinished"})

_SECRET_WORDS = (
    f"Secrets named {SECRET_PREFIX}… belong to jobs: a job may name only its own, "
    f"{SECRET_PREFIX}<name of the job>"
)


def _secret_rules() -> list[dict[str, str]]:
    """One rule per place that names Secrets: one for all would cost more than is allowed."""
    # Not `prefix + name`: the name's length counts as unbounded, and its copy is dear.
    own = (
        f"(!{{0}}.startsWith('{SECRET_PREFIX}')"
        f" || {{0}}.substring({len(SECRET_PREFIX)}) == self.metadata.name)"
    )
    variable = "!has(e.valueFrom) || !has(e.valueFrom.secretKeyRef) || "
    git = "self.spec.source.git"
    places = (
        f"!has(self.spec.secretEnv) || self.spec.secretEnv.all(e, {own.format('e.secretName')})",
        (
            "!has(self.spec.imagePullSecrets)"
            f" || self.spec.imagePullSecrets.all(e, {own.format('e.name')})"
        ),
        (
            "!has(self.spec.env)"
            f" || self.spec.env.all(e, {variable}{own.format('e.valueFrom.secretKeyRef.name')})"
        ),
        (
            f"!has(self.spec.source) || !has({git}) || !has({git}.secretName)"
            f" || {own.format(f'{git}.secretName')}"
        ),
    )
    return [rule(place, _SECRET_WORDS) for place in places]


JOB_RULES = [
    rule(
        "!self.metadata.name.contains('.')",
        "the name must not contain dots: it becomes part of a label and a host name",
    ),
    *_secret_rules(),
    rule(
        "has(self.spec.image) || has(self.spec.templateRef)",
        "give an image, or a templateRef whose template has one",
    ),
]


_TEMPLATE_SECRETS = (
    "!has(self.secretEnv) || self.secretEnv.all(e, !e.secretName.startsWith('{0}'))",
    "!has(self.imagePullSecrets) || self.imagePullSecrets.all(e, !e.name.startsWith('{0}'))",
    (
        "!has(self.env) || self.env.all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef)"
        " || !e.valueFrom.secretKeyRef.name.startsWith('{0}'))"
    ),
    (
        "!has(self.source) || !has(self.source.git) || !has(self.source.git.secretName)"
        " || !self.source.git.secretName.startsWith('{0}')"
    ),
)
# A job's rules see only its own spec: through a template it would reach other jobs' Secrets.
TEMPLATE_RULES = [
    rule(
        place.format(SECRET_PREFIX),
        f"Secrets named {SECRET_PREFIX}… belong to jobs: a template may name none of them",
    )
    for place in _TEMPLATE_SECRETS
]
NO_DOTS = rule("!self.metadata.name.contains('.')", "the name must not contain dots")


def documents() -> dict[str, dict[str, Any]]:
    """All definitions by the plural name of their resource."""
    return {crd["spec"]["names"]["plural"]: in_words(crd) for crd in _definitions()}


def editor_schemas() -> dict[str, Schema]:
    """A JSON Schema for each kind, for editors that check manifests while they are typed."""
    return {crd["spec"]["names"]["kind"]: _editor_schema(crd) for crd in _definitions()}


def _definitions() -> tuple[dict[str, Any], ...]:
    return _jobs(), _templates(), _pools()


def _jobs() -> dict[str, Any]:
    spec = _with_immutable_fields(structural(CIJobSpec))
    schema = _object("One run of one user's code.", spec, structural(CIJobStatus))
    # Bounds the name, and with it what the rules below may cost.
    name = {"type": "string", "maxLength": JOB_NAME_LENGTH}
    schema["properties"]["metadata"]["properties"] = {"name": name}
    # An absent status reads as Queued.
    schema["properties"]["status"]["default"] = {}
    schema["x-kubernetes-validations"] = JOB_RULES
    columns = [
        ("PHASE", "string", ".status.phase", 0),
        ("REASON", "string", ".status.reason", 0),
        ("POOL", "string", ".status.pool", 0),
        ("TESTS", "string", ".status.results.tests.summary", 0),
        ("EXIT", "integer", ".status.exitCode", 0),
        ("DURATION", "string", ".status.duration", 0),
        ("AGE", "date", ".metadata.creationTimestamp", 0),
        ("POD", "string", ".status.attempts[-1:].podName", 1),
        ("NODE", "string", ".status.attempts[-1:].nodeName", 1),
        ("SUBMITTER", "string", r".metadata.annotations.cijob\.dev/submitter", 1),
    ]
    names = {"kind": "CIJob", "plural": "cijobs", "singular": "cijob", "shortNames": ["cij"]}
    return _definition(names, "Namespaced", schema, columns)


def _templates() -> dict[str, Any]:
    spec = structural(CIJobTemplateSpec)
    spec["x-kubernetes-validations"].extend(TEMPLATE_RULES)
    schema = _object("A recipe that jobs start from.", spec)
    # `templateRef.name` and the label on Pods take no more.
    schema["properties"]["metadata"]["properties"] = {"name": {"type": "string", "maxLength": 63}}
    schema["x-kubernetes-validations"] = [NO_DOTS]
    columns = [
        ("IMAGE", "string", ".spec.image", 0),
        ("DESCRIPTION", "string", ".spec.description", 0),
        ("AGE", "date", ".metadata.creationTimestamp", 0),
    ]
    names = {"kind": "CIJobTemplate", "plural": "cijobtemplates", "singular": "cijobtemplate"}
    return _definition(names, "Namespaced", schema, columns)


def _pools() -> dict[str, Any]:
    schema = _object("A class of build capacity.", structural(CIPoolSpec), structural(CIPoolStatus))
    schema["properties"]["metadata"]["properties"] = {"name": {"type": "string", "maxLength": 63}}
    schema["x-kubernetes-validations"] = [
        NO_DOTS,
        rule("self.metadata.name != 'auto'", "auto means any fitting pool; choose another name"),
    ]
    columns = [
        ("ARCH", "string", ".spec.architecture", 0),
        ("RUNNING", "integer", ".status.running", 0),
        ("LIMIT", "integer", ".spec.maxConcurrent", 0),
        ("QUEUED", "integer", ".status.queued", 0),
        ("AGE", "date", ".metadata.creationTimestamp", 0),
    ]
    names = {"kind": "CIPool", "plural": "cipools", "singular": "cipool"}
    return _definition(names, "Cluster", schema, columns)


def _with_immutable_fields(spec: Schema) -> Schema:
    """Add the rules that hold between a job's spec and what it was before."""
    for name, field in spec["properties"].items():
        if name in MUTABLE:
            continue
        words = f"{name} cannot change after creation; create a new job instead"
        # A field's own rule is not asked when the field comes or goes, so the spec's is.
        field.setdefault("x-kubernetes-validations", []).append(rule("self == oldSelf", words))
        spec["x-kubernetes-validations"].append(
            rule(f"has(self.{name}) == has(oldSelf.{name})", words)
        )
    spec["properties"]["desiredState"]["x-kubernetes-validations"] = [
        rule(
            "oldSelf != 'Cancelled' || self == 'Cancelled'",
            "a cancelled job stays cancelled; create a new job instead",
        )
    ]
    return spec


def _object(description: str, spec: Schema, status: Schema | None = None) -> Schema:
    properties: Schema = {
        "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
        "kind": {"type": "string", "description": "The kind of this object."},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    if status:
        properties["status"] = status
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": properties,
    }


def _definition(
    names: dict[str, Any], scope: str, schema: Schema, columns: list[tuple[str, str, str, int]]
) -> dict[str, Any]:
    printed = [
        {"name": name, "type": kind, "jsonPath": path, **({"priority": 1} if wide else {})}
        for name, kind, path, wide in columns
    ]
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": printed,
        "schema": {"openAPIV3Schema": schema},
    }
    if "status" in schema["properties"]:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {**names, "listKind": f"{names['kind']}List", "categories": ["ci"]},
            "versions": [version],
        },
    }


def _editor_schema(crd: dict[str, Any]) -> Schema:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    kind = crd["spec"]["names"]["kind"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": kind,
        **_closed(schema),
    }


def _closed(node: Any) -> Any:
    """The same schema in plain JSON Schema, which refuses unknown fields."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {k: _closed(v) for k, v in node.items() if not str(k).startswith("x-kubernetes-")}
    if node.get("x-kubernetes-int-or-string"):
        kept["type"] = ["integer", "string"]
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        kept["additionalProperties"] = False
    return kept
