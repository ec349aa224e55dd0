"""A bare Flask app, the limit of what a service can reach: its routes return fixed bytes.

BARE_ANSWERS names a JSON file of paths and bodies, which are what the service answered. /unchanged is an empty 304, and
/empty an empty 200.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response


def create_app() -> Flask:
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/empty", view_func=lambda: Response(b""), endpoint="empty")
    app.add_url_rule("/unchanged", view_func=lambda: Response(status=304), endpoint="unchanged")
    for path, body in json.loads(Path(os.environ["BARE_ANSWERS"]).read_text()).items():
        app.add_url_rule(path, view_func=_fixed(body.encode()), endpoint=path)
    return app


def _fixed(body: bytes) -> Callable[[], Response]:
    return lambda: Response(body, mimetype="application/json")
