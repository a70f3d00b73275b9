"""From what was asked to the objects that are created."""

import base64
from typing import Any

import pytest

from cijob_api import names
from cijob_gateway.errors import BadRequest, Invalid
from cijob_gateway.submissions import (
    Identity,
    Repetition,
    Submission,
    fingerprint,
    manifest,
    read_spec,
    repeated,
    same_key,
    secret,
)

ULID = "01jd0000000000000000000abc"
SPEC = {"image": "alpine", "command": ["true"]}


def identity(key: str | None = None, submitter: str = "ann") -> Identity:
    return Identity("team", submitter, 1_700_000_000_000, bytes(10), key)


def job(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "before", "namespace": "team", "uid": "u"}, "spec": SPEC | spec}


def test_a_job_is_named_after_its_template_and_the_moment() -> None:
    asked = Submission(spec={"templateRef": {"name": "test"}})
    made = manifest(asked, identity())
    assert made["metadata"]["name"] == "test-" + names.ulid(1_700_000_000_000, bytes(10))
    assert made["metadata"]["labels"] == {"cijob.dev/template": "test"}
    assert made["metadata"]["annotations"] == {"cijob.dev/submitter": "ann"}


def test_a_job_without_template_is_a_run() -> None:
    made = manifest(Submission(spec=SPEC), identity())
    assert made["metadata"]["name"].startswith("run-")
    assert "labels" not in made["metadata"]


def test_the_callers_name_is_taken_as_it_is() -> None:
    assert manifest(Submission(name="mine", spec=SPEC), identity())["metadata"]["name"] == "mine"


def test_a_ulid_as_key_is_the_name() -> None:
    made = manifest(Submission(spec=SPEC), identity(ULID))
    assert made["metadata"]["name"] == f"run-{ULID}"


def test_any_other_key_names_the_same_job_at_any_time_and_per_submitter() -> None:
    asked = Submission(spec=SPEC)
    later = Identity("team", "ann", 1_800_000_000_000, bytes(range(10)), "deploy 7")
    first = manifest(asked, identity("deploy 7"))["metadata"]["name"]
    assert first == manifest(asked, later)["metadata"]["name"]
    assert first != manifest(asked, identity("deploy 7", "bob"))["metadata"]["name"]
    assert first != manifest(asked, identity("deploy 8"))["metadata"]["name"]


def test_a_fingerprint_tells_requests_apart_and_holds_no_secret() -> None:
    one = Submission(spec=SPEC, secrets={"TOKEN": "a"})
    assert fingerprint("k", one) == fingerprint("k", Submission(spec=SPEC, secrets={"TOKEN": "b"}))
    other = fingerprint("k", Submission(spec={**SPEC, "priority": 1}))
    assert other != fingerprint("k", Submission(spec=SPEC))
    assert same_key(other, fingerprint("k", one))
    assert not same_key(other, fingerprint("q", one))


def test_a_job_with_secrets_waits_until_they_are_there() -> None:
    given = [{"secretName": "team-wide"}]
    asked = Submission(spec={**SPEC, "secretEnv": given}, secrets={"B": "2", "A": "1"})
    made = manifest(asked, identity())
    own = {"secretName": f"cijob-{made['metadata']['name']}", "keys": ["A", "B"]}
    assert made["spec"]["suspend"] is True
    assert made["spec"]["secretEnv"] == [*given, own]
    assert made["metadata"]["annotations"][names.ANNOTATION_AWAITS_SECRET] == "true"
    assert asked.spec["secretEnv"] == given
    assert "1" not in repr(asked)


def test_the_secret_belongs_to_its_job() -> None:
    made = secret(job(), {"A": "ü"})
    assert made["metadata"]["name"] == "cijob-before"
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert base64.b64decode(made["data"]["A"]).decode() == "ü"
    assert made["immutable"] is True


def test_a_repetition_has_the_same_spec_but_for_what_became_of_it() -> None:
    before = job(desiredState="Cancelled", suspend=False, priority=2)
    assert repeated(before, Repetition()).spec == {**SPEC, "priority": 2}


def test_a_repetition_needs_the_secrets_again_and_names_them() -> None:
    entries = [{"secretName": "other"}, {"secretName": "cijob-before", "keys": ["B", "A"]}]
    before = job(secretEnv=entries)
    with pytest.raises(BadRequest, match="give them once more: A, B") as refused:
        repeated(before, Repetition(secrets={"C": "1"}))
    assert refused.value.extra == {"missing": ["A", "B"]}
    again = repeated(before, Repetition(secrets={"A": "1", "B": "2"}))
    assert again.spec["secretEnv"] == [{"secretName": "other"}]
    assert again.secrets == {"A": "1", "B": "2"}


def test_a_spec_that_cannot_be_read_names_the_field() -> None:
    with pytest.raises(Invalid, match=r"spec.timeoutSeconds: "):
        read_spec({"timeoutSeconds": "soon"})
