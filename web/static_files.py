"""Files that pages load, and /docs.

The paths of vendored files contain their version, so those files never change.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePosixPath

from flask import Response, make_response, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from security.answers import ALWAYS, REPEAT, accepts_gzip, add_etag, compress
from web.site import HEADERS, Route, Site

FOLDER = Path(__file__).parent / "static"
SWAGGER_UI = "vendor/swagger-ui/5.35.0"
UPLOT = "vendor/uplot/1.6.32"
TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"
CHECKED = "public, no-cache"


def static(filename: str) -> Response:
    """Return a file below /static/; each process reads it once."""
    body, response = _content(filename), Response(mimetype=TYPES.get(PurePosixPath(filename).suffix, "text/plain"))
    response.headers["Cache-Control"] = FOREVER if filename.startswith("vendor/") else CHECKED
    response.vary.add("Accept-Encoding")
    add_etag(response, body)
    if accepts_gzip():
        body = _compressed(filename)
        response.headers["Content-Encoding"] = "gzip"
    response.set_data(body)
    request.environ[REPEAT] = ALWAYS
    response.make_conditional(request)
    return response


def docs(site: Site) -> Response:
    """Show the interactive documentation of the API, which is Swagger UI."""
    return make_response(render_template("docs.html", swagger=f"static/{SWAGGER_UI}", invented=site.is_invented()), HEADERS)


@lru_cache(64)
def _compressed(filename: str) -> bytes:
    return compress(_content(filename), level=9)


@lru_cache(64)
def _content(filename: str) -> bytes:
    path = safe_join(str(FOLDER), filename)
    try:
        return Path(path or "").read_bytes()
    except (OSError, ValueError) as error:
        raise NotFound from error


DOCS: Route = ("/docs", docs, "GET")
