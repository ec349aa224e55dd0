"""The tokens, and what each of them is good for. Those that stand in files can be changed while the service runs."""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from security.scopes import Scope
from settings import SettingError, Settings, secret

log = logging.getLogger(__name__)

SCOPES = {"API_TOKEN": Scope.WRITE, "API_READ_TOKEN": Scope.READ, "METRICS_TOKEN": Scope.SCRAPE}
SHORTEST = 16
CHECK_S = 1.0

Learn = Callable[[str], None]
Version = tuple[int, int, int]


class Tokens:
    """The tokens of each scope. A file is looked at once a second; one that is empty or unfit changes nothing.

    `learn` is told each token, so that none is ever shown. Where a process begins with a file that has become unfit, what it
    held when the service started may have been retired since, and isn't taken: nobody is let in by it.
    """

    def __init__(self, settings: Settings, learn: Learn = lambda _token: None) -> None:
        self._learn, self._lock = learn, threading.Lock()
        self._texts = {name: getattr(settings, name.lower()) or "" for name in SCOPES}
        self._files = {name: paths for name, paths in settings.secret_files.items() if name in SCOPES}
        self._versions: dict[str, list[Version | None]] = {}
        self._take(self._texts)
        self._look()
        for name in settings.from_files & self._files.keys():
            if self._texts[name] == getattr(settings, name.lower()) and not self._fit(name):
                self._take(self._texts | {name: secrets.token_urlsafe()})
        self._checked = time.monotonic()

    @property
    def are_required(self) -> bool:
        """Whether requests must carry a token at all."""
        if self._files and time.monotonic() - self._checked > CHECK_S:
            self._look()
        return bool(self._texts["API_TOKEN"])

    def scope(self, given: str) -> Scope:
        """Return what a token is good for: NOTHING if it is wrong. The time it takes doesn't tell how wrong."""
        asked = given.encode("utf-8", "surrogateescape")
        found = [scope for token, scope in self._all if hmac.compare_digest(asked, token.encode())]
        return max(found, default=Scope.NOTHING)

    def signing(self) -> list[tuple[str, Scope]]:
        """Return the tokens that people may sign in with, and their scopes."""
        return [(token, scope) for token, scope in self._all if scope >= Scope.READ]

    def _look(self) -> None:
        """Read the files that have changed; one thread does, the others go on with what is known."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._checked = time.monotonic()
            for name, paths in self._files.items():
                versions = list(map(_version, paths))
                if versions != self._versions.get(name):
                    self._versions[name] = versions
                    self._read(name, paths)
        finally:
            self._lock.release()

    def _read(self, name: str, paths: tuple[Path, ...]) -> None:
        try:
            found = secret(name, paths)
            if not found or found == self._texts[name]:
                return
            weakness = weak(self._texts | {name: found})
        except SettingError as error:
            log.error("token file not taken", extra={"setting": name, "reason": str(error)})
            return
        self._take(self._texts | {name: found})
        log.info("tokens replaced", extra={"setting": name})
        if weakness:
            log.warning(weakness)

    def _fit(self, name: str) -> bool:
        try:
            return bool(secret(name, self._files[name]))
        except SettingError:
            return False

    def _take(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)
        self._all = [(token, SCOPES[name]) for name, text in texts.items() for token in text.split()]
        for token, _ in self._all:
            self._learn(token)


def weak(texts: Mapping[str, str | None]) -> str | None:
    """Return what is weak about the tokens of each setting, or None; raises SettingError where one token has two scopes."""
    tokens = {name: set((texts[name] or "").split()) for name in SCOPES}
    if tokens["API_READ_TOKEN"] and not tokens["API_TOKEN"]:
        raise SettingError("API_TOKEN is missing: API_READ_TOKEN guards nothing by itself")
    if tokens["API_TOKEN"] and len(set().union(*tokens.values())) < sum(map(len, tokens.values())):
        raise SettingError(f"{', '.join(SCOPES)}: two of them are the same, expected different tokens")
    short = ", ".join(name for name, found in tokens.items() if any(len(token) < SHORTEST for token in found))
    return f"{short}: shorter than {SHORTEST} characters, and so can be guessed: make token makes one" if short else None


def texts_of(settings: Settings) -> dict[str, str | None]:
    """Return the tokens of a start by their settings."""
    return {name: getattr(settings, name.lower()) for name in SCOPES}


def _version(path: Path) -> Version | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
