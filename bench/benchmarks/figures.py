"""From samples to a table. Pure.

A figure has a name, a value with its unit, and a target if there is one. Medians and percentiles
are of the samples themselves, nothing is left out.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of a result; with `at_most`, the target it is held against."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty without one."""
        if self.at_most is None:
            return ""
        return "met" if self.value <= self.at_most else "MISSED"


@dataclass(frozen=True)
class Result:
    """What one benchmark found; `sample` says of how many."""

    name: str
    sample: str
    figures: tuple[Figure, ...]

    def as_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return asdict(self)


def spread(name: str, seconds: Sequence[float], *, at_most: float | None = None) -> list[Figure]:
    """Median and 90th percentile of durations, in milliseconds."""
    return [
        Figure(f"{name}, median", median(seconds) * 1000, "ms", at_most),
        Figure(f"{name}, 90 %", percentile(seconds, 90) * 1000, "ms"),
    ]


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that `percent` of all do not exceed (nearest rank)."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def table(result: Result) -> str:
    """A result as text: one figure a line, targets and verdicts beside them."""
    width = max(len(figure.name) for figure in result.figures)
    lines = [f"{result.name}: {result.sample}"]
    for figure in result.figures:
        target = "" if figure.at_most is None else f"  target ≤ {figure.at_most:g} {figure.unit}"
        value = f"{_number(figure.value):>9} {figure.unit:4}"
        lines.append(f"  {figure.name:{width}} {value}{target}  {figure.verdict}".rstrip())
    return "\n".join(lines)


def _number(value: float) -> str:
    return (
        f"{value:.2f}"
        if abs(value) < 10
        else f"{value:.1f}"
        if abs(value) < 100
        else f"{value:.0f}"
    )
