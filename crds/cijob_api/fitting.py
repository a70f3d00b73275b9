"""Which pools take a job, and if none does, what stands against it. Pure.

Used by `resolve`, by the operator before it admits, and by the gateway to tell of the queue. The
words name the nearest miss, so that whoever reads them knows what to change.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cijob_api.places import Capacity
from cijob_api.reasons import Reason
from cijob_api.specs import Allow, CIPoolSpec, Limits, Recipe

# The one there is while there is no CIPool.
DEFAULT_POOL = "default"

ARCHITECTURE_LABEL = "kubernetes.io/arch"
# What uname says on machines that Kubernetes calls by other names.
SYNONYMS = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture(name: str) -> str:
    """A processor as Kubernetes names it: `amd64` for `x86_64`, `arm64` for `aarch64`."""
    return SYNONYMS.get(name, name)


@dataclass(frozen=True)
class Refusal:
    """Why a resolved job may not or cannot run."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Fit:
    """Which pools take a job, or why none does."""

    pools: tuple[str, ...] = ()
    refusal: Refusal | None = None


Pools = Mapping[str, CIPoolSpec]


def pools_of(found: Pools, namespaces: Collection[str], default: CIPoolSpec) -> Pools:
    """The pools there are for these namespaces (none: all): the default one if there is no CIPool.

    A CIPool that serves none of them belongs to somebody else.
    """
    own = {
        name: pool
        for name, pool in found.items()
        if not namespaces or not pool.namespaces or set(namespaces) & set(pool.namespaces)
    }
    return own or {DEFAULT_POOL: default}


def capacity(pool: CIPoolSpec) -> Capacity:
    """What a pool offers to the queue."""
    limits = pool.limits or Limits()
    return Capacity(pool.max_concurrent, limits.per_namespace, limits.per_submitter)


def capacities(pools: Pools) -> dict[str, Capacity]:
    """What each of them offers."""
    return {name: capacity(pool) for name, pool in pools.items()}


def default_pool(text: str, places: int) -> CIPoolSpec:
    """The pool there is while there is none, from its spec as JSON; its own size wins.

    Raises ValueError for what is no spec of a CIPool.
    """
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 (one error for the caller)
    return CIPoolSpec.model_validate({"maxConcurrent": places, **said})


def fit(said: Recipe, pools: Pools, *, namespace: str) -> Fit:
    """The pools that a merged recipe fits; if none, what stands against the nearest one."""
    named = said.pool not in {None, "auto"}
    asked = {name: pool for name, pool in pools.items() if not named or name == said.pool}
    if not asked:
        there = ", ".join(sorted(pools))
        words = f"there is no pool {said.pool}; there is {there}"
        return Fit(refusal=Refusal(Reason.NO_FITTING_POOL, words))
    misses = {
        name: miss
        for name, pool in asked.items()
        if (miss := _miss(said, pool, name=name, namespace=namespace))
    }
    if len(misses) < len(asked):
        return Fit(pools=tuple(sorted(asked.keys() - misses.keys())))
    nearest = max(misses.values(), key=lambda miss: miss.passed)
    refusal = nearest.refusal
    if len(misses) > 1 and refusal.reason == Reason.NO_FITTING_POOL:
        words = f"none of {len(misses)} pools takes it; the nearest: {refusal.message}"
        refusal = Refusal(refusal.reason, words)
    return Fit(refusal=refusal)


@dataclass(frozen=True)
class _Miss:
    passed: int  # how many checks went well
    refusal: Refusal


def _miss(said: Recipe, pool: CIPoolSpec, *, name: str, namespace: str) -> _Miss | None:
    """What stands against a job in a pool first."""
    checks = (_namespace(pool, namespace), _processor(said, pool), _toolchains(said, pool))
    for passed, words in enumerate(checks):
        if words:
            return _Miss(passed, Refusal(Reason.NO_FITTING_POOL, f"pool {name} {words}"))
    if words := _forbidden(said, pool.allow or Allow()):
        denied = f"pool {name} does not allow {words}; leave it out, or have `allow` of it name it"
        return _Miss(len(checks), Refusal(Reason.ADMISSION_DENIED, denied))
    return None


def _namespace(pool: CIPoolSpec, namespace: str) -> str:
    if not pool.namespaces or namespace in pool.namespaces:
        return ""
    return f"serves namespaces {', '.join(pool.namespaces)}, not {namespace}"


def _processor(said: Recipe, pool: CIPoolSpec) -> str:
    if not (said.architecture and pool.architecture):
        return ""
    wanted, there = architecture(said.architecture), architecture(pool.architecture)
    return "" if wanted == there else f"has architecture {there}, the job needs {wanted}"


def _toolchains(said: Recipe, pool: CIPoolSpec) -> str:
    missing = [name for name in said.toolchains or [] if name not in (pool.toolchains or [])]
    if not missing:
        return ""
    offered = ", ".join(pool.toolchains or []) or "none"
    return f"lacks toolchains {', '.join(missing)}; it offers {offered}"


def _forbidden(said: Recipe, allow: Allow) -> str:
    """The fields that the pool's policy forbids, if any."""
    account = said.service_account_name
    runtime = said.runtime_class_name
    checks = {
        "nodeSelector": bool(said.node_selector) and not allow.node_selector,
        "tolerations": bool(said.tolerations) and not allow.tolerations,
        f"runtimeClassName {runtime}": bool(runtime)
        and runtime not in (allow.runtime_class_names or []),
        f"serviceAccountName {account}": account not in {None, "default"}
        and account not in (allow.service_account_names or []),
    }
    return ", ".join(field for field, broken in checks.items() if broken)


def architecture_selector(said: Recipe, pool: CIPoolSpec) -> dict[str, str]:
    """The node label that the pool's processor, or else the job's, asks for."""
    name = pool.architecture or said.architecture
    return {ARCHITECTURE_LABEL: architecture(name)} if name else {}
