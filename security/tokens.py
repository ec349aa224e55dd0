"""Tokens and their scopes. Tokens in files can be changed while the service runs."""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from security.scopes import Scope
from settings import SettingError, Settings, read_secret

log = logging.getLogger(__name__)

SCOPES = {"API_TOKEN": Scope.WRITE, "API_READ_TOKEN": Scope.READ, "METRICS_TOKEN": Scope.SCRAPE}
SHORTEST = 16
CHECK_S = 1.0

OnToken = Callable[[str], None]
Version = tuple[int, int, int]


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


def tokens_of(settings: Settings) -> dict[str, str | None]:
    """The tokens in the settings, by the setting's name."""
    return {name: getattr(settings, name.lower()) for name in SCOPES}


def _version(path: Path) -> Version | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
