"""The session of somebody who signed in on the page: a cookie that the token signs, so that every process can check it.

It is good for what its token is good for, for LONGEST_S seconds, and no longer than the token: whoever takes a token away
ends its sessions.
"""

from __future__ import annotations

import hashlib

from itsdangerous import BadSignature, TimestampSigner
from werkzeug.http import parse_cookie

from guard.scopes import Scope
from guard.tokens import Tokens

COOKIE = "hashtag_monitor_session"
LONGEST_S = 8 * 3600
WHAT = b"session"
LONGEST_COOKIE = 200


class Sessions:
    """Makes and checks the values of session cookies."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def begun(self, token: str) -> str:
        """Return the cookie of a session that begins now, for a right token."""
        return _signer(token).sign(WHAT).decode()

    def scope(self, cookies: str) -> Scope:
        """Return what the session in a header Cookie is good for: NOTHING where there is none, or it is over."""
        value = _value(cookies)
        return max((scope for token, scope in self._tokens.signing() if value and _signed(token, value)), default=Scope.NOTHING)


def _value(cookies: str) -> str | None:
    """Return the cookie, also from among those of other programs of this machine that can't be read."""
    if COOKIE not in cookies:
        return None
    found = parse_cookie(cookies.encode("latin-1", "replace").decode("utf-8", "replace").encode().decode("latin-1")).get(COOKIE)
    return found if found and len(found) <= LONGEST_COOKIE else None


def _signed(token: str, value: str) -> bool:
    try:
        return _signer(token).unsign(value, max_age=LONGEST_S) == WHAT
    except BadSignature:
        return False


def _signer(token: str) -> TimestampSigner:
    return TimestampSigner(token, salt=COOKIE, key_derivation="hmac", digest_method=hashlib.sha256)
