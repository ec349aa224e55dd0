"""Figures: what they show, in one sentence and in numbers. Each is a table first; pages draw it, CSV is the same table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from queries.periods import Period
from schemas.csv_format import table as sheet
from schemas.times import rfc3339

Kind = Literal["text", "number", "share", "lift", "change", "time", "heat", "line", "file"]
UNITS = {"share": " (share of 1)"}


class Column(NamedTuple):
    """A column: its title, and of what its values are.

    A `line` is counts over time, which are drawn only; what is for the `file` is in the CSV only; `heat` is shaded.
    """

    title: str
    kind: Kind = "number"


class Link(NamedTuple):
    """A text that leads somewhere; `more` stands beside it on the page."""

    text: str
    path: str
    more: str = ""


class Table(NamedTuple):
    """Rows of values, None where one isn't known. `bars` is the number of the column whose values are drawn as bars."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    bars: int | None = None

    @property
    def most(self) -> float:
        """The largest value that is drawn as a bar."""
        return max((row[self.bars] or 0 for row in self.rows), default=0) if self.bars is not None else 0

    @property
    def hottest(self) -> int:
        """The largest value of those that are shaded."""
        heat = [number for number, column in enumerate(self.columns) if column.kind == "heat"]
        return max((row[number] for row in self.rows for number in heat), default=0)

    def csv(self) -> bytes:
        """Return the table as CSV, without what is only drawn."""
        kept = [number for number, column in enumerate(self.columns) if column.kind != "line"]
        header = [self.columns[number].title + UNITS.get(self.columns[number].kind, "") for number in kept]
        return sheet(header, ([_plain(row[number]) for number in kept] for row in self.rows))


class TableMark(NamedTuple):
    """A stretch of time that is shaded: from and until when, in epoch seconds, and what it is."""

    first: int
    end: int
    what: str


def merge_marks(marks: Iterable[TableMark], what: str, *, within: int = 0) -> list[TableMark]:
    """Return the time that any of these covers, as marks that are more than so many seconds apart, oldest first."""
    found: list[TableMark] = []
    for mark in sorted(marks):
        if found and mark.first <= found[-1].end + within:
            found[-1] = found[-1]._replace(end=max(found[-1].end, mark.end))
        else:
            found.append(mark._replace(what=what))
    return found


class Curve(NamedTuple):
    """How a table's rows are drawn over time: where each begins (epoch seconds), and which columns are curves.

    `spikes` are numbers of rows, and so are `unfinished`, which are not drawn; `marks` are shaded.
    """

    periods: tuple[Period, ...]
    columns: tuple[int, ...]
    zone: ZoneInfo
    spikes: tuple[int, ...] = ()
    marks: tuple[TableMark, ...] = ()
    unfinished: tuple[int, ...] = ()


class ChartFigure(NamedTuple):
    """A figure: its name in URLs, its title, what it finds in one sentence, its numbers, and what must be said with it."""

    name: str
    title: str
    finding: str
    table: Table
    note: str = ""
    curve: Curve | None = None

    @property
    def wide(self) -> bool:
        """Whether it takes the whole width."""
        return self.curve is not None or any(column.kind == "heat" for column in self.table.columns)


def _plain(value: Any) -> Any:
    if isinstance(value, Link):
        return value.text
    return rfc3339(value) if isinstance(value, datetime) else value
