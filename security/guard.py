"""The guard before the app: a request that isn't let in reaches no view, and every answer carries the security headers."""

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

from security.failures import FailedAttempts
from security.headers import Headers, Start, cors_headers, preflight, with_security_headers
from security.hosts import Hosts
from security.listening import is_address, is_loopback
from security.pages import is_page
from security.scopes import SCOPE, SIGN_IN, Scope, is_open
from security.sessions import COOKIE, Forged, Sessions
from security.tokens import Learn, Tokens
from settings import Settings
from telemetry.requests import note_route

log = logging.getLogger(__name__)

REALM = "hashtag monitor"
CHALLENGE = WWWAuthenticate("bearer", {"realm": REALM}).to_header()
WANTED = "send the header `Authorization: Bearer TOKEN` with a token that API_TOKEN or API_READ_TOKEN holds"


class Guard:
    """A WSGI layer around an app: who is let in, and what they may do there (security/scopes.py)."""

    def __init__(self, app: Flask, settings: Settings, learn: Learn) -> None:
        self._app, self._inner = app, app.wsgi_app
        self._hosts, self._open, self._origins = Hosts(settings), settings.allow_open, settings.cors_origins or ()
        self._proxied, self._warned = settings.trusted_proxies > 0, False
        self.tokens, self.failures = Tokens(settings, learn), FailedAttempts()
        self.sessions = Sessions(self.tokens)

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer a request, or let the app answer it."""
        start = with_security_headers(start_response, cors_headers(environ, self._origins))
        if self._proxied and not is_address(environ.get("REMOTE_ADDR") or ""):
            environ.pop("REMOTE_ADDR", None)  # what a proxy passes on need not be an address
        try:
            self._hosts.check(environ)
            allowed = preflight(environ, self._origins)
            if allowed:
                return self._answer(partial(_empty, allowed), environ, start)
            environ[SCOPE] = self._scope(environ)
        except HTTPException as refusal:
            return self._answer(partial(self._refuse, refusal), environ, start)
        return self._inner(environ, start)

    def _scope(self, environ: dict[str, Any]) -> Scope:
        """Return what the request may do; raises Forbidden or Unauthorized where it may not even ask."""
        if not self.tokens.are_required:
            if not self._open:
                self._check_address(environ)
            return Scope.WRITE
        if is_open(environ["PATH_INFO"]):
            return Scope.NOTHING
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.tokens.scope(given.strip(" ")) or self._fail(environ, f"the token is wrong: {WANTED}")
        try:
            scope = self.sessions.scope(environ.get("HTTP_COOKIE", ""))
        except Forged:
            return self._fail(environ, "the session is none of this service's, or its token is gone: sign in again")
        return scope or _challenge(f"a token is needed: {WANTED}")

    def _check_address(self, environ: dict[str, Any]) -> None:
        """Raise Forbidden for who isn't on this machine, or can't be told from others, as behind a socket's file."""
        if not is_loopback(environ.get("REMOTE_ADDR") or "unknown"):
            raise Forbidden("without API_TOKEN the service answers its own machine only: set API_TOKEN")
        if "HTTP_X_FORWARDED_FOR" in environ and not self._warned:
            self._warned = True
            log.warning("a proxy forwards requests, and nothing guards the service: set API_TOKEN and TRUSTED_PROXIES")

    def _fail(self, environ: dict[str, Any], detail: str) -> NoReturn:
        self.failures.slow_down(environ)
        _challenge(detail, error="invalid_token")

    def _refuse(self, refusal: HTTPException) -> Any:
        asks = isinstance(refusal, Unauthorized) and "Authorization" not in request.headers and is_page(self._app)
        return _to_sign_in() if asks else self._app.handle_user_exception(refusal)

    def _answer(self, answer: Callable[[], Any], environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer as the app answers, with its log event and its figures, and without any view."""
        with self._app.request_context({**environ, "HTTP_HOST": "localhost"}):
            note_route(environ, request.url_rule)
            return self._app.finalize_request(answer())(environ, start)


def install_guard(app: Flask, settings: Settings, learn: Learn) -> Guard:
    """Return a door before an app, which is let know of it."""
    door: Guard = app.extensions.setdefault("door", Guard(app, settings, learn))
    return door


def behind_proxies(app: Callable[..., Iterable[bytes]], settings: Settings) -> Callable[..., Iterable[bytes]]:
    """Return an app to which, behind trusted proxies, the client's address, its scheme and the Host are what they say."""
    count = settings.trusted_proxies
    return ProxyFix(app, x_for=count, x_proto=count, x_host=count, x_port=count) if count else app


def _challenge(detail: str, **fault: str | None) -> NoReturn:
    """Raise a 401 with its challenge (RFC 6750, section 3)."""
    raise Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer", {"realm": REALM, **fault}))


def _to_sign_in() -> Response:
    """Send who opens a page to the sign-in, and from there back. A session that is over or of another token is taken away."""
    wanted = quote(request.full_path.rstrip("?"), safe="/")
    response = Response(status=303, headers={"Location": f"{SIGN_IN}?next={wanted}", "Cache-Control": "no-store"})
    if COOKIE in request.cookies:
        response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def _empty(headers: Headers) -> Response:
    response = Response(status=204, headers=headers)
    del response.headers["Content-Type"]
    return response
