"""From what was asked to the CIJob and the Secret that are created. Pure.

The spec goes to the API server as it came, so that a field it does not know is refused there in its
own words; it is parsed here only to be read.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cijob_api import names
from cijob_api.fields import EnvName, words_of
from cijob_api.specs import CIJobSpec
from cijob_gateway.errors import BadRequest, Invalid

Json = dict[str, Any]
ULID = re.compile(r"^[0-7][0-9a-hjkmnp-tv-z]{25}$", re.IGNORECASE)
# Fields of a spec that say what became of a job, not what it is.
STATE = ("desiredState", "suspend")


class Submission(BaseModel):
    """A job to be created: the body of `POST jobs`."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(
        default=None, description="Its name (default: the template's and a ULID)."
    )
    spec: Json = Field(description="The spec of the CIJob.")
    secrets: dict[EnvName, str] = Field(
        default_factory=dict,
        max_length=64,
        repr=False,
        description="Variables that the job gets from a Secret of its own; never shown again.",
    )


class Repetition(BaseModel):
    """A job to be run once more: the body of `POST jobs/{name}/retry`."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, description="The new job's name.")
    secrets: dict[EnvName, str] = Field(default_factory=dict, max_length=64, repr=False)
    failed: bool = Field(default=False, description="Only the tests that failed.")


@dataclass(frozen=True)
class Identity:
    """What makes a new job's name, and who submitted it."""

    namespace: str
    submitter: str
    milliseconds: int
    randomness: bytes
    key: str | None = None  # the request's Idempotency-Key


def read_spec(spec: Json) -> CIJobSpec:
    """The spec, parsed. Raises Invalid, naming the field."""
    try:
        return CIJobSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        words = words_of(first)
        raise Invalid(f"spec.{where}: {words}" if where else words) from error


def manifest(asked: Submission, identity: Identity, **annotations: str) -> Json:
    """The CIJob to create. A job with secrets waits, suspended, until they are there."""
    reference = read_spec(asked.spec).template_ref
    template = reference.name if reference else None
    name = asked.name or _name(template, identity)
    notes = {names.ANNOTATION_SUBMITTER: identity.submitter, **annotations}
    spec = dict(asked.spec)
    if identity.key:
        # With who asks: another's key, guessed or seen, opens nothing.
        key = f"{identity.submitter}\0{identity.key}"
        notes[names.ANNOTATION_IDEMPOTENCY] = fingerprint(key, asked)
    if asked.secrets:
        notes[names.ANNOTATION_AWAITS_SECRET] = "true"
        own = {"secretName": secret_name(name), "keys": sorted(asked.secrets)}
        spec |= {"suspend": True, "secretEnv": [*(spec.get("secretEnv") or []), own]}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "CIJob",
        "metadata": {
            "name": name,
            "namespace": identity.namespace,
            "annotations": notes,
            **({"labels": {names.LABEL_TEMPLATE: template}} if template else {}),
        },
        "spec": spec,
    }


def secret(job: Json, values: dict[str, str]) -> Json:
    """The Secret of a job, which goes with it."""
    metadata = job["metadata"]
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": "CIJob",
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(metadata["name"]),
            "namespace": metadata["namespace"],
            "labels": {names.LABEL_JOB: metadata["name"]},
            "ownerReferences": [owner],
        },
        "immutable": True,
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in values.items()},
    }


def secret_name(job: str) -> str:
    """The name of a job's own Secret."""
    return names.SECRET_PREFIX + job


def fingerprint(key: str, asked: Submission) -> str:
    """What a repeated request is known by: digests of its key and of what it asks for."""
    body = asked.model_dump_json(exclude={"secrets"}) + json.dumps(sorted(asked.secrets))
    return f"{_digest(key)}.{_digest(body)}"


def same_key(first: str, second: str) -> bool:
    """Whether two fingerprints come from the same key."""
    return first.partition(".")[0] == second.partition(".")[0]


def repeated(job: Json, asked: Repetition) -> Submission:
    """The submission that runs a job once more, with the same source."""
    spec = {key: value for key, value in job["spec"].items() if key not in STATE}
    own = secret_name(job["metadata"]["name"])
    entries = spec.pop("secretEnv", None) or []
    given = set(asked.secrets)
    needed = {key for e in entries if e["secretName"] == own for key in e.get("keys") or ()}
    if missing := sorted(needed - given):
        words = "the job had values from its submitter's environment, which nobody can read again"
        raise BadRequest(f"{words}; give them once more: {', '.join(missing)}", missing=missing)
    if others := [entry for entry in entries if entry["secretName"] != own]:
        spec["secretEnv"] = others
    return Submission(name=asked.name, spec=spec, secrets=asked.secrets)


def _name(template: str | None, identity: Identity) -> str:
    """A name of the job's own; the same for the same key, whichever gateway is asked."""
    if identity.key is None:
        return names.job_name(template, identity.milliseconds, identity.randomness)
    if ULID.match(identity.key):
        return names.job_name(template, *names.read_ulid(identity.key))
    digest = hashlib.sha256(f"{identity.submitter}\0{identity.key}".encode()).digest()
    return names.job_name(template, int.from_bytes(digest[10:16], "big"), digest[:10])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
