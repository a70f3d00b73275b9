"""Whether a pool takes a job, and if not, what stands against it. Pure.

Used by `resolve`. The words name the nearest miss, so that whoever reads them knows what to change.
"""

from cijob_api.specs import CIPoolSpec, Recipe

ARCHITECTURE_LABEL = "kubernetes.io/arch"
# What uname says on machines that Kubernetes calls by other names.
SYNONYMS = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture(name: str) -> str:
    """A processor as Kubernetes names it: `amd64` for `x86_64`, `arm64` for `aarch64`."""
    return SYNONYMS.get(name, name)


def misfit(said: Recipe, pool: CIPoolSpec, *, pool_name: str, namespace: str) -> str:
    """Why that pool does not take a job of that namespace; empty if it does."""
    if said.pool not in {None, "auto", pool_name}:
        return f"there is no pool {said.pool}; the one there is: {pool_name}"
    if pool.namespaces and namespace not in pool.namespaces:
        served = ", ".join(pool.namespaces)
        return f"pool {pool_name} serves namespaces {served}, not {namespace}"
    if said.architecture and pool.architecture:
        wanted, there = architecture(said.architecture), architecture(pool.architecture)
        if wanted != there:
            return f"pool {pool_name} has architecture {there}, the job needs {wanted}"
    missing = [name for name in said.toolchains or [] if name not in (pool.toolchains or [])]
    if missing:
        offered = ", ".join(pool.toolchains or []) or "none"
        return f"pool {pool_name} lacks toolchains {', '.join(missing)}; it offers {offered}"
    return ""


def architecture_selector(said: Recipe, pool: CIPoolSpec) -> dict[str, str]:
    """The node label that the pool's processor, or else the job's, asks for."""
    name = pool.architecture or said.architecture
    return {ARCHITECTURE_LABEL: architecture(name)} if name else {}
