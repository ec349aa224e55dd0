"""Hashtags in a text, where X sees one: https://github.com/twitter/twitter-text, js/src/regexp.

A hashtag here is what can be tracked: letters with their marks, digits and underscores, of which one is a letter, and nothing
that is not seen, by which two could look the same.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

RULES = f"2, Unicode {unicodedata.unidata_version}"
"""What the hashtags of a text follow from: with other rules the same text may have others."""
LONGEST = 100
LONGEST_WRITTEN = 4 * LONGEST
"""Signs that can be composed to the longest name: no letter is composed of more than four."""
REMEMBERED = 16_384
_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | set(map(chr, _SELECTORS))
"""Letters and marks that are shown as nothing (Default_Ignorable_Code_Point), which no Unicode data of Python's names."""
IOTA_BELOW = "\u0345"
"""A mark that is a letter once its case is folded; where it belongs it is composed with its own."""
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
    return 1 <= len(name) <= LONGEST and all(map(_belongs, name)) and any(map(_is_letter, name)) and IOTA_BELOW not in name


def key(tag: str) -> str:
    """Return the spelling by which hashtags are compared, with #. What is too long for one is cut, and still too long.

    NUL, which no database holds and PostgreSQL can't be asked for, is U+FFFD, as in all that is stored.
    """
    return "#" + unicodedata.normalize("NFC", tag[: LONGEST_WRITTEN + 2]).removeprefix("#").replace("\0", "\ufffd").casefold()


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
    return before.isascii() or before in EMOJI_STYLES or not _goes_on(before)


def _belongs(char: str) -> bool:
    return _goes_on(char) and char not in UNSEEN


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] == "L"


def _goes_on(char: str) -> bool:
    return char == "_" or _is_letter(char) or unicodedata.category(char) in ("Nd", "Mn", "Mc")
