"""/sign-in starts a session for a token, so that people can open the pages. /sign-out ends it in this browser."""

from __future__ import annotations

import re

from flask import Response, current_app, make_response, render_template, request

from security.browsers import SESSION
from security.guard import BEARER_CHALLENGE, SIGN_IN, SIGN_OUT, is_page_at
from security.tokens import SESSION_S, Scope
from web.site import HEADERS, Route, Site, redirect_to_page

OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")
WRONG = "This token is wrong. Use the token in API_TOKEN or API_READ_TOKEN."


def sign_in(site: Site) -> Response:
    """Show the form; without tokens nobody needs it."""
    wanted = _next_page(request.args.get("next", ""))
    return _form(site, wanted) if site.guard.tokens.are_required else redirect_to_page(wanted)


def start_session(site: Site) -> Response:
    """Set the cookie of a new session, and redirect to the page that was wanted."""
    guard, wanted = site.guard, _next_page(request.form.get("next", ""))
    if not guard.tokens.are_required:
        return redirect_to_page(wanted)
    token = request.form.get("token", "").strip()
    if guard.tokens.scope_of(token) < Scope.READ:
        guard.failures.slow_down(request.environ)
        return _form(site, wanted, error=WRONG)
    response = redirect_to_page(wanted)
    session = guard.sessions.start(token)
    response.set_cookie(SESSION, session, SESSION_S, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def sign_out(_site: Site) -> Response:
    """Delete the session's cookie."""
    response = redirect_to_page(SIGN_IN)
    response.delete_cookie(SESSION, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def _form(site: Site, wanted: str, *, error: str | None = None) -> Response:
    values = {"wanted": wanted, "error": error, "hours": SESSION_S // 3600, "invented": site.is_invented()}
    body = render_template("sign-in.html", **values)
    response = make_response(body, 401 if error else 200, HEADERS | {"Cache-Control": "no-store"})
    if error:
        response.headers["WWW-Authenticate"] = BEARER_CHALLENGE
    return response


def _next_page(path: str) -> str:
    """Return the page to open next: one of this service, or the overview. Other URLs could cost money when opened."""
    return path if OWN_PATH.fullmatch(path) and is_page_at(current_app, path) else "/"


ROUTES: tuple[Route, ...] = ((SIGN_IN, sign_in, "GET"), (SIGN_IN, start_session, "POST"), (SIGN_OUT, sign_out, "POST"))
