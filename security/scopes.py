"""What each request needs a token for, and what a token is good for."""

from __future__ import annotations

from collections.abc import Set
from enum import IntEnum
from typing import Any

from flask import Flask, redirect, request
from werkzeug import Response
from werkzeug.exceptions import Forbidden

from security.browsers import bearer_token, by_hand, objection

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPEN_PATHS = frozenset({"/livez", "/readyz", SIGN_IN, SIGN_OUT})
STATIC = "/static/"
SCOPE = "guard.scope"  # in the WSGI environment: what the request may do


class Scope(IntEnum):
    """What somebody may do. Each scope takes in those before it."""

    NOTHING = 0
    SCRAPE = 1
    READ = 2
    WRITE = 3


SCRAPED, PRICE = "/metrics", "/view/collections/new"


def is_open(path: str) -> bool:
    """Tell whether a path needs no token: health, the sign-in, and the files of pages."""
    return path in OPEN_PATHS or path.startswith(STATIC)


def enforce_scopes(app: Flask) -> None:
    """Refuse, before each view, what the request's scope doesn't allow, and what another site's page makes a browser ask for.

    A resource whose GET changes state says so: `changes` are its methods that do. A person who opens it is led to the page that
    says what it costs, for a link or a session must buy nothing.
    """

    def check() -> Response | None:
        view = app.view_functions.get(request.endpoint or "")
        if view is None:
            return None
        changes = request.method in changing(view)
        scope: Scope = request.environ[SCOPE]  # without the door there is none, and nobody is let in
        if not is_open(request.path) and scope < _required_scope(request.path, changes=changes):
            raise Forbidden(_REFUSED[scope])
        if changes and request.method == "GET" and by_hand(request.environ):
            return redirect(PRICE, 303)
        if changes:
            refused = objection(request.environ, tokened=bearer_token(request.environ) is not None and scope == Scope.WRITE)
            if refused:
                raise Forbidden(refused)
        return None

    app.before_request(check)


def changing(view: Any) -> Set[str]:
    """Return the methods with which a view changes state."""
    found: Set[str] = getattr(getattr(view, "view_class", view), "changes", CHANGING)
    return found


def _required_scope(path: str, *, changes: bool) -> Scope:
    return Scope.WRITE if changes else Scope.SCRAPE if path == SCRAPED else Scope.READ


_REFUSED = {
    Scope.NOTHING: "a token is needed here",
    Scope.SCRAPE: f"this token may only scrape {SCRAPED}: send one that API_TOKEN or API_READ_TOKEN holds",
    Scope.READ: "this token may only read: send one that API_TOKEN holds",
}
