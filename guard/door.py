"""The guard before the app: a request that isn't let in reaches no view, and every answer carries the security headers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from guard.failures import Failures
from guard.headers import Start, preflight, secured, shared
from guard.hosts import Hosts
from guard.listening import is_loopback
from guard.pages import is_page
from guard.scopes import SCOPE, SIGN_IN, Scope, is_open
from guard.sessions import Sessions
from guard.tokens import Tokens
from settings import Settings

REALM = "hashtag monitor"
CHALLENGE = WWWAuthenticate("bearer", {"realm": REALM}).to_header()
WANTED = "send the header `Authorization: Bearer TOKEN` with a token that API_TOKEN or API_READ_TOKEN holds"


class Door:
    """A WSGI layer around an app: who is let in, and what they may do there (guard/scopes.py)."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._inner = app, app.wsgi_app
        self._hosts, self._open, self._origins = Hosts(settings), settings.allow_open, settings.cors_origins or ()
        self.tokens, self.failures = Tokens(settings), Failures()
        self.sessions = Sessions(self.tokens)

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer a request, or let the app answer it."""
        start = secured(start_response, shared(environ, self._origins))
        try:
            self._hosts.check(environ)
            allowed = preflight(environ, self._origins)
            if allowed:
                return self._answered(lambda: Response(status=204, headers=allowed), environ, start)
            environ[SCOPE] = self._scope(environ)
        except HTTPException as refusal:
            return self._answered(partial(self._refused, refusal), environ, start)
        return self._inner(environ, start)

    def _scope(self, environ: dict[str, Any]) -> Scope:
        """Return what the request may do; raises Forbidden or Unauthorized where it may not even ask."""
        if not self.tokens.required:
            client = environ.get("REMOTE_ADDR")
            if client and not self._open and not is_loopback(client):
                raise Forbidden("without API_TOKEN the service answers its own machine only: set API_TOKEN")
            return Scope.WRITE
        if is_open(environ["PATH_INFO"]):
            return Scope.NOTHING
        return self._known(environ)

    def _known(self, environ: dict[str, Any]) -> Scope:
        authorization = environ.get("HTTP_AUTHORIZATION")
        if authorization is None:
            scope = self.sessions.scope(environ.get("HTTP_COOKIE", ""))
            return scope or _unauthorized(f"a token is needed: {WANTED}")
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return _unauthorized(f"a token is needed: {WANTED}")
        scope = self.tokens.scope(given.strip(" "))
        if not scope:
            self.failures.slow_down(environ)
            return _unauthorized(f"the token is wrong: {WANTED}", error="invalid_token")
        return scope

    def _refused(self, refusal: HTTPException) -> Any:
        asks = isinstance(refusal, Unauthorized) and "Authorization" not in request.headers and is_page(self._app)
        return _to_sign_in() if asks else self._app.handle_user_exception(refusal)

    def _answered(self, answer: Callable[[], Any], environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer as the app answers, with its log event and its figures, and without any view."""
        with self._app.request_context({**environ, "HTTP_HOST": "localhost"}):
            return self._app.finalize_request(answer())(environ, start)


def guard(app: Flask, settings: Settings) -> Door:
    """Put the door before an app. Behind trusted proxies, the client's address, its scheme and the Host are what they say."""
    door = app.extensions["door"] = Door(app, settings)
    app.wsgi_app = door  # type: ignore[method-assign]
    count = settings.trusted_proxies
    if count:
        app.wsgi_app = ProxyFix(door, x_for=count, x_proto=count, x_host=count, x_port=count)  # type: ignore[method-assign]
    return door


def _unauthorized(detail: str, **fault: str | None) -> Scope:
    """Raise a 401 with its challenge (RFC 6750, section 3)."""
    raise Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer", {"realm": REALM, **fault}))


def _to_sign_in() -> Response:
    """Send who opens a page to the sign-in, and from there back."""
    wanted = request.full_path.rstrip("?")
    return Response(status=303, headers={"Location": f"{SIGN_IN}?next={quote(wanted, safe='/')}", "Cache-Control": "no-store"})
