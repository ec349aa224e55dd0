"""HTML entities in the texts of X, which writes `&amp;` for an ampersand."""

from __future__ import annotations

import re
from html import unescape

X_ENTITIES = re.compile(r"&(?:amp|lt|gt);")


def plain(text: str | None) -> str:
    """Return a text of X with its HTML entities decoded."""
    return X_ENTITIES.sub(lambda match: unescape(match[0]), text or "")
