"""The session of somebody who signed in on the page: a cookie that the token signs, so that every process can check it.

It is good for what its token is good for, for LONGEST_S seconds, and no longer than the token: whoever takes a token away
ends its sessions.
"""

from __future__ import annotations

import hashlib

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner
from werkzeug.http import parse_cookie

from security.browsers import SESSION
from security.scopes import Scope
from security.tokens import Tokens

COOKIE = SESSION
LONGEST_S = 8 * 3600
WHAT = b"session"
LONGEST_COOKIE = 200  # ours have 60 characters; what is longer is cut, and so signed by nobody
MOST_COOKIES = 4  # of our name: another path or domain of this host may have set one


class Forged(Exception):
    """A session that no token of this service has signed."""


class Sessions:
    """Makes and checks the values of session cookies."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def start(self, token: str) -> str:
        """Return the cookie of a session that begins now, for a right token."""
        return _signer(token).sign(WHAT).decode()

    def scope(self, cookies: str) -> Scope:
        """Return what the session in a header Cookie is good for: NOTHING where there is none, or it is over.

        Raises Forged for one that no token has signed: each says of a token that somebody guesses whether it is right.
        """
        values = _values(cookies)
        found = [_scope(token, value, scope) for token, scope in self._tokens.signing() for value in values]
        if values and all(scope is None for scope in found):
            raise Forged
        return max(filter(None, found), default=Scope.NOTHING)


def _values(cookies: str) -> list[str]:
    """Return the cookies, also from among those of other programs of this machine that can't be read."""
    if COOKIE not in cookies:
        return []
    found = parse_cookie(cookies.encode("latin-1", "replace").decode("utf-8", "replace").encode().decode("latin-1"))
    return [value for value in found.getlist(COOKIE) if value][:MOST_COOKIES]


def _scope(token: str, value: str, scope: Scope) -> Scope | None:
    """Return the scope of a session that this token has signed, NOTHING if it is over; None for what it has not signed."""
    try:
        signed = _signer(token).unsign(value[:LONGEST_COOKIE], max_age=LONGEST_S) == WHAT
    except SignatureExpired:
        return Scope.NOTHING
    except BadSignature:
        return None
    return scope if signed else None


def _signer(token: str) -> TimestampSigner:
    return TimestampSigner(token, salt=COOKIE, key_derivation="hmac", digest_method=hashlib.sha256)
