"""Which routes are pages, that is, opened in a browser and redirected to the sign-in instead of answered by 401."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, request
from werkzeug.exceptions import HTTPException

PAGES = "pages"
NO_PAGE = "no_page"
"""The endpoint of the page for paths that don't exist."""


def page(app: Flask, rule: str, view: Any, **more: Any) -> None:
    """Add a page to the app."""
    app.extensions.setdefault(PAGES, set()).add(view.__name__)
    app.add_url_rule(rule, view.__name__, view, **more)


def is_page(app: Flask) -> bool:
    """Whether the current request opens a page."""
    return request.method in ("GET", "HEAD") and request.endpoint in app.extensions.get(PAGES, ())


def is_page_at(app: Flask, path: str) -> bool:
    """Whether a path, which may have a query, is that of a page.

    Browsers resolve `..` before they send a request (https://url.spec.whatwg.org/#path-state), so a path with such a segment is
    refused, however it is encoded.
    """
    try:
        path_text = unquote(urlsplit(path).path)
        endpoint, _ = app.url_map.bind("localhost").match(path_text, method="GET")
    except (HTTPException, ValueError):
        return False
    odd = "\\" in path_text or "//" in path_text or "%" in path_text or not {".", ".."}.isdisjoint(path_text.split("/"))
    return not odd and endpoint in app.extensions.get(PAGES, ()) and endpoint != NO_PAGE
