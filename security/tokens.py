"""Tokens and their scopes, sessions of people who signed in, and clients that send wrong tokens.

Tokens in files can be changed while the service runs. A session is a cookie that is signed with a token, so every process can
check it; it has the token's scope, and ends after SESSION_S seconds or when the token is removed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner
from werkzeug.http import parse_cookie

from security.browsers import SESSION, is_loopback
from settings import SettingError, Settings, read_secret

log = logging.getLogger(__name__)

SHORTEST = 16
RISK = "can read the tweets and spend money at X; set API_TOKEN"
CHECK_S = 1.0
SESSION_S = 8 * 3600
PAYLOAD = b"session"
LONGEST_COOKIE = 200  # ours have 60 characters; a longer one is cut, so its signature is wrong
MOST_COOKIES = 4  # with our name: another path or domain of this host may have set one
SLEEP = "guard.sleep"  # in the WSGI environment: replaces time.sleep in tests
FIRST_S, LONGEST_S = 0.05, 0.7
MOST_WAITING = 8  # each blocks a thread; further ones are refused at once, as tokens are too long to be guessed
FORGET_AFTER_S = 300.0
MOST_CLIENTS = 10_000  # about 2 MB

OnToken = Callable[[str], None]
Version = tuple[int, int, int]


class Scope(IntEnum):
    """What a client may do. Each scope includes those before it."""

    NOTHING = 0
    SCRAPE = 1
    READ = 2
    WRITE = 3


SCOPES = {"API_TOKEN": Scope.WRITE, "API_READ_TOKEN": Scope.READ, "METRICS_TOKEN": Scope.SCRAPE}


class Tokens:
    """The current tokens. Files are checked for changes once a second; an empty or invalid file changes nothing.

    `on_token` is called with each token, so that it can be redacted. If a file is invalid when a worker starts, the token that
    it held when the service started may have been retired since: it is replaced by a random one that nobody has.
    """

    def __init__(self, settings: Settings, on_token: OnToken = lambda _token: None) -> None:
        self._on_token, self._lock = on_token, threading.Lock()
        self._texts = {name: getattr(settings, name.lower()) or "" for name in SCOPES}
        self._files = {name: paths for name, paths in settings.secret_files.items() if name in SCOPES}
        self._versions: dict[str, list[Version | None]] = {}
        self._replace(self._texts)
        self._reload()
        for name in settings.read_from_files & self._files.keys():
            if self._texts[name] == getattr(settings, name.lower()) and not self._is_valid(name):
                self._replace(self._texts | {name: secrets.token_urlsafe()})
        self._checked_at = time.monotonic()

    @property
    def are_required(self) -> bool:
        """Whether requests must carry a token at all."""
        if self._files and time.monotonic() - self._checked_at > CHECK_S:
            self._reload()
        return bool(self._texts["API_TOKEN"])

    def scope_of(self, token: str) -> Scope:
        """The scope of a token: NOTHING if it is wrong. Compares in constant time."""
        encoded = token.encode("utf-8", "surrogateescape")
        scopes = [scope for known, scope in self._all if hmac.compare_digest(encoded, known.encode())]
        return max(scopes, default=Scope.NOTHING)

    def sign_in_tokens(self) -> list[tuple[str, Scope]]:
        """The tokens with which people may sign in, and their scopes."""
        return [(token, scope) for token, scope in self._all if scope >= Scope.READ]

    def _reload(self) -> None:
        """Read files that have changed. One thread does so; others continue with the current tokens."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._checked_at = time.monotonic()
            for name, paths in self._files.items():
                versions = list(map(_version, paths))
                if versions != self._versions.get(name):
                    self._versions[name] = versions
                    self._read(name, paths)
        finally:
            self._lock.release()

    def _read(self, name: str, paths: tuple[Path, ...]) -> None:
        try:
            text = read_secret(name, paths)
            if not text or text == self._texts[name]:
                return
            weakness = token_weakness(self._texts | {name: text})
        except SettingError as error:
            log.error("token file not taken", extra={"setting": name, "reason": str(error)})
            return
        self._replace(self._texts | {name: text})
        log.info("tokens replaced", extra={"setting": name})
        if weakness:
            log.warning(weakness)

    def _is_valid(self, name: str) -> bool:
        try:
            return bool(read_secret(name, self._files[name]))
        except SettingError:
            return False

    def _replace(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)
        self._all = [(token, SCOPES[name]) for name, text in texts.items() for token in text.split()]
        for token, _ in self._all:
            self._on_token(token)


