"""Which routes are pages: what is opened in a browser, and sent to the sign-in instead of a 401."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, request
from werkzeug.exceptions import HTTPException

PAGES = "pages"
NO_PAGE = "no_page"
"""The endpoint of what no page is at, which says so to people."""


def page(app: Flask, rule: str, view: Any, **more: Any) -> None:
    """Give the app a page."""
    app.extensions.setdefault(PAGES, set()).add(view.__name__)
    app.add_url_rule(rule, view.__name__, view, **more)


def is_page(app: Flask) -> bool:
    """Tell whether the request that is being served opens a page."""
    return request.method in ("GET", "HEAD") and request.endpoint in app.extensions.get(PAGES, ())


def is_page_at(app: Flask, path: str) -> bool:
    """Tell whether a page is opened at a path, which may have a query.

    A browser goes up at `..` before it asks (https://url.spec.whatwg.org/#path-state), so a path with such a segment is none,
    however it is written.
    """
    try:
        named = unquote(urlsplit(path).path)
        endpoint, _ = app.url_map.bind("localhost").match(named, method="GET")
    except (HTTPException, ValueError):
        return False
    odd = "\\" in named or "//" in named or "%" in named or not {".", ".."}.isdisjoint(named.split("/"))
    return not odd and endpoint in app.extensions.get(PAGES, ()) and endpoint != NO_PAGE
