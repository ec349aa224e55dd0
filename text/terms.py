"""The terms of a text: its words and its pairs of neighbouring words, without what tells nothing of its subject."""

from __future__ import annotations

import re
from collections.abc import Container, Set
from itertools import pairwise

from text.entities import plain
from text.names import replace_hashtags
from text.words import is_bigram, words_in_order

_CUT = "\0"
_NO_TERMS = re.compile(r"(?:[hH][tT][tT][pP][sS]?://|www\.|WWW\.)[!-~]+|(?<![0-9A-Za-z_])[@＠][0-9A-Za-z_]+")
"""URLs, and mentions of usernames."""
_MARKS = ("://", "www.", "WWW.", "@", "＠", "#", "＃")


def terms(text: str, *, stop_words: Set[str], tags: Container[str]) -> set[str]:
    """Return the terms of a text as X sent it. `tags` are the keys of hashtags that are no terms.

    URLs, mentions and these hashtags separate words. What is left is folded and split as a search is: so a word of a script
    without spaces is each two of its characters that follow one another. A word is a term if it has at least two characters
    and is no stop word. Two words are a term, with a space between, if they follow one another, whatever punctuation is
    between, and both are terms and of a script with spaces.
    """
    found = set[str]()
    for part in _parts(text, tags):
        words = [word if len(word) > 1 and word not in stop_words else "" for word in words_in_order(part)]
        found.update(words, _pairs(words if part.isascii() else ["" if is_bigram(word) else word for word in words]))
    found.discard("")
    return found


def _parts(text: str, tags: Container[str]) -> list[str]:
    """Return what is between URLs, mentions and the hashtags, with entities decoded.

    It looks for their first characters before, which takes a tenth of the time, and most texts have none of them.
    """
    if any(mark in text for mark in _MARKS):
        text = replace_hashtags(_NO_TERMS.sub(_CUT, text), tags, _CUT)
    return (plain(text) if "&" in text else text).split(_CUT)


def _pairs(words: list[str]) -> list[str]:
    return [f"{first} {second}" for first, second in pairwise(words) if first and second]
