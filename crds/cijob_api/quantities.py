"""Kubernetes quantities, such as `500m` and `1Gi`, as exact numbers. Pure.

The notation is that of resource.Quantity in the Kubernetes API conventions, without exponents.
"""

import re
from decimal import Decimal

_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_FORM = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]*)")


def parse(text: str) -> Decimal:
    """The number that a quantity stands for. Raises ValueError for anything else."""
    found = _FORM.fullmatch(text)
    if not found or found[2] not in _FACTORS:
        raise ValueError(f"{text!r} is no quantity; write it like 500m, 2 or 1.5Gi")
    return Decimal(found[1]) * _FACTORS[found[2]]
