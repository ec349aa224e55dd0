"""Where a browser's request comes from. Any page can make a browser send one here, and on loopback no token stops it.

Sources: Fetch Metadata Request Headers (W3C) and RFC 6454, in the order of Go's CrossOriginProtection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

OWN = ("same-origin", "none")
PORTS = {"http": 80, "https": 443}
SESSION = "hashtag_monitor_session"  # the cookie of security/sessions.py
AHEAD = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


def objection(environ: Mapping[str, Any], *, tokened: bool) -> str | None:
    """Return why a request must change nothing, or None. `tokened`: it carries a token, which no other site's page can send.

    A browser says `Sec-Fetch-Site` where the address is loopback or https. Elsewhere it sends `Origin`, but not with a GET:
    there a browser's GET is refused, for nobody can tell who sent it.
    """
    if any("prefetch" in environ.get(name, "").lower() or "preview" in environ.get(name, "").lower() for name in AHEAD):
        return "a browser has asked ahead of its user: nothing is changed for that"
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is not None:
        return None if site.strip().lower() in OWN else _foreign()
    if origin is not None:
        own = _parts(f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}")
        return None if own and _parts(origin) == own else _foreign()
    browser = environ.get("HTTP_USER_AGENT", "").startswith("Mozilla/")
    if browser and environ["REQUEST_METHOD"] == "GET" and not tokened:
        return "the browser doesn't say which page this comes from: use POST, or a client that is no browser"
    return None


def bearer_token(environ: Mapping[str, Any]) -> str | None:
    """Return the Bearer token of a request; None without one, also where a proxy's own credentials stand in its place."""
    scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return given.strip(" ") if scheme.lower() == "bearer" else None


def by_hand(environ: Mapping[str, Any]) -> bool:
    """Tell whether a person opens an address, or a browser ahead of one: it navigates, or has a session and no Bearer token.

    What another site's page asks for is not taken for that: it is refused.
    """
    if environ.get("HTTP_SEC_FETCH_SITE", OWN[0]).strip().lower() not in OWN:
        return False
    navigates = environ.get("HTTP_SEC_FETCH_MODE") == "navigate" or "HTTP_SEC_PURPOSE" in environ
    return navigates or (SESSION in environ.get("HTTP_COOKIE", "") and bearer_token(environ) is None)


def _foreign() -> str:
    return "a page of another site has asked for this: only the service's own pages may change anything"


def _parts(origin: str) -> tuple[str, str, int] | None:
    """Return an origin's scheme, host and port, or None for what is none."""
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
