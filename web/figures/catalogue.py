"""All figures by the names that their URLs have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from queries.activity import activity
from web.asked import ViewQuery
from web.figures import counts, coverage, facets, people, tags, texts, volume, week
from web.tables import ChartFigure

TOP = 10
TOP_TAGS = 12
MOST = 1000  # rows of a ranking's CSV


def _volume(session: Session, asked: ViewQuery) -> ChartFigure | None:
    return volume.over_time(counts.volume(session, asked), asked, MOST)


def _tags(session: Session, asked: ViewQuery) -> ChartFigure | None:
    return tags.by_tag(counts.volume(session, asked), asked, MOST)


def _active(session: Session, asked: ViewQuery) -> ChartFigure | None:
    return people.active(activity(session, asked.filters, most=MOST), asked)


FIGURES: Mapping[str, Callable[[Session, ViewQuery], ChartFigure | None]] = {
    "volume": _volume,
    "tags": _tags,
    "coverage": lambda session, asked: coverage.coverage(session, asked, MOST),
    "counts": coverage.over_time,
    "followers": lambda session, asked: people.most_followed_figure(session, asked, MOST),
    "active": _active,
    "languages": lambda session, asked: facets.languages(session, asked, MOST),
    "countries": lambda session, asked: facets.countries(session, asked, MOST),
    "week": week.week,
    "hashtags": lambda session, asked: texts.beside(session, asked, MOST),
}
"""What makes each figure whole, as its CSV has it; None where there is nothing to compare."""
