"""The tokens, and what each of them is good for. Those that stand in files can be changed while the service runs."""

from __future__ import annotations

import hmac
import logging
import math
import time
from pathlib import Path

from guard.scopes import Scope
from settings import SettingError, Settings, secret

log = logging.getLogger(__name__)

SCOPES = {"API_TOKEN": Scope.WRITE, "API_READ_TOKEN": Scope.READ, "METRICS_TOKEN": Scope.SCRAPE}
CHECK_S = 1.0

Version = tuple[int, int, int]


class Tokens:
    """The tokens of each scope. A file is looked at once a second; one that is empty or unfit changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._texts = {name: getattr(settings, name.lower()) or "" for name in SCOPES}
        self._files = {name: paths for name, paths in settings.secret_files.items() if name in SCOPES}
        self._versions: dict[str, list[Version | None]] = {}
        self._checked = -math.inf  # the settings may be older than the files: a worker that died is replaced with them
        self._all = self._sorted_out()

    @property
    def required(self) -> bool:
        """Whether requests must carry a token at all."""
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
        if self._files and time.monotonic() - self._checked > CHECK_S:
            self._checked = time.monotonic()
            for name, paths in self._files.items():
                versions = list(map(_version, paths))
                if versions != self._versions.get(name):
                    self._versions[name] = versions
                    self._read(name, paths)

    def _read(self, name: str, paths: tuple[Path, ...]) -> None:
        try:
            found = secret(name, paths)
        except SettingError as error:
            log.error("token file not taken", extra={"setting": name, "reason": str(error)})
            return
        if found and found != self._texts[name]:
            self._texts[name] = found
            self._all = self._sorted_out()
            log.info("tokens replaced", extra={"setting": name})

    def _sorted_out(self) -> list[tuple[str, Scope]]:
        return [(token, SCOPES[name]) for name, text in self._texts.items() for token in text.split()]


def _version(path: Path) -> Version | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
