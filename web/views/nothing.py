"""/view/…: what no page is at, so that a person who mistypes a path gets a page that says so."""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from security.pages import page
from web.site import Site


def register(app: Flask, _site: Site) -> None:
    """Give the app the page."""

    def no_page(path: str) -> Response:
        changing = app.url_map.bind("localhost").allowed_methods(request.path)
        others = sorted(set(changing) - {"GET", "HEAD"})
        if others != ["OPTIONS"]:
            raise MethodNotAllowed(others)
        raise NotFound("there is no page at this path")

    page(app, "/view/<path:path>", no_page)
