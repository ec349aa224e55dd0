"""Who may call what: the check of each request before the app, scopes of routes, and which routes are pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Set
from functools import partial
from typing import Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

from flask import Flask, Response, redirect, request
from werkzeug import Response as BaseResponse
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from alchemy import DatabaseRevision, DatabaseUnavailable
from schemas.feeds import KEY, feed_path, query_pairs
from security.browsers import (
    SESSION,
    Headers,
    KnownHosts,
    Start,
    bearer_token,
    cors_headers,
    cross_site_refusal,
    is_address,
    is_loopback,
    is_navigation,
    preflight,
    with_security_headers,
)
from security.tokens import FailedAttempts, ForgedSession, OnToken, Scope, Sessions, Tokens
from settings import Settings
from telemetry.requests import note_route

log = logging.getLogger(__name__)

REALM = "hashtag monitor"
BEARER_CHALLENGE = WWWAuthenticate("bearer", {"realm": REALM}).to_header()
REMEDY = "send the header `Authorization: Bearer TOKEN` with a token that API_TOKEN or API_READ_TOKEN holds"
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPEN_PATHS = frozenset({"/livez", "/readyz", SIGN_IN, SIGN_OUT})
STATIC = "/static/"
SCOPE = "guard.scope"  # in the WSGI environment: the Scope of the request
SCRAPED, PRICE = "/metrics", "/view/collections/new"
WRONG_KEY = "the key is wrong, or its feed was deleted: POST /feeds makes another"
OTHER_FEED = "this key reads one feed, by GET and with exactly its parameters: use the address that POST /feeds gave"
PAGES = "pages"
FINISH_PAGE = "finish_page"
"""The function that each answer of a page passes through: it renders problems for browsers."""
NO_PAGE = "no_page"
"""The endpoint of the page for paths that don't exist."""
REFUSED = {
    Scope.NOTHING: "a token is required here",
    Scope.SCRAPE: f"this token may only scrape {SCRAPED}: send one that API_TOKEN or API_READ_TOKEN holds",
    Scope.READ: "this token may only read: send one that API_TOKEN holds",
}

PathOfKey = Callable[[str], str | None]


def is_open(path: str) -> bool:
    """Whether a path needs no token: health, the sign-in, and static files."""
    return path in OPEN_PATHS or path.startswith(STATIC)


def enforce_scopes(app: Flask) -> None:
    """Refuse, before each view, requests that exceed their scope, and cross-site requests that change state.

    A resource whose GET changes state lists it in its attribute `changes`. A person who opens it is redirected to the page that
    shows the price: a link or a session alone must not buy anything.
    """

    def check() -> BaseResponse | None:
        view = app.view_functions.get(request.endpoint or "")
        if view is None:
            return None
        changes = request.method in changing_methods(view)
        scope: Scope = request.environ[SCOPE]  # set by the Guard; without it, every request fails
        if not is_open(request.path) and scope < _required_scope(request.path, changes=changes):
            raise Forbidden(REFUSED[scope])
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


def page(app: Flask, rule: str, view: Any, **more: Any) -> None:
    """Add a page to the app."""
    app.extensions.setdefault(PAGES, set()).add(view.__name__)
    app.add_url_rule(rule, view.__name__, view, **more)


def finish_page(app: Flask, response: Response) -> Response:
    """Return the answer of a page after FINISH_PAGE, any other as it is."""
    if request.endpoint not in app.extensions.get(PAGES, ()):
        return response
    finished: Response = app.extensions[FINISH_PAGE](response)
    return finished


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


class Guard:
    """Checks Host, token and session, and leaves the request's scope in its WSGI environment (`SCOPE`)."""

    def __init__(self, app: Flask, settings: Settings, on_token: OnToken, path_of_key: PathOfKey) -> None:
        self._app, self._inner, self._path_of_key = app, app.wsgi_app, path_of_key
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
        except (HTTPException, DatabaseUnavailable, DatabaseRevision) as refusal:
            return self._respond(partial(self._refusal_response, refusal), environ, start)
        return self._inner(environ, start)

    def _scope(self, environ: dict[str, Any]) -> Scope:
        """The scope of a request. Raises Unauthorized, or Forbidden for another machine if there is no token."""
        are_required = self.tokens.are_required
        if not are_required and not self._is_open:
            self._check_address(environ)
        if not is_open(environ["PATH_INFO"]) and (keys := _keys(environ)):
            return self._feed_scope(environ, keys)
        if not are_required:
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

    def _feed_scope(self, environ: dict[str, Any], keys: list[str]) -> Scope:
        """The scope of a request with the key of a feed: it may read that feed, and nothing else."""
        path = self._path_of_key(keys[0]) if len(keys) == 1 else None
        if path is None:
            return self._fail(environ, WRONG_KEY)
        asked = feed_path(environ["PATH_INFO"], _pairs(environ))
        if asked != path or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise Forbidden(OTHER_FEED)
        return Scope.READ

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

    def _refusal_response(self, refusal: Exception) -> Any:
        is_anonymous = isinstance(refusal, Unauthorized) and "Authorization" not in request.headers and KEY not in request.args
        return _redirect_to_sign_in() if is_anonymous and is_page(self._app) else self._app.handle_user_exception(refusal)

    def _respond(self, make_response: Callable[[], Any], environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Respond through the app, so that its log event and metrics follow, but without any view."""
        with self._app.request_context({**environ, "HTTP_HOST": "localhost"}):
            note_route(environ, request.url_rule)
            return self._app.finalize_request(make_response())(environ, start)


def install_guard(app: Flask, settings: Settings, on_token: OnToken, path_of_key: PathOfKey) -> Guard:
    """Return a guard around an app, also registered in its extensions.

    `path_of_key` returns the path of the feed that a key reads, None for a wrong one; it may raise DatabaseUnavailable.
    """
    guard: Guard = app.extensions.setdefault("guard", Guard(app, settings, on_token, path_of_key))
    return guard


def behind_proxies(app: Callable[..., Iterable[bytes]], settings: Settings) -> Callable[..., Iterable[bytes]]:
    """Return the app behind trusted proxies: client address, scheme and Host are those that the proxies report."""
    count = settings.trusted_proxies
    return ProxyFix(app, x_for=count, x_proto=count, x_host=count, x_port=count) if count else app


def _keys(environ: dict[str, Any]) -> list[str]:
    """The keys of feeds that a request has, of which one is right at most."""
    return [value for name, value in _pairs(environ) if name == KEY]


def _pairs(environ: dict[str, Any]) -> list[tuple[str, str]]:
    return query_pairs(environ.get("QUERY_STRING", "").encode("latin-1", "replace").decode("utf-8", "replace"))


def _raise_unauthorized(detail: str, **fault: str | None) -> NoReturn:
    """Raise a 401 with its challenge (RFC 6750, section 3)."""
    raise Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer", {"realm": REALM, **fault}))


def _redirect_to_sign_in() -> Response:
    """Redirect to the sign-in page, which leads back. Deletes an expired session, or one of a removed token."""
    path = quote(request.full_path.rstrip("?"), safe="/")
    response = Response(status=303, headers={"Location": f"{SIGN_IN}?next={path}", "Cache-Control": "no-store"})
    if SESSION in request.cookies:
        response.delete_cookie(SESSION, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def _empty_response(headers: Headers) -> Response:
    response = Response(status=204, headers=headers)
    del response.headers["Content-Type"]
    return response
