"""Sessions of people who signed in: a cookie that is signed with the token, so every process can check it.

A session has the scope of its token, and ends after LONGEST_S seconds or when the token is removed.
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
PAYLOAD = b"session"
LONGEST_COOKIE = 200  # ours have 60 characters; a longer one is cut, so its signature is wrong
MOST_COOKIES = 4  # with our name: another path or domain of this host may have set one


class ForgedSession(Exception):
    """A session cookie that no current token has signed."""


class Sessions:
    """Makes and checks the values of session cookies."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def start(self, token: str) -> str:
        """Return the cookie value of a session that starts now. The caller has checked the token."""
        return _signer(token).sign(PAYLOAD).decode()

    def scope_of(self, cookies: str) -> Scope:
        """The scope of the session in a Cookie header: NOTHING if there is none or it has expired.

        Raises ForgedSession if no token has signed it: a forged session is an attempt to guess a token.
        """
        values = _values(cookies)
        scopes = [_scope(token, value, scope) for token, scope in self._tokens.sign_in_tokens() for value in values]
        if values and all(scope is None for scope in scopes):
            raise ForgedSession
        return max(filter(None, scopes), default=Scope.NOTHING)


def _values(cookies: str) -> list[str]:
    """The values of session cookies, even among invalid cookies of other programs on this machine."""
    if COOKIE not in cookies:
        return []
    cookies_read = parse_cookie(cookies.encode("latin-1", "replace").decode("utf-8", "replace").encode().decode("latin-1"))
    return [value for value in cookies_read.getlist(COOKIE) if value][:MOST_COOKIES]


def _scope(token: str, value: str, scope: Scope) -> Scope | None:
    """`scope` if this token has signed the session, NOTHING if that has expired, None if it has not signed it."""
    try:
        signed = _signer(token).unsign(value[:LONGEST_COOKIE], max_age=LONGEST_S) == PAYLOAD
    except SignatureExpired:
        return Scope.NOTHING
    except BadSignature:
        return None
    return scope if signed else None


def _signer(token: str) -> TimestampSigner:
    return TimestampSigner(token, salt=COOKIE, key_derivation="hmac", digest_method=hashlib.sha256)
