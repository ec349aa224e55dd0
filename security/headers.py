"""What every answer tells a browser: run nothing, frame nothing, guess nothing, and let no other site have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

POLICY = "Content-Security-Policy"
SECURITY = (
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),  # with no-referrer a form of our own would send `Origin: null`
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
NOTHING = (POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
READABLE = "ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id"
READS = ("GET", "HEAD")

Start = Callable[..., Any]
Headers = list[tuple[str, str]]


def with_security_headers(start_response: Start, more: Headers) -> Start:
    """Return a start_response that adds the headers to an answer; a page's own policy stays."""

    def start(status: str, headers: Headers, *rest: Any) -> Any:
        own_policy = any(name == POLICY for name, _ in headers)
        return start_response(status, [*headers, *SECURITY, *more, *(() if own_policy else (NOTHING,))], *rest)

    return start


def cors_headers(environ: Mapping[str, Any], origins: tuple[str, ...]) -> Headers:
    """Return what lets a page of a listed origin read an answer (CORS); nothing for others."""
    if not origins:
        return []
    origin = environ.get("HTTP_ORIGIN", "").lower()
    allowed = [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", READABLE)]
    return [("Vary", "Origin"), *(allowed if origin in origins else [])]


def preflight(environ: Mapping[str, Any], origins: tuple[str, ...]) -> Headers | None:
    """Return the answer to a browser that asks whether a page of a listed origin may read with a token, else None."""
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
    if environ["REQUEST_METHOD"] != "OPTIONS" or asked not in READS or environ.get("HTTP_ORIGIN", "").lower() not in origins:
        return None
    return [
        ("Access-Control-Allow-Methods", ", ".join(READS)),
        ("Access-Control-Allow-Headers", "Authorization, If-None-Match, X-Request-Id, traceparent"),
        ("Access-Control-Max-Age", "600"),
        ("Content-Length", "0"),
    ]