def token_weakness(texts: Mapping[str, str | None]) -> str | None:
    """A warning about short tokens, or None. Raises SettingError if one token has two scopes or API_TOKEN is missing."""
    tokens = {name: set((texts[name] or "").split()) for name in SCOPES}
    if tokens["API_READ_TOKEN"] and not tokens["API_TOKEN"]:
        raise SettingError("API_TOKEN is missing: API_READ_TOKEN guards nothing by itself")
    if tokens["API_TOKEN"] and len(set().union(*tokens.values())) < sum(map(len, tokens.values())):
        raise SettingError(f"{', '.join(SCOPES)}: two of them are the same, expected different tokens")
    short = ", ".join(name for name, values in tokens.items() if any(len(token) < SHORTEST for token in values))
    return f"{short}: shorter than {SHORTEST} characters, and so can be guessed: make token makes one" if short else None


def check_listening(settings: Settings) -> str | None:
    """Check HOST against the tokens and return a warning or None. Raises SettingError for an open HOST without API_TOKEN."""
    weakness = token_weakness(tokens_of(settings))
    if settings.api_token:
        return weakness
    if settings.allow_open:
        return None if is_loopback(settings.host) else f"ALLOW_OPEN=1: everyone who reaches {settings.host} {RISK}"
    if not is_loopback(settings.host):
        raise SettingError(f"HOST: {settings.host!r} is open to others, expected 127.0.0.1, or API_TOKEN set as well")
    if "API_TOKEN" in settings.secret_files:
        return f"API_TOKEN_FILE: the file is empty: everyone on this machine {RISK}"
    return f"ALLOWED_HOSTS: everyone who reaches the service by these names {RISK}" if settings.allowed_hosts else None


def tokens_of(settings: Settings) -> dict[str, str | None]:
    """The tokens in the settings, by the setting's name."""
    return {name: getattr(settings, name.lower()) for name in SCOPES}


def _version(path: Path) -> Version | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


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
    if SESSION not in cookies:
        return []
    cookies_read = parse_cookie(cookies.encode("latin-1", "replace").decode("utf-8", "replace").encode().decode("latin-1"))
    return [value for value in cookies_read.getlist(SESSION) if value][:MOST_COOKIES]


def _scope(token: str, value: str, scope: Scope) -> Scope | None:
    """`scope` if this token has signed the session, NOTHING if that has expired, None if it has not signed it."""
    try:
        signed = _signer(token).unsign(value[:LONGEST_COOKIE], max_age=SESSION_S) == PAYLOAD
    except SignatureExpired:
        return Scope.NOTHING
    except BadSignature:
        return None
    return scope if signed else None


def _signer(token: str) -> TimestampSigner:
    return TimestampSigner(token, salt=SESSION, key_derivation="hmac", digest_method=hashlib.sha256)


class FailedAttempts:
    """Counts recent wrong tokens per client address. A right token is never delayed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._clients: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)

    def slow_down(self, environ: dict[str, Any]) -> None:
        """Count a failure of the request's client, and sleep twice as long as the last time."""
        client = str(environ.get("REMOTE_ADDR", ""))
        count = self._increment(client)
        if count & (count - 1) == 0:
            log.warning("wrong token", extra={"failures": count, "ecs_fields": {"client": {"ip": client}}})
        if self._waiting.acquire(blocking=False):
            environ.get(SLEEP, time.sleep)(min(LONGEST_S, FIRST_S * 2 ** min(count - 1, 10)))
            self._waiting.release()

    def _increment(self, client: str) -> int:
        now = self._clock()
        with self._lock:
            count, last = self._clients.pop(client, (0, now))
            count = 1 if now - last > FORGET_AFTER_S else count + 1
            self._clients[client] = count, now
            if len(self._clients) > MOST_CLIENTS:
                self._clients.popitem(last=False)
        return count
