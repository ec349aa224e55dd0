"""Usernames on X."""

from __future__ import annotations

import re

LONGEST = 50
"""X allows 15 characters, its oldest usernames have up to 20, and archives contain longer ones."""
PATTERN = f"[A-Za-z0-9_]{{1,{LONGEST}}}"
_USERNAME = re.compile(PATTERN)


def is_username(text: str) -> bool:
    """Whether this is a username, without @."""
    return _USERNAME.fullmatch(text) is not None


def username(text: str) -> str | None:
    """The username in a request, without its optional @, or None if it is invalid."""
    name = text.removeprefix("@")
    return name if is_username(name) else None
