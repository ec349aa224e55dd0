"""Hashtags in a text, where X sees one: https://github.com/twitter/twitter-text, js/src/regexp.

A hashtag here is what can be tracked: letters with their marks, digits and underscores, of which one is more than a digit.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

LONGEST = 100
LONGEST_WRITTEN = 4 * LONGEST
"""Signs that can be composed to the longest name: no letter is composed of more than four."""
REMEMBERED = 16_384
EMOJI_STYLES = "\ufe0e\ufe0f"
NOT_AFTER = ("#", "＃", "://")
_RUN = re.compile("(?<![0-9A-Za-z_&])[#＃](?![\ufe0f\u20e3])([0-9A-Za-z_\x80-\uff02\uff04-\U0010ffff]+)")


def hashtags(text: str) -> dict[str, str]:
    """Return the hashtags of a text by their keys, as they are spelt first, in the order in which they occur."""
    found: dict[str, str] = {}
    for run in _RUN.finditer(text):
        name = _name(run[1][: LONGEST_WRITTEN + 1])
        if name and not text.startswith(NOT_AFTER, run.start(1) + name.length) and _begins(text, run.start()):
            found.setdefault(name.key, name.tag)
    return found


def is_name(name: str) -> bool:
    """Tell whether this, composed (NFC) and without its #, is a hashtag's name."""
    return 1 <= len(name) <= LONGEST and all(map(_belongs, name)) and any(map(_names, name))


def key(tag: str) -> str:
    """Return the spelling by which hashtags are compared, with #. What is too long for one is cut, and still too long."""
    return "#" + unicodedata.normalize("NFC", tag[: LONGEST_WRITTEN + 2]).removeprefix("#").casefold()


class _Name(NamedTuple):
    """A hashtag's key and spelling, with #, and its length in the text, without."""

    key: str
    tag: str
    length: int


@lru_cache(REMEMBERED)
def _name(run: str) -> _Name | None:
    """Return the hashtag that a run of ASCII's word characters and any others begins with."""
    written = "".join(takewhile(_belongs, run))
    name = unicodedata.normalize("NFC", written)
    return _Name(key(name), f"#{name}", len(written)) if is_name(name) else None


def _begins(text: str, start: int) -> bool:
    """Tell whether no word goes on with what stands here; the style of an emoji is a mark, but no part of a word."""
    before = text[start - 1] if start else " "
    return before.isascii() or before in EMOJI_STYLES or not _belongs(before)


def _belongs(char: str) -> bool:
    return _names(char) or unicodedata.category(char) in ("Nd", "Mn", "Mc")


def _names(char: str) -> bool:
    return char == "_" or unicodedata.category(char)[0] == "L"
