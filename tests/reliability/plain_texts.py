"""The words of texts in plain Python, as docs/api.md says it: what a search finds, which terms a text has, what a link is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from html import unescape
from itertools import groupby, pairwise
from typing import NamedTuple

from text.stop_words import stop_words

UNSPACED = ("CJK ", "IDEOGRAPHIC ", "HIRAGANA ", "KATAKANA", "THAI ", "LAO ", "KHMER ", "MYANMAR ")
URL_OR_MENTION = re.compile(r"(?:https?://|www\.)[!-~]+|(?<![A-Za-z0-9_])@[A-Za-z0-9_]+")
HASHTAG = re.compile(r"(?<![\w&])#(\w+)(?![\w#])")


class Part(NamedTuple):
    """A part of a search, between spaces and quotes."""

    text: str
    is_phrase: bool
    is_excluded: bool


@cache
def words(text: str, *, alone: bool = True) -> list[str]:
    """Return the words of a text. With `alone` each letter of a script without spaces is one as well, before its pair."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", decoded(text)).casefold())
    found = list[str]()
    for is_word, run in groupby(composed, _is_part):
        written = re.sub(r"^\W+", "", "".join(run if is_word else ""))  # no word begins with a mark
        for is_unspaced, letters in groupby(written, _is_unspaced):
            piece = "".join(letters)
            found += _unspaced(piece, alone=alone) if is_unspaced else [piece[:100]]
    return found


def decoded(text: str) -> str:
    return re.sub("&(?:amp|lt|gt);", lambda found: unescape(found[0]), text)


def _is_part(char: str) -> bool:
    kind = unicodedata.category(char)
    return kind[0] in "LN" or kind in ("Mn", "Mc") or char == "_"


def _is_unspaced(char: str) -> bool:
    return unicodedata.name(char, "").startswith(UNSPACED)


def _unspaced(piece: str, *, alone: bool) -> Iterator[str]:
    for at, char in enumerate(piece):
        if (alone and char.isalnum()) or len(piece) == 1:
            yield char
        if at + 1 < len(piece):
            yield piece[at : at + 2]


def parts(search: str) -> Iterator[Part]:
    """Yield the parts of a search. A `-` excludes at the start and after a space; between quotes it is no sign."""
    is_next_excluded = False
    for number, piece in enumerate(search.split('"')):
        if number % 2:
            yield Part(piece, is_phrase=True, is_excluded=is_next_excluded)
            continue
        is_next_excluded = number < search.count('"') and re.search(r"^-$|\s-$" if number == 0 else r"\s-$", piece) is not None
        for at, word in enumerate((piece[:-1] if is_next_excluded else piece).split()):
            begins = at > 0 or number == 0 or piece[0].isspace()
            yield Part(word.removeprefix("-") if begins else word, is_phrase=False, is_excluded=begins and word[0] == "-")


def matches(search: str, text: str) -> bool:
    """Whether a search finds a text. A part without a word is no condition."""
    own = words(text)
    return all(_holds(part, own) != part.is_excluded for part in parts(search) if words(part.text))


def _holds(part: Part, own: list[str]) -> bool:
    if not part.is_phrase:
        return set(words(part.text, alone=False)) <= set(own)
    phrase = words(part.text)
    return any(own[at : at + len(phrase)] == phrase for at in range(len(own)))


@cache
def terms(text: str, lang: str | None, tags: frozenset[str]) -> set[str]:
    """Return the terms of a text. `tags` are hashtags in lower case that are none."""
    found, left = set[str](), URL_OR_MENTION.sub("\0", text)
    left = HASHTAG.sub(lambda tag: "\0" if tag[0].lower() in tags else tag[0], left)
    for part in left.split("\0"):
        own = [word if len(word) > 1 and word not in stop_words(lang) else "" for word in words(part, alone=False)]
        found |= set(own)
        spaced = ["" if word and _is_unspaced(word[0]) else word for word in own]
        found |= {f"{one} {other}" for one, other in pairwise(spaced) if one and other}
    return found - {""}


def page(url: str) -> str:
    """Return the address of a link, of an invented one at least: host in lower case, no www., fragment or tracking."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    place, _, query = rest.partition("?")
    host, _, path = place.partition("/")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("utm_"))
    return f"{scheme}://{host.lower().removeprefix('www.')}" + (f"/{path}" if path else "") + (f"?{kept}" if kept else "")
