"""The tokenizer of full-text search. It runs outside the database, so that both backends find the same tweets.

A word is a run of letters, digits and underscores with their marks, letter case folded. Accents are kept: café is not cafe.
Scripts written without spaces are split into bigrams, so that any part of a text is found without a dictionary. The entities
of X (`&amp;`) are decoded first. Letters are those of Python's Unicode data; `RULES` names its version.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import NamedTuple

from text.entities import plain

RULES = f"3, Unicode {unicodedata.unidata_version}"
"""The version of these rules. With another one, the same text may have other words."""

LONGEST = 100
"""Characters of a word; the rest is cut off, in texts and in queries."""
MOST_MARKS = 30
"""Marks of a letter; no script uses more (https://unicode.org/reports/tr15/#Stream_Safe_Text_Format)."""

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\U000116d0-\U000116ff"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00016fe2-\U00016fe3\U00016ff0-\U00016ff6\U00020000-\U0003ffff"  # Han, rare
    "\u3031-\u3035\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"  # Hiragana, Katakana
)
_UNSPACED_CHAR = re.compile(f"[{_UNSPACED}]")
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_WORD = re.compile(r"\w\S*")
_PIECE = re.compile(rf"((?=\w)[{_UNSPACED}](?:[{_UNSPACED}]|[^\w\s])*)|\w[^\s{_UNSPACED}]*")
_MARKED = re.compile(rf"[^\w\s\x00-\x7f]{{{MOST_MARKS + 1},}}")
_SELECTORS = re.compile("[\u034f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]+")

Split = Callable[[str], Iterator[str]]


class LocatedWord(NamedTuple):
    """A word and where it stands in a text, half-open."""

    word: str
    start: int
    end: int


def index_words(text: str) -> tuple[str, ...]:
    """The words by which a text is found, in their order, each as often as it occurs.

    Of a run of characters without spaces these are each letter, followed by its bigram with the next character: 東京へ is read
    as 東, 東京, 京, 京へ, へ. So a part of a text, read in the same way, is a part of the text's list of words.
    """
    return _words(plain(text), _chars_and_bigrams)


def query_words(query: str) -> tuple[str, ...]:
    """The distinct words that a text must have to match a query."""
    return tuple(dict.fromkeys(_words(plain(query), _bigrams)))


def located_words(text: str) -> tuple[LocatedWord, ...]:
    """The words of a decoded text, as `index_words` gives them, with their places. Empty if a place can't be told."""
    found = tuple(_located(text))
    return found if tuple(each.word for each in found) == _words(text, _chars_and_bigrams) else ()


def _located(text: str) -> Iterator[LocatedWord]:
    folded = [(_fold_sign(text[start:end]), start, end) for start, end in _signs(text)]
    places = [(start, end) for written, start, end in folded for _ in written]
    for piece in _PIECE.finditer("".join(written for written, _, _ in folded)):
        first, last = piece.start(), piece.end() - 1
        if not piece[1]:
            yield LocatedWord(piece[0][:LONGEST], places[first][0], places[last][1])
            continue
        for at, char in enumerate(piece[0], first):
            if char.isalnum():
                yield LocatedWord(char, *places[at])
            if at < last:
                yield LocatedWord(piece[0][at - first : at - first + 2], places[at][0], places[at + 1][1])


def _signs(text: str) -> Iterator[tuple[int, int]]:
    """The bounds of each character of a text with the marks, vowels and consonants that compose with it."""
    starts = [at for at, char in enumerate(text) if not (unicodedata.category(char)[0] == "M" or "\u1160" <= char <= "\u11ff")]
    yield from pairwise([*dict.fromkeys([0, *starts]), len(text)])


def words_in_order(text: str) -> tuple[str, ...]:
    """All words of a decoded text in order, those of scripts without spaces as the bigrams of a query."""
    return _words(text, _bigrams)


def is_bigram(word: str) -> bool:
    """Whether a word is a bigram, or the only character, of a script without spaces."""
    return not word.isascii() and _UNSPACED_CHAR.match(word) is not None


def _words(text: str, split: Split) -> tuple[str, ...]:
    if text.isascii():
        words = _ASCII_WORD.findall(text.lower())
    elif _UNSPACED_CHAR.search(spaced := _with_spaces(text)):
        words = [word for piece in _PIECE.finditer(spaced) for word in (split(piece[0]) if piece[1] else (piece[0],))]
    else:
        words = _WORD.findall(spaced)
    return tuple(word[:LONGEST] for word in words)


def _with_spaces(text: str) -> str:
    """Folds letter case, removes variation selectors, and replaces characters that are part of no word by spaces."""
    return _compose(_compose(_SELECTORS.sub("", text)).casefold()).translate(_KEPT)


_fold_sign = lru_cache(4096)(_with_spaces)


def _compose(text: str) -> str:
    """Composes a text (NFC), without the marks of a letter after the thirtieth.

    Python sorts marks by insertion: a letter with a hundred thousand of them would take ten seconds.
    """
    return unicodedata.normalize("NFC", _MARKED.sub(_limit_marks, text))


def _limit_marks(run: re.Match[str]) -> str:
    kept, marks = list[str](), 0
    for char in run[0]:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def _bigrams(run: str) -> Iterator[str]:
    """The bigrams of a run of characters, or its only character."""
    yield from map(str.__add__, run, run[1:]) if len(run) > 1 else (run,)


def _chars_and_bigrams(run: str) -> Iterator[str]:
    """Each letter, so that it is found alone, and after it the bigram that it begins."""
    for char, bigram in zip_longest(run, map(str.__add__, run, run[1:])):
        if char.isalnum():
            yield char
        if bigram:
            yield bigram


class _KeptCharacters(dict[int, int]):
    """A translation table: letters, digits, underscores and marks stay, other characters become spaces."""

    most = 20_000

    def __missing__(self, char: int) -> int:
        category = unicodedata.category(chr(char))
        kept = char if category[0] in "LN" or category in ("Mn", "Mc") or char == ord("_") else ord(" ")
        if len(self) < self.most:
            self[char] = kept
        return kept


_KEPT = _KeptCharacters()
