"""Files that pages load: our own, and vendored ones, whose paths carry their version and which never change."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from flask import Flask, Response, send_from_directory

FOLDER = Path(__file__).parent / "static"
SWAGGER_UI = "vendor/swagger-ui/5.35.0"
TYPES = {".css": "text/css", ".js": "text/javascript"}
FOREVER = "public, max-age=31536000, immutable"
CHECKED = "public, no-cache"


def register(app: Flask) -> None:
    """Serve the files under /static/."""

    def static(filename: str) -> Response:
        response = send_from_directory(FOLDER, filename, mimetype=TYPES.get(PurePosixPath(filename).suffix, "text/plain"))
        response.headers["Cache-Control"] = FOREVER if filename.startswith("vendor/") else CHECKED
        return response

    app.add_url_rule("/static/<path:filename>", "static", static)
