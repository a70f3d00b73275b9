"""The kinds of values that fields have, each with its bounds, and the base of all models.

Used by the models only. Bounds keep objects small and the cost of validation rules low.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")


class Model(BaseModel):
    """A frozen object with camelCase names outside and snake_case inside.

    Unknown fields are ignored: an object may come from a newer version.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )


def rule(expression: str, message: str) -> dict[str, str]:
    """One validation rule in CEL with the words that a person gets when it does not hold."""
    return {"rule": expression, "message": message}


def rules(*checks: dict[str, str]) -> Callable[[dict[str, Any]], None]:
    """Attach validation rules to a field's or a model's schema."""

    def extend(schema: dict[str, Any]) -> None:
        schema.setdefault("x-kubernetes-validations", []).extend(checks)

    return extend


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
ARCHITECTURE = r"^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
DATA_KEY = r"^[-._a-zA-Z0-9]+$"
WORD = r"^\S+$"
SHA256 = r"^[0-9a-f]{64}$"
IMAGE = r"^[^\s]+$"
GIT_REF = r"^[^-\s]\S*$"
GIT_COMMIT = r"^[0-9a-f]{4,64}$"
QUANTITY = r"^\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
QUANTITY_WORDS = "must be a quantity, such as 500m, 2 or 1.5Gi"
# What a person reads instead of a pattern: in the API server's answers and in ours.
WORDS = {
    DNS_LABEL: "must be lower-case letters, digits and hyphens between them, such as unit-tests",
    DNS_NAME: "must be lower-case letters and digits, and hyphens and dots between them",
    ARCHITECTURE: "must be the name of a processor, such as amd64 or arm64",
    ENV_NAME: "must be letters, digits and underscores and not begin with a digit: MY_TOKEN",
    DATA_KEY: "must be letters, digits, hyphens, underscores and dots",
    WORD: "must be one word, without spaces",
    SHA256: "must be a SHA-256 digest: 64 hexadecimal digits in lower case",
    IMAGE: "must be the name of an image, without spaces, such as python:3.12",
    GIT_REF: "must not begin with a hyphen or have spaces",
    GIT_COMMIT: "must be 4 to 64 hexadecimal digits in lower case; a branch or a tag is a ref",
    QUANTITY: QUANTITY_WORDS,
}


def words_of(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, from pydantic's account of it: words for people."""
    pattern = str((error.get("ctx") or {}).get("pattern"))
    return WORDS.get(pattern, str(error["msg"]))


Label = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
# Kubernetes' names, and uname's: x86_64.
Architecture = Annotated[str, Field(min_length=1, max_length=63, pattern=ARCHITECTURE)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_NAME)]
EnvName = Annotated[str, Field(min_length=1, max_length=128, pattern=ENV_NAME)]
Key = Annotated[str, Field(min_length=1, max_length=253, pattern=DATA_KEY)]
Word = Annotated[str, Field(min_length=1, max_length=253, pattern=WORD)]
Short = Annotated[str, Field(max_length=1024)]
Argument = Annotated[str, Field(max_length=4096)]
Script = Annotated[str, Field(min_length=1, max_length=65536)]
Sha256 = Annotated[str, Field(min_length=64, max_length=64, pattern=SHA256)]
Image = Annotated[str, Field(min_length=1, max_length=512, pattern=IMAGE)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Bytes = Annotated[int, Field(ge=0, le=2**53)]
Time = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
# A path in the workspace: relative, and never out of it.
RelativePath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=512,
        json_schema_extra=rules(
            rule(
                "!self.startsWith('/') && !self.split('/').exists(p, p == '..')",
                "must be a path inside the workspace: relative, without '..'",
            )
        ),
    ),
]
Quantity = Annotated[
    str,
    Field(
        max_length=32,
        pattern=QUANTITY,
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            # The pattern is asked of texts only. It stays beside its words: what could be a number
            # counts as a text without bound, and the pattern as a rule would cost too much.
            "x-kubernetes-validations": [
                {"rule": "type(self) == string || self >= 0", "message": "must not be negative"},
                {"rule": "type(self) != string || isQuantity(self)", "message": QUANTITY_WORDS},
            ],
        },
    ),
    # Last: before the Field it makes pydantic drop the pattern from the JSON Schema, silently.
    BeforeValidator(_number_as_text),
]
Quantities = Annotated[dict[Annotated[str, Field(max_length=253)], Quantity], Field(max_length=16)]
Labels = Annotated[dict[Annotated[str, Field(max_length=317)], Short], Field(max_length=32)]


def seconds(default: int, least: int = 1, most: int = 7 * 86400) -> Any:
    """A duration in seconds. Its default is in the description: the API server stores none."""
    return Field(default=None, ge=least, le=most, json_schema_extra={"cijobDefault": default})


def named(key: str, most: int) -> Any:
    """A list of objects in which `key` is unique."""
    return Field(
        default=None,
        max_length=most,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [key],
        },
    )


def listed(most: int) -> Any:
    """A list of at most so many items."""
    return Field(default=None, max_length=most)
