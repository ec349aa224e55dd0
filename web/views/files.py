"""/view/figures/{name}.csv: the numbers of a figure, with the same parameters as the page that shows it."""

from __future__ import annotations

from flask import Flask, Response, make_response
from werkzeug.exceptions import NotFound

from security.pages import page
from web.figures.catalogue import FIGURES
from web.site import Site


def register(app: Flask, site: Site) -> None:
    """Give the app the files."""

    def figure_as_csv(name: str) -> Response:
        builder = FIGURES.get(name)
        if builder is None:
            raise NotFound(f"there is no figure of this name, only {', '.join(FIGURES)}")
        with site.reading() as session:
            figure = builder(session, site.parse(session))
        if figure is None:
            raise NotFound("there is nothing to show: not one tag is asked for, or X was not asked for its counts of this time")
        response = make_response(figure.table.csv())
        response.headers["Content-Type"] = "text/csv; charset=utf-8"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    page(app, "/view/figures/<name>.csv", figure_as_csv)
