"""What came out: rows with their bars, printed as they come or as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple


class Row(NamedTuple):
    """What was measured; `met` is None where there is no bar. `refused`: it could not be measured."""

    work: str
    bar: str
    measured: str
    met: bool | None = None
    refused: bool = False

    @property
    def verdict(self) -> str:
        return {True: "met", False: "MISSED", None: "-"}[self.met]


def refused(work: str, bar: str, refusal: Exception) -> Row:
    """Return the row of what the server did not do."""
    return Row(work, bar, str(refusal), met=False, refused=True)


def printed(rows: Iterable[Row]) -> list[Row]:
    """Print each row as soon as it is there, and return all."""
    print(machine(), flush=True)
    kept = []
    for row in rows:
        print(f"{row.verdict:7}{row.work}\n       {row.measured}" + (f"; bar {row.bar}" if row.bar else ""), flush=True)
        kept.append(row)
    return kept


def markdown(rows: Sequence[Row], command: str) -> str:
    """Return the rows as docs/benchmarks.md has them."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = [
        f"| {row.work} | {row.bar or 'none: reported'} | {'**missed:** ' if row.met is False else ''}{row.measured} "
        f"| `{command}` | {day} |"
        for row in rows
    ]
    return "\n".join(["| work | bar | measured | command | date |", "|---|---|---|---|---|", *lines])


def machine() -> str:
    """Return in one line where and when this was measured."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, {os.cpu_count()} cores, load {load}"


def middle(values: Sequence[float], *, digits: int = 1) -> str:
    """Return the median and the range as text."""
    ends = f"{min(values):,.{digits}f} to {max(values):,.{digits}f}"
    return f"{statistics.median(values):,.{digits}f}" + (f" ({ends})" if len(values) > 1 else "")
