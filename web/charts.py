"""Figures and how they are drawn. Each figure is a table: pages draw it, and its CSV is the same table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from queries.zones import Period
from schemas.csv_format import table as sheet
from schemas.times import rfc3339
from text.phrases import moment, number

Kind = Literal["text", "number", "mean", "share", "lift", "change", "time", "heat", "line", "file"]
CSV_UNITS = {"share": " (share of 1)"}
WIDTH, HEIGHT = 1000, 100
"""The box of SVG curves."""
MOST_LINES = 5
FEWEST_A_ROW = 2
"""The lines of tags are drawn if the tag with the most tweets has so many on average: fewer would be noise."""
TAG_COLOURS = 10
MOST_BARS, BAR, BAR_HEIGHT = 28, 8, 28
BAR_SHARE = 0.86
"""The share of its place that a stacked bar fills."""
HOTTEST = 0.95
"""The share of an hour's counts that are shaded apart; the few above have the strongest shade."""

Row = tuple[Any, ...]


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
    rows: tuple[Row, ...]
    bars: int | None = None

    @property
    def longest_bar(self) -> float:
        """The largest value that is drawn as a bar."""
        return max((row[self.bars] or 0 for row in self.rows), default=0) if self.bars is not None else 0

    @property
    def hottest(self) -> int:
        """The value with the strongest shade: the 95th percentile of those above 0, so that a burst does not fade the rest."""
        heat = [at for at, column in enumerate(self.columns) if column.kind == "heat"]
        values = sorted(row[at] for row in self.rows for at in heat if row[at])
        return values[ceil(HOTTEST * len(values)) - 1] if values else 0

    def csv(self) -> bytes:
        """Return the table as CSV, without the columns that are only drawn."""
        kept = [at for at, column in enumerate(self.columns) if column.kind != "line"]
        header = [self.columns[at].title + CSV_UNITS.get(self.columns[at].kind, "") for at in kept]
        return sheet(header, ([_csv_value(row[at]) for at in kept] for row in self.rows))


class ChartMark(NamedTuple):
    """A shaded period: first second and end (epoch seconds), and its label."""

    first: int
    end: int
    label: str


class SpikePage(NamedTuple):
    """A spike: when it began (UTC), its tweets, and the URL of its page."""

    start: datetime
    tweets: int
    url: str


class Curve(NamedTuple):
    """How a table's rows are drawn over time: the period of each, and which columns are curves.

    `spikes` and `unfinished` are numbers of rows; unfinished ones are not drawn. `spike_pages` are the spikes, oldest first:
    hours where the rows are shorter than a day. `marks` are shaded. `links` are the URLs of
    the rows' pages, if they have any. Where it `compares`, each column is a tag's.
    """

    periods: tuple[Period, ...]
    columns: tuple[int, ...]
    zone: ZoneInfo
    spikes: tuple[int, ...] = ()
    marks: tuple[ChartMark, ...] = ()
    unfinished: tuple[int, ...] = ()
    links: tuple[str, ...] = ()
    compares: bool = False
    spike_pages: tuple[SpikePage, ...] = ()

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """The start of the first period and the end of the last one (UTC)."""
        return datetime.fromtimestamp(self.periods[0][0], UTC), datetime.fromtimestamp(self.periods[-1][1], UTC)

    def highest(self, rows: Sequence[Row]) -> int:
        """Return the highest value of the curves."""
        return max((row[column] or 0 for row in rows for column in self.columns), default=0)

    def period(self, at: int) -> tuple[datetime, datetime]:
        """Return the beginning and the end of a row's period (UTC)."""
        first, end = self.periods[at]
        return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(end, UTC)

    def polyline(self, rows: Sequence[Row], column: int) -> str:
        """Return the points of a column; all columns are on the scale of the curves."""
        unfinished = set(self.unfinished)
        counts = [None if at in unfinished else row[column] for at, row in enumerate(rows)]
        return polylines([counts], self.highest(rows))[0]

    @property
    def shaded(self) -> list[ChartMark]:
        """The marks without overlaps, oldest first."""
        return merge_marks(self.marks)

    @property
    def shaded_areas(self) -> list[tuple[float, float]]:
        """The left edge and width of each shaded area in the box."""
        first, scale = self.periods[0][0], WIDTH / max(1, self.periods[-1][1] - self.periods[0][0])
        return [((mark.first - first) * scale, max(2, (mark.end - mark.first) * scale)) for mark in self.shaded]

    def html_rows(self, rows: Sequence[Row]) -> Markup:
        """Return the rows as HTML. There can be hundreds, for which a template is too slow."""
        return Markup("\n").join(self._html_row(row, at) for at, row in enumerate(rows))

    def _html_row(self, row: Row, at: int) -> Markup:
        start, *counts, note = row
        cells = "".join(f'<td class="number">{number(count)}</td>' for count in counts)
        when = f'<time datetime="{rfc3339(start)}">{moment(start, self.zone)}</time>'
        head = f'<th scope="row">{self._link(at, when)}</th>'
        css_class = ' class="spike"' if at in self.spikes else ' class="open"' if at in self.unfinished else ""
        first = self.periods[at][0]
        return Markup(f'<tr data-from="{first}"{css_class}>{head}{cells}<td>{escape(note)}</td></tr>')  # noqa: S704 (escaped)

    def _link(self, at: int, html: str) -> str:
        return f'<a href="{escape(self.links[at])}">{html}</a>' if self.links else html


