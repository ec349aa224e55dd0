"""Tokens: every request but those on the open paths carries the API token, if there is one."""

from __future__ import annotations

import hmac
from typing import NamedTuple

OPEN_PATHS = frozenset({"/livez", "/readyz"})
WANTED = "send the header `Authorization: Bearer TOKEN` with the token that API_TOKEN holds"


class Refusal(NamedTuple):
    """Why a request is refused, and what WWW-Authenticate says beside the realm (RFC 6750, section 3)."""

    detail: str
    challenge: dict[str, str | None]


def refusal(path: str, authorization: str, token: str | None) -> Refusal | None:
    """Return why this request is refused, or None; tokens are compared in constant time."""
    if token is None or path in OPEN_PATHS:
        return None
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return Refusal(f"a token is needed: {WANTED}", {})
    if not hmac.compare_digest(given.strip(" ").encode(), token.encode()):
        return Refusal(f"the token is wrong: {WANTED}", {"error": "invalid_token"})
    return None
