"""Addresses: where the service may listen, and by which Host names it answers.

Without a token it listens on loopback only. A page whose own name points to this machine (DNS rebinding) sends an unknown Host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from werkzeug.exceptions import BadRequest, MisdirectedRequest

from security.tokens import token_weakness, tokens_of
from settings import SettingError, Settings

ALWAYS_KNOWN = ("localhost", "127.0.0.1", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "::", "[::]")  # noqa: S104 (compared with, not listened on)
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{0,5})?", re.IGNORECASE)
RISK = "can read the tweets and spend money at X; set API_TOKEN"


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


class KnownHosts:
    """The Host names by which the service answers: localhost, HOST and ALLOWED_HOSTS."""

    def __init__(self, settings: Settings) -> None:
        own = settings.host.casefold()
        listening = () if own in EVERY_ADDRESS else (f"[{own.strip('[]')}]" if ":" in own else own,)
        self._names = frozenset((*ALWAYS_KNOWN, *listening, *(settings.allowed_hosts or ())))

    def check(self, environ: Mapping[str, Any]) -> None:
        """Raise MisdirectedRequest for an unknown Host, BadRequest for HTTP/1.1 without one.

        HTTP/1.0 without Host is accepted: no browser speaks it.
        """
        host = environ.get("HTTP_HOST")
        if not host:
            if environ.get("SERVER_PROTOCOL") in ("HTTP/1", "HTTP/1.0"):
                return
            raise BadRequest("the header Host is missing")
        match = HOST.fullmatch(host)
        if not match or match[1].lower() not in self._names:
            raise MisdirectedRequest("this Host is not known here: ALLOWED_HOSTS lists the names beside localhost")


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@lru_cache(1024)
def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
