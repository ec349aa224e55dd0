"""Where the service may listen: without a token, on loopback only."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from security.tokens import texts_of, weak
from settings import SettingError, Settings

RISK = "can read the tweets and spend money at X; set API_TOKEN"


def check_listening(settings: Settings) -> str | None:
    """Return a warning, or None; raises SettingError where HOST is open to others and nothing guards it."""
    weakness = weak(texts_of(settings))
    if settings.api_token:
        return weakness
    if settings.allow_open:
        return None if is_loopback(settings.host) else f"ALLOW_OPEN=1: everyone who reaches {settings.host} {RISK}"
    if not is_loopback(settings.host):
        raise SettingError(f"HOST: {settings.host!r} is open to others, expected 127.0.0.1, or API_TOKEN set as well")
    if "API_TOKEN" in settings.secret_files:
        return f"API_TOKEN_FILE: the file is empty: everyone on this machine {RISK}"
    return f"ALLOWED_HOSTS: everyone who reaches the service by these names {RISK}" if settings.allowed_hosts else None


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@lru_cache(1024)
def is_address(text: str) -> bool:
    """Tell whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
