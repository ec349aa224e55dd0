"""The WSGI middleware that checks each request before the app, and adds security headers to every response."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from security.browsers import Headers, Start, bearer_token, cors_headers, preflight, with_security_headers
from security.failures import FailedAttempts
from security.listening import KnownHosts, is_address, is_loopback
from security.pages import is_page
from security.scopes import SCOPE, SIGN_IN, Scope, is_open
from security.sessions import COOKIE, ForgedSession, Sessions
from security.tokens import OnToken, Tokens
from settings import Settings
from telemetry.requests import note_route

log = logging.getLogger(__name__)

REALM = "hashtag monitor"
BEARER_CHALLENGE = WWWAuthenticate("bearer", {"realm": REALM}).to_header()
REMEDY = "send the header `Authorization: Bearer TOKEN` with a token that API_TOKEN or API_READ_TOKEN holds"


class Guard:
    """Checks Host, token and session, and leaves the request's scope in its environment for security/scopes.py."""

    def __init__(self, app: Flask, settings: Settings, on_token: OnToken) -> None:
        self._app, self._inner = app, app.wsgi_app
        self._hosts, self._is_open, self._origins = KnownHosts(settings), settings.allow_open, settings.cors_origins or ()
        self._is_proxied, self._has_warned = settings.trusted_proxies > 0, False
        self.tokens, self.failures = Tokens(settings, on_token), FailedAttempts()
        self.sessions = Sessions(self.tokens)

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Refuse a request, answer a CORS preflight, or pass the request to the app."""
        start = with_security_headers(start_response, cors_headers(environ, self._origins))
        if self._is_proxied and not is_address(environ.get("REMOTE_ADDR") or ""):
            environ.pop("REMOTE_ADDR", None)  # proxies may forward something else
        try:
            self._hosts.check(environ)
            allowed = preflight(environ, self._origins)
            if allowed:
                return self._respond(partial(_empty_response, allowed), environ, start)
            environ[SCOPE] = self._scope(environ)
        except HTTPException as refusal:
            return self._respond(partial(self._refusal_response, refusal), environ, start)
        return self._inner(environ, start)

    def _scope(self, environ: dict[str, Any]) -> Scope:
        """The scope of a request. Raises Unauthorized, or Forbidden for another machine if there is no token."""
        if not self.tokens.are_required:
            if not self._is_open:
                self._check_address(environ)
            return Scope.WRITE
        if is_open(environ["PATH_INFO"]):
            return Scope.NOTHING
        token = bearer_token(environ)
        if token is not None:
            return self.tokens.scope_of(token) or self._fail(environ, f"the token is wrong: {REMEDY}")
        try:
            scope = self.sessions.scope_of(environ.get("HTTP_COOKIE", ""))
        except ForgedSession:
            return self._fail(environ, "the session is not from this service, or its token was removed: sign in again")
        return scope or _raise_unauthorized(f"a token is needed: {REMEDY}")

    def _check_address(self, environ: dict[str, Any]) -> None:
        """Raise Forbidden for clients on other machines, and for those without an address, as behind a Unix socket."""
        if not is_loopback(environ.get("REMOTE_ADDR") or "unknown"):
            raise Forbidden("without API_TOKEN the service answers only its own machine: set API_TOKEN")
        if "HTTP_X_FORWARDED_FOR" in environ and not self._has_warned:
            self._has_warned = True
            log.warning("a proxy forwards requests, and the service requires no token: set API_TOKEN and TRUSTED_PROXIES")

    def _fail(self, environ: dict[str, Any], detail: str) -> NoReturn:
        self.failures.slow_down(environ)
        _raise_unauthorized(detail, error="invalid_token")

    def _refusal_response(self, refusal: HTTPException) -> Any:
        is_anonymous = isinstance(refusal, Unauthorized) and "Authorization" not in request.headers
        return _redirect_to_sign_in() if is_anonymous and is_page(self._app) else self._app.handle_user_exception(refusal)

    def _respond(self, make_response: Callable[[], Any], environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Respond through the app, so that its log event and metrics follow, but without any view."""
        with self._app.request_context({**environ, "HTTP_HOST": "localhost"}):
            note_route(environ, request.url_rule)
            return self._app.finalize_request(make_response())(environ, start)


def install_guard(app: Flask, settings: Settings, on_token: OnToken) -> Guard:
    """Return a guard around an app, also registered in its extensions."""
    guard: Guard = app.extensions.setdefault("guard", Guard(app, settings, on_token))
    return guard


def behind_proxies(app: Callable[..., Iterable[bytes]], settings: Settings) -> Callable[..., Iterable[bytes]]:
    """Return the app behind trusted proxies: client address, scheme and Host are those that the proxies report."""
    count = settings.trusted_proxies
    return ProxyFix(app, x_for=count, x_proto=count, x_host=count, x_port=count) if count else app


def _raise_unauthorized(detail: str, **fault: str | None) -> NoReturn:
    """Raise a 401 with its challenge (RFC 6750, section 3)."""
    raise Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer", {"realm": REALM, **fault}))


def _redirect_to_sign_in() -> Response:
    """Redirect to the sign-in page, which leads back. Deletes an expired session, or one of a removed token."""
    path = quote(request.full_path.rstrip("?"), safe="/")
    response = Response(status=303, headers={"Location": f"{SIGN_IN}?next={path}", "Cache-Control": "no-store"})
    if COOKIE in request.cookies:
        response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def _empty_response(headers: Headers) -> Response:
    response = Response(status=204, headers=headers)
    del response.headers["Content-Type"]
    return response
