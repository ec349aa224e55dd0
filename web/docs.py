"""/docs: the API's document as a page on which it can be tried out. It loads vendored files and asks nobody else."""

from __future__ import annotations

from flask import Flask, Response, make_response, render_template

from web.static_files import SWAGGER_UI

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def register(app: Flask) -> None:
    """Give the app the page."""

    def docs() -> Response:
        return make_response(render_template("docs.html", swagger=f"static/{SWAGGER_UI}"), HEADERS)

    app.add_url_rule("/docs", "docs", docs)
