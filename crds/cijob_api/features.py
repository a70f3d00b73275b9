"""Which fields belong to features that are not built yet.

They are part of the contract, so that manifests need no change later; a job that uses one ends
with `NotInstalled`, naming it. The list shrinks with every feature.
"""

from collections.abc import Callable

from cijob_api.specs import Recipe

Use = Callable[[Recipe], object]

NOT_BUILT: dict[str, Use] = {
    "cache": lambda spec: spec.cache,
}


def not_built(spec: Recipe) -> str | None:
    """The first field that the spec uses and that nothing here can do yet, or None."""
    return next((field for field, use in NOT_BUILT.items() if use(spec)), None)
