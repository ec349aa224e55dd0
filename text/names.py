"""Names in texts and requests: hashtags, by X's rules (https://github.com/twitter/twitter-text, js/src/regexp), and usernames.

A hashtag has letters with their marks, digits and underscores, and at least one letter. Invisible characters are not accepted:
two hashtags could look the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

RULES = f"2, Unicode {unicodedata.unidata_version}"
"""The version of these rules. With another one, the same text may have other hashtags."""
LONGEST = 100
LONGEST_WRITTEN = 4 * LONGEST
"""Characters that can compose to the longest name: no letter is composed of more than four."""
EXPECTED = f"a hashtag of 1 to {LONGEST} letters, digits and underscores, one a letter, and nothing unseen"
CACHED = 16_384
_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | set(map(chr, _SELECTORS))
"""Letters and marks that are not displayed (Default_Ignorable_Code_Point; Python's Unicode data lacks this property)."""
IOTA_BELOW = "\u0345"
"""A mark that case folding turns into a letter; after the letters that use it, NFC composes it."""
EMOJI_STYLES = "\ufe0e\ufe0f"
NOT_AFTER = ("#", "＃", "://")
LONGEST_USERNAME = 50
"""X allows 15 characters, its oldest usernames have up to 20, and archives contain longer ones."""
USERNAME_PATTERN = f"[A-Za-z0-9_]{{1,{LONGEST_USERNAME}}}"
_USERNAME = re.compile(USERNAME_PATTERN)
_RUN = re.compile("(?<![0-9A-Za-z_&])[#＃](?![\ufe0f\u20e3])([0-9A-Za-z_\x80-\uff02\uff04-\U0010ffff]+)")


class InvalidTag(ValueError):
    """A name that is no hashtag; its text says what is expected."""


def hashtags(text: str) -> dict[str, str]:
    """The hashtags of a text in order, by key, in the spelling that occurs first."""
    tags: dict[str, str] = {}
    for run in _RUN.finditer(text):
        if name := _hashtag_at(text, run):
            tags.setdefault(name.key, name.tag)
    return tags


def replace_hashtags(text: str, keys: Container[str], by: str) -> str:
    """Return a text in which each hashtag with one of these keys is replaced."""

    def replaced(run: re.Match[str]) -> str:
        name = _hashtag_at(text, run)
        return by + run[1][name.length :] if name and name.key in keys else run[0]

    return _RUN.sub(replaced, text)


def _hashtag_at(text: str, run: re.Match[str]) -> _Name | None:
    """Return the hashtag that a run of the text begins with, if there is one."""
    name = _name(run[1][: LONGEST_WRITTEN + 1])
    return name if name and not text.startswith(NOT_AFTER, run.start(1) + name.length) and _begins(text, run.start()) else None


def hashtag(name: str) -> str:
    """Return `name` with exactly one leading #; raises InvalidTag, so that no query operator reaches X."""
    written = name.strip(" \t").removeprefix("#")
    bare = unicodedata.normalize("NFC", written[: LONGEST_WRITTEN + 1])
    if not is_name(bare):
        raise InvalidTag(f"{_printable(name)} is not accepted, expected {EXPECTED}")
    return f"#{bare}"


def is_name(name: str) -> bool:
    """Whether a composed (NFC) text without # is the name of a hashtag."""
    return 1 <= len(name) <= LONGEST and all(map(_is_visible, name)) and any(map(_is_letter, name)) and IOTA_BELOW not in name


def key(tag: str) -> str:
    """The form in which hashtags are compared, with #. A text that is too long is cut, but remains too long.

    NUL becomes U+FFFD, as in everything stored: PostgreSQL accepts no NUL, not even in a query.
    """
    return "#" + unicodedata.normalize("NFC", tag[: LONGEST_WRITTEN + 2]).removeprefix("#").replace("\0", "\ufffd").casefold()


class _Name(NamedTuple):
    """A hashtag's key and spelling, both with #, and its length in the text without #."""

    key: str
    tag: str
    length: int


@lru_cache(CACHED)
def _name(run: str) -> _Name | None:
    """The hashtag at the start of a run of ASCII word characters and any others, if there is one."""
    written = "".join(takewhile(_is_visible, run))
    name = unicodedata.normalize("NFC", written)
    return _Name(key(name), f"#{name}", len(written)) if is_name(name) else None


def _begins(text: str, start: int) -> bool:
    """Whether no word continues here; an emoji's variation selector is a mark, but not part of a word."""
    before = text[start - 1] if start else " "
    return before.isascii() or before in EMOJI_STYLES or not _is_word_char(before)


def _is_visible(char: str) -> bool:
    return _is_word_char(char) and char not in INVISIBLE


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] == "L"


def _is_word_char(char: str) -> bool:
    return char == "_" or _is_letter(char) or unicodedata.category(char) in ("Nd", "Mn", "Mc")


def is_username(text: str) -> bool:
    """Whether this is a username, without @."""
    return _USERNAME.fullmatch(text) is not None


def parse_username(text: str) -> str | None:
    """The username in a request, without its optional @, or None if it is invalid."""
    name = text.removeprefix("@")
    return name if is_username(name) else None


def _printable(name: str) -> str:
    """Return a name as Python writes it, which is printable, cut to the length of a name."""
    shown = repr(name[: 2 * LONGEST])
    return shown if len(shown) <= 2 * LONGEST else f"{shown[:LONGEST]}…"
