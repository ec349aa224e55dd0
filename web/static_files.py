"""Files that pages load: our own, and vendored ones, whose paths carry their version and which never change."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path, PurePosixPath

from flask import Flask, Response, request, send_from_directory

FOLDER = Path(__file__).parent / "static"
SWAGGER_UI = "vendor/swagger-ui/5.35.0"
UPLOT = "vendor/uplot/1.6.32"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"
CHECKED = "public, no-cache"


@lru_cache(32)
def _packed(filename: str, _version: str) -> bytes:
    """Return a file compressed; its version, by its ETag, tells whether that was done already."""
    return gzip.compress((FOLDER / filename).read_bytes(), 9, mtime=0)


def register(app: Flask) -> None:
    """Serve the files under /static/."""

    def static(filename: str) -> Response:
        response = send_from_directory(FOLDER, filename, mimetype=TYPES.get(PurePosixPath(filename).suffix, "text/plain"))
        response.headers["Cache-Control"] = FOREVER if filename.startswith("vendor/") else CHECKED
        response.vary.add("Accept-Encoding")
        response.set_etag(response.get_etag()[0] or "", weak=True)
        if response.status_code == 200 and request.accept_encodings.quality("gzip") > 0:
            response.close()  # the file, which is not sent
            response.direct_passthrough = False
            response.set_data(_packed(filename, response.headers.get("ETag", "")))
            response.headers["Content-Encoding"] = "gzip"
        return response

    app.add_url_rule("/static/<path:filename>", "static", static)
