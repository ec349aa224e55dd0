"""Rows of results as docs/benchmarks.md has them: what was measured, its bar, whether it was met."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Row(NamedTuple):
    """A result; `met` is None where there is no bar."""

    work: str
    bar: str
    measured: str
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return f"| {self.work} | {self.bar} | {self.measured} | {verdict} |"


def row(work: str, values: Sequence[float], unit: str, *, at_most: float | None = None, note: str = "") -> Row:
    """Return the row of a quantity, whose median counts."""
    if at_most is None:
        return Row(work, "", f"{spread(values)} {unit}{note}")
    return Row(work, f"≤ {at_most:g} {unit}", f"{spread(values)} {unit}{note}", median(values) <= at_most)


def ratio(work: str, ours: Sequence[float], other: Sequence[float], unit: str, bar: str) -> Row:
    """Return the row of a ratio of medians, whose bar is such as `≥ 1.5`."""
    value, limit = median(ours) / median(other), float(bar[1:])
    met = value >= limit if bar.startswith("≥") else value <= limit
    return Row(work, bar, f"{value:.2f}: {spread(ours)} {unit} beside {spread(other)} {unit}", met)


def spread(values: Sequence[float]) -> str:
    """Return the median and the range as text."""
    ends = f" ({_number(min(values))} to {_number(max(values))})" if len(values) > 1 else ""
    return _number(median(values)) + ends


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
