"""Characters without a picture. Those of direction (bidi) could make a text look like another one."""

from __future__ import annotations

import unicodedata

UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""The categories of Unicode without a picture."""
JOINERS = "\u200c\u200d"
"""Those that letters and emoji need."""


def visible(text: str) -> str:
    """Return a text without characters that have no picture, but for joiners."""
    return "".join(char for char in text if char in JOINERS or unicodedata.category(char) not in UNPRINTABLE)
