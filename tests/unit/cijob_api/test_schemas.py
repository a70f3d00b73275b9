"""Schemas: every field is explained and bounded, and only what may be stored has a default."""

from collections.abc import Iterator
from typing import Any

import pytest

from cijob_api import crds
from cijob_api.fields import GIT_REF, QUANTITY, WORDS, Model
from cijob_api.schemas import Schema, in_words, structural
from cijob_api.specs import CIJobSpec, CIJobTemplateSpec, CIPoolSpec
from cijob_api.statuses import CIJobStatus, CIPoolStatus

Node = tuple[str, Schema]
MODELS: list[type[Model]] = [CIJobSpec, CIJobTemplateSpec, CIPoolSpec, CIJobStatus, CIPoolStatus]
NOT_STRUCTURAL = {"$ref", "$defs", "anyOf", "title", "cijobDefault", "propertyNames"}


def nodes(schema: Schema, path: str) -> Iterator[Node]:
    """Every schema in a schema, itself included, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{path}.*")


def of_type(kind: str) -> list[Node]:
    return [(path, node) for path, node in NODES if node.get("type") == kind]


DOCUMENTS = crds.documents()
NODES = [node for model in MODELS for node in nodes(structural(model), model.__name__)]


def test_every_field_is_described_in_a_sentence() -> None:
    fields = [(path, node) for path, node in NODES if not path.endswith(("[]", ".*"))]
    assert not [path for path, node in fields if not node.get("description", "").endswith(".")]


def test_every_text_has_a_greatest_length_or_is_one_of_some_words() -> None:
    texts = of_type("string")
    assert texts
    assert not [path for path, node in texts if not ({"maxLength", "enum"} & node.keys())]


def test_every_integer_has_bounds() -> None:
    integers = of_type("integer")
    assert integers
    assert not [path for path, node in integers if not {"minimum", "maximum"} <= node.keys()]


def test_every_list_has_a_greatest_length() -> None:
    lists = of_type("array")
    assert lists
    assert not [path for path, node in lists if "maxItems" not in node]


def test_every_map_has_a_greatest_size() -> None:
    maps = [(path, node) for path, node in NODES if "additionalProperties" in node]
    assert maps
    assert not [path for path, node in maps if "maxProperties" not in node]


def test_every_pattern_is_anchored() -> None:
    patterns = [(path, node["pattern"]) for path, node in NODES if "pattern" in node]
    assert patterns
    assert not [path for path, p in patterns if not (p.startswith("^") and p.endswith("$"))]


def test_no_pattern_is_shown_to_a_person_without_words() -> None:
    bare = []
    for crd in DOCUMENTS.values():
        for path, node in nodes(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], ""):
            words = [check["message"] for check in node.get("x-kubernetes-validations", [])]
            if "pattern" in node and WORDS[QUANTITY] not in words:
                bare.append(path)
    assert set(bare) == {".status.conditions[].status"}  # which we write ourselves


def test_a_pattern_becomes_a_rule_with_words_before_the_others() -> None:
    schema = {"items": {"pattern": GIT_REF, "x-kubernetes-validations": [{"rule": "true"}]}}
    first, second = in_words(schema)["items"]["x-kubernetes-validations"]
    assert first == {"rule": r"self.matches('^[^-\\s]\\S*$')", "message": WORDS[GIT_REF]}
    assert second == {"rule": "true"}


def test_every_node_is_structural() -> None:
    typed = {"type", "x-kubernetes-int-or-string"}
    assert not [path for path, node in NODES if not typed & node.keys()]
    assert not [path for path, node in NODES if NOT_STRUCTURAL & node.keys()]


def test_the_keys_of_a_list_are_required_in_its_items() -> None:
    keyed = [(path, node) for path, node in NODES if "x-kubernetes-list-map-keys" in node]
    assert keyed
    for path, node in keyed:
        assert set(node["x-kubernetes-list-map-keys"]) <= set(node["items"]["required"]), path


@pytest.mark.parametrize("plural", ["cijobs", "cijobtemplates", "cipools"])
def test_no_default_is_stored_but_these(plural: str) -> None:
    version: dict[str, Any] = DOCUMENTS[plural]["spec"]["versions"][0]
    whole = nodes(version["schema"]["openAPIV3Schema"], "")
    stored = {path: node["default"] for path, node in whole if "default" in node}
    wanted = {".spec.desiredState": "Run", ".status": {}, ".status.phase": "Queued"}
    assert stored == (wanted if plural == "cijobs" else {})
