"""From pydantic's JSON Schema to the structural schema that the API server wants.

Used by `crds.py`. Structural means: no references, no unions, every node with a type (see
"Specifying a structural schema" in the Kubernetes documentation of custom resources).
"""

from typing import Any

from cijob_api.fields import QUANTITY, WORDS, Model, rule
from cijob_api.giturls import TextRule

Schema = dict[str, Any]
# The only defaults that are stored: everything else a template may set, see specs.py.
STORED_DEFAULTS = frozenset({"desiredState", "phase"})
DROPPED = frozenset({"title", "default", "cijobDefault", "propertyNames", "$defs", "anyOf", "$ref"})


def structural(model: type[Model]) -> Schema:
    """The structural schema of a model, with a description on every field."""
    whole = model.model_json_schema(by_alias=True)
    return _convert(whole, whole.get("$defs", {}))


def in_words(node: Any) -> Any:
    """The same schema with a rule in words for each pattern: nobody reads patterns in an answer."""
    if isinstance(node, list):
        return [in_words(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: in_words(value) for key, value in node.items()}
    pattern = node.get("pattern")
    if isinstance(pattern, str) and pattern in WORDS and pattern != QUANTITY:
        del result["pattern"]
        said = TextRule(pattern, wanted=True, words=WORDS[pattern])
        checks = [rule(said.as_cel(), said.words)]
        result["x-kubernetes-validations"] = [*checks, *result.get("x-kubernetes-validations", [])]
    return result


def _convert(node: Schema, definitions: Schema) -> Schema:
    node = _resolve(node, definitions)
    result = {key: value for key, value in node.items() if key not in DROPPED}
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if result.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
    if "properties" in node:
        result["properties"] = {
            name: _property(name, child, definitions) for name, child in node["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            result[key] = _convert(node[key], definitions)
    return result


def _property(name: str, node: Schema, definitions: Schema) -> Schema:
    result = _convert(node, definitions)
    if name in STORED_DEFAULTS and "default" in node:
        result["default"] = node["default"]
    return result


def _resolve(node: Schema, definitions: Schema) -> Schema:
    """Replace a reference by what it names, and `X or null` by X; what stands beside it wins."""
    beside = {key: value for key, value in node.items() if key not in {"$ref", "anyOf"}}
    if "$ref" in node:
        named = definitions[node["$ref"].rpartition("/")[2]]
        return _resolve({**named, **beside}, definitions)
    if "anyOf" in node:
        (choice,) = [option for option in node["anyOf"] if option.get("type") != "null"]
        merged = {**choice, **beside}
        key = "x-kubernetes-validations"
        if key in choice and key in beside:
            merged[key] = [*choice[key], *beside[key]]
        return _resolve(merged, definitions)
    return node
