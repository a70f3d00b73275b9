"""Which pool takes a job, and what is said when none does."""

from typing import Any

import pytest

from cijob_api.fitting import Fit, architecture_selector, capacity, fit, pools_of
from cijob_api.places import Capacity
from cijob_api.reasons import Reason
from cijob_api.specs import CIPoolSpec, Recipe


def pool(**spec: Any) -> CIPoolSpec:
    return CIPoolSpec.model_validate({"maxConcurrent": 10, **spec})


def said(job: dict[str, Any], spec: dict[str, Any]) -> str:
    refusal = found(job, default=spec).refusal
    return refusal.message if refusal else ""


def found(job: dict[str, Any], **specs: dict[str, Any]) -> Fit:
    pools = {name: pool(**spec) for name, spec in specs.items()}
    return fit(Recipe.model_validate(job), pools, namespace="team")


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
    ({"pool": "large"}, {}, "there is no pool large; there is default"),
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


# -- several pools -----------------------------------------------------------------------------

ARM = {"architecture": "arm64", "toolchains": ["gcc", "rust"]}
INTEL = {"architecture": "amd64", "toolchains": ["gcc"]}
THEIRS = {"namespaces": ["other"]}


@pytest.mark.parametrize(
    ("job", "pools"),
    [
        ({}, ("arm", "intel")),
        ({"pool": "auto", "toolchains": ["gcc"]}, ("arm", "intel")),
        ({"architecture": "aarch64"}, ("arm",)),
        ({"toolchains": ["rust"]}, ("arm",)),
        ({"pool": "intel"}, ("intel",)),
    ],
)
def test_all_pools_that_take_a_job_are_found(job: dict[str, Any], pools: tuple[str, ...]) -> None:
    assert found(job, intel=INTEL, arm=ARM, theirs=THEIRS) == Fit(pools)


NEAREST = [
    (
        {"pool": "huge"},
        Reason.NO_FITTING_POOL,
        "there is no pool huge; there is arm, intel, theirs",
    ),
    (
        {"pool": "intel", "toolchains": ["rust"]},
        Reason.NO_FITTING_POOL,
        "pool intel lacks toolchains rust; it offers gcc",
    ),
    (
        {"architecture": "amd64", "toolchains": ["rust"]},
        Reason.NO_FITTING_POOL,
        "none of 3 pools takes it; the nearest: pool intel lacks toolchains rust; it offers gcc",
    ),
    (
        {"architecture": "arm64", "serviceAccountName": "root"},
        Reason.ADMISSION_DENIED,
        (
            "pool arm does not allow serviceAccountName root; leave it out, or have `allow` of it"
            " name it"
        ),
    ),
]


@pytest.mark.parametrize(("job", "reason", "words"), NEAREST)
def test_the_nearest_miss_is_named(job: dict[str, Any], reason: Reason, words: str) -> None:
    refusal = found(job, theirs=THEIRS, intel=INTEL, arm=ARM).refusal
    assert refusal
    assert (refusal.reason, refusal.message) == (reason, words)


def test_without_a_pool_there_is_one() -> None:
    assert pools_of({}, (), pool(maxConcurrent=3)) == {"default": pool(maxConcurrent=3)}


def test_with_a_pool_there_is_no_other() -> None:
    assert set(pools_of({"arm": pool(**ARM)}, (), pool())) == {"arm"}


def test_pools_of_others_are_none_of_ours() -> None:
    pools = {"theirs": pool(**THEIRS), "arm": pool(**ARM), "ours": pool(namespaces=["a", "team"])}
    assert set(pools_of(pools, ("team", "b"), pool())) == {"arm", "ours"}
    assert set(pools_of({"theirs": pool(**THEIRS)}, ("team",), pool())) == {"default"}


def test_for_the_whole_cluster_every_pool_counts() -> None:
    assert set(pools_of({"theirs": pool(**THEIRS)}, (), pool())) == {"theirs"}


def test_what_a_pool_offers() -> None:
    limits = {"perNamespace": 3, "perSubmitter": 2}
    assert capacity(pool(maxConcurrent=5, limits=limits)) == Capacity(5, 3, 2)
    assert capacity(pool(maxConcurrent=5)) == Capacity(5)
