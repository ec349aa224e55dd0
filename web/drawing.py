"""How templates write and draw: numbers and times in words, curves as SVG, links in texts of tweets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import unescape
from typing import Any

from flask import Flask
from markupsafe import Markup, escape

from queries.snowflakes import snowflake_time
from schemas.times import rfc3339
from web import words
from web.advice import advice
from web.static_files import UPLOT
from web.tables import ChartFigure, Curve, Link, Table, merge_marks

REL = "noopener nofollow ugc"
SPOKEN = re.compile(r"[a-z]{2}", re.ASCII)
UNTOLD = frozenset({"in", "iw", "ji", "un"})  # codes of X's that browsers don't know
URL = re.compile(r"(https?://[^\s<>\"'`\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*[\w/=&#%+~-])", re.IGNORECASE)
X_ENTITIES = re.compile(r"&(?:amp|lt|gt);")
WIDTH, HEIGHT = 1000, 100
WRITTEN = ("number", "share", "change", "times", "moment", "day", "plural", "dollars", "sentence")


def register(app: Flask) -> None:
    """Give the app's templates what they write and draw with."""
    filters: dict[str, Any] = {name: getattr(words, name) for name in WRITTEN}
    app.jinja_env.filters |= filters | {
        "advice": advice,
        "lasting": words.length,
        "rfc3339": rfc3339,
        "tweet_text": tweet_text,
        "plain": plain,
        "path": polyline,
        "given_out": snowflake_time,
    }
    app.jinja_env.tests["link"] = lambda value: isinstance(value, Link)
    app.jinja_env.globals |= {
        "spoken": spoken,
        "drawn": curve_points,
        "highest": highest,
        "summit": summit,
        "shaded": shaded_areas,
        "lines": lines,
        "merged": merge_marks,
        "second": _second,
        "uplot": UPLOT,
    }
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def tweet_text(text: str) -> Markup:
    """Return a tweet's text as HTML: escaped, its URLs as links that pass no rank on."""
    parts = URL.split(plain(text))
    return Markup("").join(_link(part) if number % 2 else escape(part) for number, part in enumerate(parts))


def _link(url: str) -> Markup:
    return Markup('<a href="{0}" rel="{1}"><bdi>{0}</bdi></a>').format(url, REL)


def plain(text: str | None) -> str:
    """Return a text of X's without its entities."""
    return X_ENTITIES.sub(lambda match: unescape(match[0]), text or "")


def spoken(lang: str | None) -> str | None:
    """Return a language as the attribute `lang` takes it, or None where X's code means none."""
    return lang if lang and SPOKEN.fullmatch(lang) and lang not in UNTOLD else None


def polyline(counts: Sequence[float | None], most: float = 0) -> str:
    """Return the points of a curve in a box of 1000 by 100; the highest count, or `most`, is at the top."""
    top, step = most or max((count or 0 for count in counts), default=0) or 1, WIDTH / max(1, len(counts) - 1)
    shown = [(at, count) for at, count in enumerate(counts) if count is not None]
    return " ".join(f"{at * step:.1f},{HEIGHT - count / top * HEIGHT:.1f}" for at, count in shown)


def summit(*curves: Sequence[float | None]) -> float:
    """Return the highest count of several curves, which are drawn on one scale."""
    return max((count or 0 for curve in curves for count in curve), default=0)


def curve_points(table: Table, curve: Curve) -> list[str]:
    """Return the points of each curve of a figure, all on one scale."""
    most = highest(table, curve)
    rows = [(row, at in curve.unfinished) for at, row in enumerate(table.rows)]
    return [polyline([None if open_ else row[number] for row, open_ in rows], most) for number in curve.columns]


def highest(table: Table, curve: Curve) -> int:
    """Return the highest value of a figure's curves."""
    return max((row[number] or 0 for row in table.rows for number in curve.columns), default=0)


def lines(figure: ChartFigure) -> Markup:
    """Return the rows of a figure over time as HTML: a time, counts, a note. There are hundreds, too many for a template."""
    curve = figure.curve
    assert curve  # noqa: S101 (it is asked of figures that have one)
    return Markup("\n").join(_line(row, curve, at) for at, row in enumerate(figure.table.rows))


def _line(row: tuple[Any, ...], curve: Curve, at: int) -> Markup:
    start, *counts, note = row
    cells = "".join(f'<td class="number">{words.number(count)}</td>' for count in counts)
    head = f'<th scope="row"><time datetime="{rfc3339(start)}">{words.moment(start, curve.zone)}</time></th>'
    spike = ' class="spike"' if at in curve.spikes else ' class="open"' if at in curve.unfinished else ""
    first = curve.periods[at][0]
    return Markup(f'<tr data-from="{first}"{spike}>{head}{cells}<td>{escape(note)}</td></tr>')  # noqa: S704 (all of it is ours)


def shaded_areas(curve: Curve) -> list[tuple[float, float]]:
    """Return where a figure is shaded, from where and how wide in a box of 1000."""
    if not curve.periods:
        return []
    first, end = curve.periods[0][0], curve.periods[-1][1]
    scale = WIDTH / max(1, end - first)
    marks = merge_marks(curve.marks, "not collected whole")
    return [((mark.first - first) * scale, max(2, (mark.end - mark.first) * scale)) for mark in marks]


def _second(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
