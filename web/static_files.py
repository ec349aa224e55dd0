"""Files that pages load: the project's own, and vendored ones, whose paths contain their version and never change."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePosixPath

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from security.answers import ALWAYS, REPEAT, accepts_gzip, add_etag, compress

FOLDER = Path(__file__).parent / "static"
SWAGGER_UI = "vendor/swagger-ui/5.35.0"
UPLOT = "vendor/uplot/1.6.32"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"
CHECKED = "public, no-cache"


def register(app: Flask) -> None:
    """Serve the files below /static/; each process reads a file once."""

    def static(filename: str) -> Response:
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

    app.add_url_rule("/static/<path:filename>", "static", static)


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
