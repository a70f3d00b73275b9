"""Features that are not built yet are named by the field that asks for them."""

from typing import Any

import pytest

from cijob_api.features import NOT_BUILT, not_built
from cijob_api.specs import Recipe

GIT = {"git": {"url": "https://git.example.com/a.git"}}
ARCHIVE = {"archive": {"sha256": "0" * 64, "sizeBytes": 1}}
ASKING: dict[str, dict[str, Any]] = {
    "artifacts": {"artifacts": [{"name": "a", "path": "a"}]},
    "reports": {"reports": {"junit": ["*.xml"]}},
    "cache": {"cache": [{"key": "pip", "paths": ["pip"]}]},
    "concurrency": {"concurrency": {"group": "deploy"}},
}


def test_every_feature_that_is_not_built_is_tried_here() -> None:
    assert NOT_BUILT.keys() <= ASKING.keys()


@pytest.mark.parametrize("field", NOT_BUILT)
def test_a_field_of_a_feature_that_is_not_built_is_named(field: str) -> None:
    assert not_built(Recipe.model_validate(ASKING[field])) == field


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"source": ARCHIVE},
        {"source": GIT},
        {"pool": "large"},
        {"architecture": "arm64", "toolchains": ["gcc"]},
        {"reports": {}},
        {"artifacts": []},
        {"notify": [{"name": "team"}]},
        {"image": "i", "script": "make", "env": [{"name": "A", "value": "1"}], "priority": 5},
        {"retry": {"limit": 1}, "secretEnv": [{"secretName": "s"}], "nodeSelector": {"a": "b"}},
    ],
)
def test_what_is_built_is_not_named(spec: dict[str, Any]) -> None:
    assert not_built(Recipe.model_validate(spec)) is None
