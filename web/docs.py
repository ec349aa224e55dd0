"""/docs: interactive documentation of the API (Swagger UI, vendored)."""

from __future__ import annotations

from flask import Flask, Response, make_response, render_template

from security.guard import page
from web.responses import HEADERS
from web.site import Site
from web.static_files import SWAGGER_UI


def register(app: Flask, site: Site) -> None:
    """Add the page."""

    def docs() -> Response:
        return make_response(render_template("docs.html", swagger=f"static/{SWAGGER_UI}", invented=site.is_invented()), HEADERS)

    page(app, "/docs", docs)