class ChartLine(NamedTuple):
    """A line of a chart: its column in the table, its title, and its kind.

    `first` and `before` are the curves of the figure, `all` stands for all tweets behind the lines of each `tag`.
    """

    column: int
    title: str
    kind: Literal["first", "before", "all", "tag"]


class ChartFigure(NamedTuple):
    """A figure: its name in URLs, its title, its main finding in a sentence, its table, and a note about the data."""

    name: str
    title: str
    finding: str
    table: Table
    note: str = ""
    curve: Curve | None = None

    @property
    def lines(self) -> list[ChartLine]:
        """What is drawn: the curves; where several tags have many tweets, all tweets and the five tags that have the most."""
        if self.curve and self.curve.compares:
            return [ChartLine(at, self.table.columns[at].title, "tag") for at in self.curve.columns]
        tags = self._leading_tags() if self.curve else []
        columns = (self.curve.columns[:1] if len(tags) > 1 else self.curve.columns) if self.curve else ()
        kinds: tuple[Literal["all", "first", "before"], ...] = ("all" if len(tags) > 1 else "first", "before")
        lines = [ChartLine(at, self.table.columns[at].title, kind) for at, kind in zip(columns, kinds, strict=False)]
        return lines + [ChartLine(at, self.table.columns[at].title, "tag") for at in tags if len(tags) > 1]

    def _leading_tags(self) -> list[int]:
        named = [at for at, column in enumerate(self.table.columns) if column.title.startswith("#")]
        sums = {at: sum(row[at] or 0 for row in self.table.rows) for at in named}
        leading = sorted((at for at in named if sums[at]), key=lambda at: -sums[at])[:MOST_LINES]
        return leading if leading and sums[leading[0]] >= FEWEST_A_ROW * len(self.table.rows) else []

    @property
    def is_wide(self) -> bool:
        """Whether it takes the full width of the page."""
        return self.curve is not None or any(column.kind == "heat" for column in self.table.columns)


class DeferredFigure(NamedTuple):
    """A figure that takes long, of which a page has only the heading and a link: its name, its title, and its page's path.

    The page's script puts the figure in its place once it comes into view.
    """

    name: str
    title: str
    path: str
    curve: None = None


def merge_marks(marks: Iterable[ChartMark], label: str = "", *, within: int = 0) -> list[ChartMark]:
    """Merge marks that overlap or are at most `within` seconds apart, oldest first."""
    merged: list[ChartMark] = []
    for mark in sorted(marks):
        if merged and mark.first <= merged[-1].end + within:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, mark.end))
        else:
            merged.append(mark._replace(label=label))
    return merged


def bars(counts: Sequence[int | None]) -> tuple[int, str]:
    """Return 14 to 28 bars as the width and the path of an SVG 28 high; fewer if there are fewer counts.

    Each bar is the sum of as many successive counts; if none of them is known, there is no bar. The oldest counts that
    don't fill a bar are left out.
    """
    size = -(-len(counts) // MOST_BARS) or 1
    first = len(counts) % size
    parts = [[count for count in counts[at : at + size] if count is not None] for at in range(first, len(counts), size)]
    top = max(map(sum, parts), default=0) or 1
    heights = [(at, max(1.5, sum(known) / top * BAR_HEIGHT) if sum(known) else 0.5) for at, known in enumerate(parts) if known]
    path = (f"M{at * BAR + 1} {BAR_HEIGHT}v-{height:.1f}h{BAR - 2}v{height:.1f}z" for at, height in heights)
    return max(1, len(parts)) * BAR, "".join(path)


def stacked_bars(rows: Sequence[Row], columns: Sequence[int]) -> list[str]:
    """Return the paths of shares in a box of 1000 by 100, one for each column, the first one at the bottom.

    Each row is a bar of the shares in these columns; a bar whose shares are unknown is left out.
    """
    width, paths = WIDTH / max(1, len(rows)), [list[str]() for _ in columns]
    for at, row in enumerate(rows):
        top = float(HEIGHT)
        for path, column in zip(paths, columns, strict=True):
            height = (row[column] or 0) * HEIGHT
            top -= height
            if height:
                path.append(f"M{at * width:.1f} {top:.1f}h{width * BAR_SHARE:.1f}v{height:.1f}h-{width * BAR_SHARE:.1f}z")
    return ["".join(path) for path in paths]


def heat_level(value: int | None, hottest: int) -> int:
    """Return how strongly a value is shaded, from 0 to 5."""
    return min(5, ceil(5 * value / hottest)) if value and hottest else 0


def tag_class(tag: str, numbers: Mapping[str, int]) -> str:
    """Return the CSS class of a tag's colour, which it keeps on all pages; empty for other hashtags."""
    return f"tag-{(numbers[tag] - 1) % TAG_COLOURS + 1}" if tag in numbers else ""


def polylines(curves: Sequence[Sequence[float | None]], highest: float | None = None) -> list[str]:
    """Return the points of each curve in a box of 1000 by 100, with `highest` or else the highest of all counts at the top."""
    top = highest or max((count or 0 for counts in curves for count in counts), default=0) or 1
    return [_polyline(counts, top) for counts in curves]


def _polyline(counts: Sequence[float | None], top: float) -> str:
    step = WIDTH / max(1, len(counts) - 1)
    points = [(at, count) for at, count in enumerate(counts) if count is not None]
    return " ".join(f"{at * step:.1f},{HEIGHT - count / top * HEIGHT:.1f}" for at, count in points)


def _csv_value(value: Any) -> Any:
    if isinstance(value, Link):
        return value.text
    return rfc3339(value) if isinstance(value, datetime) else value
