"""/sign-in starts a session for a token, so that people can open the pages. /sign-out ends it in this browser."""

from __future__ import annotations

import re

from flask import Flask, Response, make_response, render_template, request

from security.browsers import SESSION
from security.guard import BEARER_CHALLENGE, SIGN_IN, SIGN_OUT, is_page_at
from security.tokens import SESSION_S, Scope
from web.responses import HEADERS, redirect_to_page
from web.site import Site

HOME = "/"
OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")
WRONG = "This token is wrong. Use the token in API_TOKEN or API_READ_TOKEN."


def register(app: Flask, site: Site) -> None:
    """Add both."""
    guard = site.guard

    def sign_in() -> Response:
        wanted = _next_page(app, request.args.get("next", ""))
        return _sign_in_page(site, wanted) if guard.tokens.are_required else redirect_to_page(wanted)

    def signed_in() -> Response:
        wanted, token = _next_page(app, request.form.get("next", "")), request.form.get("token", "").strip()
        if not guard.tokens.are_required:
            return redirect_to_page(wanted)
        if guard.tokens.scope_of(token) < Scope.READ:
            guard.failures.slow_down(request.environ)
            return _sign_in_page(site, wanted, error=WRONG)
        response = redirect_to_page(wanted)
        response.set_cookie(
            SESSION, guard.sessions.start(token), SESSION_S, secure=request.is_secure, httponly=True, samesite="Strict"
        )
        return response

    def sign_out() -> Response:
        response = redirect_to_page(SIGN_IN)
        response.delete_cookie(SESSION, secure=request.is_secure, httponly=True, samesite="Strict")
        return response

    app.add_url_rule(SIGN_IN, "sign_in", sign_in)
    app.add_url_rule(SIGN_IN, "signed_in", signed_in, methods=["POST"])
    app.add_url_rule(SIGN_OUT, "sign_out", sign_out, methods=["POST"])


def _sign_in_page(site: Site, wanted: str, *, error: str | None = None) -> Response:
    values = {"wanted": wanted, "error": error, "hours": SESSION_S // 3600, "invented": site.is_invented()}
    body = render_template("sign-in.html", **values)
    response = make_response(body, 401 if error else 200, HEADERS | {"Cache-Control": "no-store"})
    if error:
        response.headers["WWW-Authenticate"] = BEARER_CHALLENGE
    return response


def _next_page(app: Flask, path: str) -> str:
    """Return the page to open next: one of this service, or the overview. Other URLs could cost money when opened."""
    return path if OWN_PATH.fullmatch(path) and is_page_at(app, path) else HOME
