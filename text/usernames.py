"""Usernames: what one is, for everything that stores them and everything that asks for them."""

from __future__ import annotations

import re

LONGEST = 50
"""X's have up to 15 characters, its oldest up to 20, and archives hold longer ones."""
PATTERN = f"[A-Za-z0-9_]{{1,{LONGEST}}}"
_USERNAME = re.compile(PATTERN)


def is_username(text: str) -> bool:
    """Tell whether this is a username, without its @."""
    return _USERNAME.fullmatch(text) is not None


def username(text: str) -> str | None:
    """Return the username that somebody asks for, without its @, or None."""
    name = text.removeprefix("@")
    return name if is_username(name) else None
