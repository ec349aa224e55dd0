"""Words: what a text is found by, the same on every database, since no database decides it.

A word is a run of letters, digits and underscores in any case, with the marks that belong to them: accents are kept, so café is
not cafe. Scripts that are written without spaces are cut into pairs of neighbours, so that whatever stands in a text is found,
without a dictionary. What a letter is, Python's Unicode data says; `RULES` names its version.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from text.composing import compose

RULES = f"2, Unicode {unicodedata.unidata_version}"
"""What the words of a text follow from: with other rules the same text may have others."""

LONGEST = 100
"""Letters of a word; what follows is cut off, in texts and in what is asked for."""

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\U000116d0-\U000116ff"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00016fe2-\U00016fe3\U00016ff0-\U00016ff6\U00020000-\U0003ffff"  # Han, rare
    "\u3031-\u3035\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"  # Hiragana, Katakana
)
_UNSPACED_SIGN = re.compile(f"[{_UNSPACED}]")
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_WORD = re.compile(r"\w\S*")
_PIECE = re.compile(rf"((?=\w)[{_UNSPACED}](?:[{_UNSPACED}]|[^\w\s])*)|\w[^\s{_UNSPACED}]*")
_SELECTORS = re.compile("[\u034f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]+")

Cut = Callable[[str], Iterator[str]]


def index_words(text: str) -> tuple[str, ...]:
    """Return what a text is found by, each once."""
    return _words(text, _signs_and_pairs)


def query_words(query: str) -> tuple[str, ...]:
    """Return what must be among the words of a text, each once; nothing where there is no word to ask for."""
    return _words(query, _pairs)


def _words(text: str, cut: Cut) -> tuple[str, ...]:
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
    elif _UNSPACED_SIGN.search(spaced := _with_spaces(text)):
        found = [word for piece in _PIECE.finditer(spaced) for word in (cut(piece[0]) if piece[1] else (piece[0],))]
    else:
        found = _WORD.findall(spaced)
    return tuple(dict.fromkeys(word[:LONGEST] for word in found))


def _with_spaces(text: str) -> str:
    """Return a text with folded letters, without what only selects a glyph, and with a space for what is part of no word."""
    return compose(compose(_SELECTORS.sub("", text)).casefold()).translate(_KEPT)


def _pairs(run: str) -> Iterator[str]:
    """Give the pairs of neighbours in a run of signs, or the only sign."""
    yield from map(str.__add__, run, run[1:]) if len(run) > 1 else (run,)


def _signs_and_pairs(run: str) -> Iterator[str]:
    """Give the pairs, and each letter, so that one alone is found as well."""
    yield from filter(str.isalnum, run)
    yield from map(str.__add__, run, run[1:])


class _KeptCharacters(dict[int, int]):
    """What becomes of a sign: letters, digits, underscores and marks stay, the others turn into spaces."""

    most = 20_000

    def __missing__(self, sign: int) -> int:
        category = unicodedata.category(chr(sign))
        kept = sign if category[0] in "LN" or category in ("Mn", "Mc") or sign == ord("_") else ord(" ")
        if len(self) < self.most:
            self[sign] = kept
        return kept


_KEPT = _KeptCharacters()
