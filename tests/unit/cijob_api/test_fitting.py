"""Which pool takes a job, and what is said when none does."""

from typing import Any

import pytest

from cijob_api.fitting import architecture_selector, misfit
from cijob_api.specs import CIPoolSpec, Recipe


def pool(**spec: Any) -> CIPoolSpec:
    return CIPoolSpec.model_validate({"maxConcurrent": 10, **spec})


def said(job: dict[str, Any], spec: dict[str, Any]) -> str:
    recipe = Recipe.model_validate(job)
    return misfit(recipe, pool(**spec), pool_name="default", namespace="team")


FITS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({}, {"architecture": "arm64", "toolchains": ["gcc"]}),
    ({"pool": "auto"}, {}),
    ({"pool": "default"}, {}),
    ({"architecture": "arm64"}, {}),
    ({"architecture": "aarch64"}, {"architecture": "arm64"}),
    ({"architecture": "amd64"}, {"architecture": "x86_64"}),
    ({"toolchains": ["gcc"]}, {"toolchains": ["clang", "gcc"]}),
    ({}, {"namespaces": ["other", "team"]}),
]


@pytest.mark.parametrize(("job", "spec"), FITS)
def test_a_pool_takes_what_it_can_serve(job: dict[str, Any], spec: dict[str, Any]) -> None:
    assert said(job, spec) == ""


MISSES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"pool": "large"}, {}, "there is no pool large; the one there is: default"),
    (
        {"architecture": "aarch64"},
        {"architecture": "amd64"},
        "pool default has architecture amd64, the job needs arm64",
    ),
    ({"toolchains": ["gcc", "go"]}, {}, "pool default lacks toolchains gcc, go; it offers none"),
    (
        {"toolchains": ["gcc", "go"]},
        {"toolchains": ["go", "rust"]},
        "pool default lacks toolchains gcc; it offers go, rust",
    ),
    ({}, {"namespaces": ["a", "b"]}, "pool default serves namespaces a, b, not team"),
]


@pytest.mark.parametrize(("job", "spec", "words"), MISSES)
def test_what_does_not_fit_is_named(job: dict[str, Any], spec: dict[str, Any], words: str) -> None:
    assert said(job, spec) == words


@pytest.mark.parametrize(
    ("job", "spec", "selector"),
    [
        ({}, {}, {}),
        ({"architecture": "x86_64"}, {}, {"kubernetes.io/arch": "amd64"}),
        ({}, {"architecture": "aarch64"}, {"kubernetes.io/arch": "arm64"}),
        ({"architecture": "riscv64"}, {}, {"kubernetes.io/arch": "riscv64"}),
    ],
)
def test_an_architecture_chooses_the_nodes(
    job: dict[str, Any], spec: dict[str, Any], selector: dict[str, str]
) -> None:
    assert architecture_selector(Recipe.model_validate(job), pool(**spec)) == selector
