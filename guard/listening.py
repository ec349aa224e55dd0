"""Where the service may listen: without a token, on loopback only."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from settings import SettingError, Settings


def check_listening(settings: Settings) -> str | None:
    """Return a warning, or None; raises SettingError where HOST is open to others and nothing guards it."""
    if settings.api_token or is_loopback(settings.host):
        return None
    if settings.allow_open:
        return f"ALLOW_OPEN=1: everyone who reaches {settings.host} can read the tweets and spend money at X; set API_TOKEN"
    raise SettingError(f"HOST: {settings.host!r} is open to others, expected 127.0.0.1, or API_TOKEN set as well")


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
