"""/docs: the API's document as a page on which it can be tried out. It loads vendored files and asks nobody else."""

from __future__ import annotations

from flask import Flask, Response, make_response, render_template

from security.pages import page
from web.policy import PAGE
from web.site import Site
from web.static_files import SWAGGER_UI


def register(app: Flask, site: Site) -> None:
    """Give the app the page."""

    def docs() -> Response:
        return make_response(render_template("docs.html", swagger=f"static/{SWAGGER_UI}", invented=site.is_invented()), PAGE)

    page(app, "/docs", docs)
