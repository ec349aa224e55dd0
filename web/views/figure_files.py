"""/view/figures/{name}.csv: the complete numbers of a figure, with the parameters of the page that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Flask, Response, make_response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from queries.authors import activity
from security.pages import page
from web.charts import ChartFigure
from web.figures import counts, coverage, rankings, volume
from web.site import Site
from web.view_query import ViewQuery

MOST_ROWS = 1000

FIGURES: Mapping[str, Callable[[Session, ViewQuery], ChartFigure | None]] = {
    "volume": lambda session, query: volume.over_time(counts.volume(session, query), query, MOST_ROWS),
    "tags": lambda session, query: volume.by_tag(counts.volume(session, query), query, MOST_ROWS),
    "coverage": lambda session, query: coverage.coverage(session, query, MOST_ROWS),
    "counts": coverage.over_time,
    "followers": lambda session, query: rankings.most_followed(session, query, MOST_ROWS),
    "active": lambda session, query: rankings.most_active(activity(session, query.filters, most=MOST_ROWS), query),
    "languages": lambda session, query: rankings.languages(session, query, MOST_ROWS),
    "countries": lambda session, query: rankings.countries(session, query, MOST_ROWS),
    "week": volume.by_hour_of_week,
    "hashtags": lambda session, query: rankings.related(session, query, MOST_ROWS),
}
"""Builds each figure by its name in URLs; None if there is nothing to compare."""


def register(app: Flask, site: Site) -> None:
    """Add the files."""

    def figure_as_csv(name: str) -> Response:
        builder = FIGURES.get(name)
        if builder is None:
            raise NotFound(f"there is no figure with this name, only {', '.join(FIGURES)}")
        with site.reading() as session:
            figure = builder(session, site.parse(session))
        if figure is None:
            raise NotFound("this figure needs exactly one tag, and X's own counts of this period")
        response = make_response(figure.table.csv())
        response.headers["Content-Type"] = "text/csv; charset=utf-8"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    page(app, "/view/figures/<name>.csv", figure_as_csv)
