"""Where the service may listen: without a token, on loopback only."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from guard.tokens import SCOPES
from settings import SettingError, Settings

SHORTEST = 16


def check_listening(settings: Settings) -> str | None:
    """Return a warning, or None; raises SettingError where HOST is open to others and nothing guards it."""
    if settings.api_token:
        return _weakness(settings)
    if settings.api_read_token:
        raise SettingError("API_READ_TOKEN: guards nothing by itself, expected API_TOKEN set as well")
    if is_loopback(settings.host):
        return None
    if settings.allow_open:
        return f"ALLOW_OPEN=1: everyone who reaches {settings.host} can read the tweets and spend money at X; set API_TOKEN"
    raise SettingError(f"HOST: {settings.host!r} is open to others, expected 127.0.0.1, or API_TOKEN set as well")


def _weakness(settings: Settings) -> str | None:
    """Return what is weak about the tokens, or None; raises SettingError where one token has two scopes."""
    tokens = {name: set((getattr(settings, name.lower()) or "").split()) for name in SCOPES}
    if len(set().union(*tokens.values())) < sum(map(len, tokens.values())):
        raise SettingError(f"{', '.join(SCOPES)}: two of them are the same, expected different tokens")
    short = ", ".join(name for name, found in tokens.items() if any(len(token) < SHORTEST for token in found))
    return f"{short}: shorter than {SHORTEST} characters, and so can be guessed: make token makes one" if short else None


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
