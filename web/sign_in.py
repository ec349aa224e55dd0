"""/sign-in: a token for a session, so that people can open the pages. /sign-out ends it in this browser."""

from __future__ import annotations

import re

from flask import Flask, Response, make_response, render_template, request

from security.door import CHALLENGE
from security.pages import is_page_at
from security.scopes import SIGN_IN, SIGN_OUT, Scope
from security.sessions import COOKIE, LONGEST_S
from web.policy import PAGE
from web.site import Site, seen

HOME = "/"
OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")
WRONG = "This token is wrong. Take one that API_TOKEN or API_READ_TOKEN holds."


def register(app: Flask, site: Site) -> None:
    """Give the app the sign-in and the sign-out."""
    door = site.door

    def sign_in() -> Response:
        wanted = _wanted(app, request.args.get("next", ""))
        return _form(site, wanted) if door.tokens.required else seen(wanted)

    def signed_in() -> Response:
        wanted, token = _wanted(app, request.form.get("next", "")), request.form.get("token", "").strip()
        if not door.tokens.required:
            return seen(wanted)
        if door.tokens.scope(token) < Scope.READ:
            door.failures.slow_down(request.environ)
            return _form(site, wanted, fault=WRONG)
        response = seen(wanted)
        response.set_cookie(
            COOKIE, door.sessions.begun(token), LONGEST_S, secure=request.is_secure, httponly=True, samesite="Strict"
        )
        return response

    def sign_out() -> Response:
        response = seen(SIGN_IN)
        response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Strict")
        return response

    app.add_url_rule(SIGN_IN, "sign_in", sign_in)
    app.add_url_rule(SIGN_IN, "signed_in", signed_in, methods=["POST"])
    app.add_url_rule(SIGN_OUT, "sign_out", sign_out, methods=["POST"])


def _form(site: Site, wanted: str, *, fault: str | None = None) -> Response:
    values = {"wanted": wanted, "fault": fault, "hours": LONGEST_S // 3600, "invented": site.invented()}
    body = render_template("sign-in.html", **values)
    response = make_response(body, 401 if fault else 200, PAGE | {"Cache-Control": "no-store"})
    if fault:
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def _wanted(app: Flask, path: str) -> str:
    """Return where to go on: a page of this service, and nothing else, for what is opened then can cost money."""
    return path if OWN_PATH.fullmatch(path) and is_page_at(app, path) else HOME
