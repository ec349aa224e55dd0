"""Protection of browsers: cross-site requests, known Hosts, CORS, and security headers.

Any page can make a browser send a request here, and on loopback no token stops it. A page whose own name points to this machine
(DNS rebinding) sends an unknown Host. Sources: Fetch Metadata Request Headers
(W3C) and RFC 6454, checked in the order of Go's CrossOriginProtection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from werkzeug.exceptions import BadRequest, MisdirectedRequest

from settings import Settings

SAME_SITE = ("same-origin", "none")
PORTS = {"http": 80, "https": 443}
SESSION = "hashtag_monitor_session"
"""The name of the session cookie (security/tokens.py)."""
PREFETCH = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")

POLICY = "Content-Security-Policy"
SECURITY = (
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),  # with no-referrer, our own forms would send `Origin: null`
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
STRICT_POLICY = (POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
EXPOSED = "ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id"
CORS_METHODS = ("GET", "HEAD")

ALWAYS_KNOWN = ("localhost", "127.0.0.1", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "::", "[::]")  # noqa: S104 (compared with, not listened on)
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{0,5})?", re.IGNORECASE)

Start = Callable[..., Any]
Headers = list[tuple[str, str]]


def cross_site_refusal(environ: Mapping[str, Any], *, has_token: bool) -> str | None:
    """Why a request must not change anything, or None. `has_token`: it carries a token, which another site's page cannot send.

    Browsers send `Sec-Fetch-Site` to loopback and https addresses. To others they send `Origin`, but not with a GET: there a
    browser's GET is refused, as its origin is unknown.
    """
    if any("prefetch" in environ.get(name, "").lower() or "preview" in environ.get(name, "").lower() for name in PREFETCH):
        return "this is a browser's prefetch: it must not change anything"
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is not None:
        return None if site.strip().lower() in SAME_SITE else _foreign()
    if origin is not None:
        own = _parts(f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}")
        return None if own and _parts(origin) == own else _foreign()
    is_browser = environ.get("HTTP_USER_AGENT", "").startswith("Mozilla/")
    if is_browser and environ["REQUEST_METHOD"] == "GET" and not has_token:
        return "the browser doesn't say which page sent this request: use POST, or a client other than a browser"
    return None


def bearer_token(environ: Mapping[str, Any]) -> str | None:
    """The Bearer token of a request; None without one, also where a proxy's own credentials take its place."""
    scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return given.strip(" ") if scheme.lower() == "bearer" else None


def is_navigation(environ: Mapping[str, Any]) -> bool:
    """Whether a browser opens an address for a person, or prefetches it: it navigates, or sends a session and no token.

    A request from another site's page is not a navigation: it is refused.
    """
    if environ.get("HTTP_SEC_FETCH_SITE", SAME_SITE[0]).strip().lower() not in SAME_SITE:
        return False
    navigates = environ.get("HTTP_SEC_FETCH_MODE") == "navigate" or "HTTP_SEC_PURPOSE" in environ
    return navigates or (SESSION in environ.get("HTTP_COOKIE", "") and bearer_token(environ) is None)


def with_security_headers(start_response: Start, more: Headers) -> Start:
    """Return a start_response that adds the security headers; a page's own policy replaces the strict one."""

    def start(status: str, headers: Headers, *rest: Any) -> Any:
        own_policy = any(name == POLICY for name, _ in headers)
        return start_response(status, [*headers, *SECURITY, *more, *(() if own_policy else (STRICT_POLICY,))], *rest)

    return start


def cors_headers(environ: Mapping[str, Any], origins: tuple[str, ...]) -> Headers:
    """The headers that let pages of listed origins read a response (CORS)."""
    if not origins:
        return []
    origin = environ.get("HTTP_ORIGIN", "").lower()
    allowed = [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", EXPOSED)]
    return [("Vary", "Origin"), *(allowed if origin in origins else [])]


def preflight(environ: Mapping[str, Any], origins: tuple[str, ...]) -> Headers | None:
    """The headers that answer a CORS preflight of a listed origin, or None if the request is none."""
    method = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
    origin = environ.get("HTTP_ORIGIN", "").lower()
    if environ["REQUEST_METHOD"] != "OPTIONS" or method not in CORS_METHODS or origin not in origins:
        return None
    return [
        ("Access-Control-Allow-Methods", ", ".join(CORS_METHODS)),
        ("Access-Control-Allow-Headers", "Authorization, If-None-Match, X-Request-Id, traceparent"),
        ("Access-Control-Max-Age", "600"),
        ("Content-Length", "0"),
    ]


def _foreign() -> str:
    return "this request comes from a page of another site: only the service's own pages may change anything"


def _parts(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin, or None if it is invalid."""
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


class KnownHosts:
    """The Host names by which the service answers: localhost, HOST and ALLOWED_HOSTS."""

    def __init__(self, settings: Settings) -> None:
        own = settings.host.casefold()
        listening = () if own in EVERY_ADDRESS else (f"[{own.strip('[]')}]" if ":" in own else own,)
        self._names = frozenset((*ALWAYS_KNOWN, *listening, *(settings.allowed_hosts or ())))

    def check(self, environ: Mapping[str, Any]) -> None:
        """Raise MisdirectedRequest for an unknown Host, BadRequest for HTTP/1.1 without one.

        HTTP/1.0 without Host is accepted: no browser speaks it.
        """
        host = environ.get("HTTP_HOST")
        if not host:
            if environ.get("SERVER_PROTOCOL") in ("HTTP/1", "HTTP/1.0"):
                return
            raise BadRequest("the header Host is missing")
        match = HOST.fullmatch(host)
        if not match or match[1].lower() not in self._names:
            raise MisdirectedRequest("this Host is not known here: ALLOWED_HOSTS lists the names beside localhost")


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@lru_cache(1024)
def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
