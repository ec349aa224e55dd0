"""Scopes: what a token allows, and which scope each request needs."""

from __future__ import annotations

from collections.abc import Set
from enum import IntEnum
from typing import Any

from flask import Flask, redirect, request
from werkzeug import Response
from werkzeug.exceptions import Forbidden

from security.browsers import bearer_token, cross_site_refusal, is_navigation

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPEN_PATHS = frozenset({"/livez", "/readyz", SIGN_IN, SIGN_OUT})
STATIC = "/static/"
SCOPE = "guard.scope"  # in the WSGI environment: the Scope of the request


class Scope(IntEnum):
    """What a client may do. Each scope includes those before it."""

    NOTHING = 0
    SCRAPE = 1
    READ = 2
    WRITE = 3


SCRAPED, PRICE = "/metrics", "/view/collections/new"


def is_open(path: str) -> bool:
    """Whether a path needs no token: health, the sign-in, and static files."""
    return path in OPEN_PATHS or path.startswith(STATIC)


def enforce_scopes(app: Flask) -> None:
    """Refuse, before each view, requests that exceed their scope, and cross-site requests that change state.

    A resource whose GET changes state lists it in its attribute `changes`. A person who opens it is redirected to the page that
    shows the price: a link or a session alone must not buy anything.
    """

    def check() -> Response | None:
        view = app.view_functions.get(request.endpoint or "")
        if view is None:
            return None
        changes = request.method in changing_methods(view)
        scope: Scope = request.environ[SCOPE]  # set by the Guard; without it, every request fails
        if not is_open(request.path) and scope < _required_scope(request.path, changes=changes):
            raise Forbidden(_REFUSED[scope])
        if changes and request.method == "GET" and is_navigation(request.environ):
            return redirect(PRICE, 303)
        if changes:
            has_token = bearer_token(request.environ) is not None and scope == Scope.WRITE
            refusal = cross_site_refusal(request.environ, has_token=has_token)
            if refusal:
                raise Forbidden(refusal)
        return None

    app.before_request(check)


def changing_methods(view: Any) -> Set[str]:
    """The methods by which a view changes state."""
    methods: Set[str] = getattr(getattr(view, "view_class", view), "changes", CHANGING)
    return methods


def _required_scope(path: str, *, changes: bool) -> Scope:
    return Scope.WRITE if changes else Scope.SCRAPE if path == SCRAPED else Scope.READ


_REFUSED = {
    Scope.NOTHING: "a token is required here",
    Scope.SCRAPE: f"this token may only scrape {SCRAPED}: send one that API_TOKEN or API_READ_TOKEN holds",
    Scope.READ: "this token may only read: send one that API_TOKEN holds",
}
