"""Figures and how they are drawn. Each figure is a table: pages draw it, and its CSV is the same table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from queries.zones import Period
from schemas.csv_format import table as sheet
from schemas.times import rfc3339
from web.words import moment, number

Kind = Literal["text", "number", "share", "lift", "change", "time", "heat", "line", "file"]
CSV_UNITS = {"share": " (share of 1)"}
WIDTH, HEIGHT = 1000, 100
"""The box of SVG curves."""


class Column(NamedTuple):
    """A column: its title, and the kind of its values.

    A `line` is drawn from counts over time and is not in the CSV; a `file` column is in the CSV only; `heat` is shaded.
    """

    title: str
    kind: Kind = "number"


class Link(NamedTuple):
    """A link; `more` is text after it on the page."""

    text: str
    path: str
    more: str = ""


class Table(NamedTuple):
    """Rows of values, None if unknown. `bars` is the number of the column whose values are drawn as bars."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    bars: int | None = None

    @property
    def longest_bar(self) -> float:
        """The largest value that is drawn as a bar."""
        return max((row[self.bars] or 0 for row in self.rows), default=0) if self.bars is not None else 0

    @property
    def hottest(self) -> int:
        """The largest shaded value."""
        heat = [at for at, column in enumerate(self.columns) if column.kind == "heat"]
        return max((row[at] for row in self.rows for at in heat), default=0)

    def csv(self) -> bytes:
        """Return the table as CSV, without the columns that are only drawn."""
        kept = [at for at, column in enumerate(self.columns) if column.kind != "line"]
        header = [self.columns[at].title + CSV_UNITS.get(self.columns[at].kind, "") for at in kept]
        return sheet(header, ([_csv_value(row[at]) for at in kept] for row in self.rows))


class TableMark(NamedTuple):
    """A shaded period: first second and end (epoch seconds), and its label."""

    first: int
    end: int
    label: str


class Curve(NamedTuple):
    """How a table's rows are drawn over time: the period of each, and which columns are curves.

    `spikes` and `unfinished` are numbers of rows; unfinished ones are not drawn. `marks` are shaded.
    """

    periods: tuple[Period, ...]
    columns: tuple[int, ...]
    zone: ZoneInfo
    spikes: tuple[int, ...] = ()
    marks: tuple[TableMark, ...] = ()
    unfinished: tuple[int, ...] = ()

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """The start of the first period and the end of the last one (UTC)."""
        return datetime.fromtimestamp(self.periods[0][0], UTC), datetime.fromtimestamp(self.periods[-1][1], UTC)


class ChartFigure(NamedTuple):
    """A figure: its name in URLs, its title, its main finding in a sentence, its table, and a note about the data."""

    name: str
    title: str
    finding: str
    table: Table
    note: str = ""
    curve: Curve | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it takes the full width of the page."""
        return self.curve is not None or any(column.kind == "heat" for column in self.table.columns)

    @property
    def highest(self) -> int:
        """The highest value of its curves."""
        columns = self.curve.columns if self.curve else ()
        return max((row[at] or 0 for row in self.table.rows for at in columns), default=0)

    def polylines(self) -> list[str]:
        """Return the points of each curve, all on one scale."""
        assert self.curve  # noqa: S101 (only figures with curves are drawn)
        open_rows, rows = set(self.curve.unfinished), self.table.rows
        curves = ([None if at in open_rows else row[column] for at, row in enumerate(rows)] for column in self.curve.columns)
        return [polyline(counts, self.highest) for counts in curves]

    def shaded(self) -> list[tuple[float, float]]:
        """Return the left edge and width of each shaded area in a box 1000 wide."""
        if self.curve is None or not self.curve.periods:
            return []
        first, end = self.curve.periods[0][0], self.curve.periods[-1][1]
        scale = WIDTH / max(1, end - first)
        return [((one.first - first) * scale, max(2, (one.end - one.first) * scale)) for one in merge_marks(self.curve.marks)]

    def html_rows(self) -> Markup:
        """Return the rows of a figure over time as HTML. There can be hundreds, for which a template is too slow."""
        assert self.curve  # noqa: S101 (only figures with curves have such rows)
        return Markup("\n").join(_html_row(row, self.curve, at) for at, row in enumerate(self.table.rows))


def is_link(value: object) -> bool:
    """Whether a value of a table is a link."""
    return isinstance(value, Link)


def merge_marks(marks: Iterable[TableMark], label: str = "", *, within: int = 0) -> list[TableMark]:
    """Merge marks that overlap or are at most `within` seconds apart, oldest first."""
    merged: list[TableMark] = []
    for mark in sorted(marks):
        if merged and mark.first <= merged[-1].end + within:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, mark.end))
        else:
            merged.append(mark._replace(label=label))
    return merged


def polyline(counts: Sequence[float | None], most: float = 0) -> str:
    """Return the points of a curve in a box of 1000 by 100, with `most` or else the highest count at the top."""
    top, step = most or highest(counts) or 1, WIDTH / max(1, len(counts) - 1)
    points = [(at, count) for at, count in enumerate(counts) if count is not None]
    return " ".join(f"{at * step:.1f},{HEIGHT - count / top * HEIGHT:.1f}" for at, count in points)


def highest(*curves: Sequence[float | None]) -> float:
    """Return the highest count of curves that share one scale."""
    return max((count or 0 for curve in curves for count in curve), default=0)


def _html_row(row: tuple[Any, ...], curve: Curve, at: int) -> Markup:
    start, *counts, note = row
    cells = "".join(f'<td class="number">{number(count)}</td>' for count in counts)
    head = f'<th scope="row"><time datetime="{rfc3339(start)}">{moment(start, curve.zone)}</time></th>'
    css_class = ' class="spike"' if at in curve.spikes else ' class="open"' if at in curve.unfinished else ""
    first = curve.periods[at][0]
    return Markup(f'<tr data-from="{first}"{css_class}>{head}{cells}<td>{escape(note)}</td></tr>')  # noqa: S704 (escaped)


def _csv_value(value: Any) -> Any:
    if is_link(value):
        return value.text
    return rfc3339(value) if isinstance(value, datetime) else value
