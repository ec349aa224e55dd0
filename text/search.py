"""Searches of texts: words that must occur, phrases, and what must not occur.

A search is divided at spaces and quotes into parts. Each part is read as words like the texts (text/words.py):

- `word`: all words of the part occur, anywhere (a part such as `on-call` has two);
- `"a phrase"`: the words of the part follow one another in the text's list of words (`index_words`), whatever stands between;
- `-word`, `-"a phrase"`: the text is not one that the part alone would find. A `-` excludes only at the start or after a space.

Parts without a word, such as a lone `-` or an emoji, are no condition. Exclusions alone are a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from text.words import LocatedWord, index_words, located_words, query_words

_PART = re.compile(r"""(?P<excluded>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))""")
UNCLOSED = 'a closing quote (") for each opening one'
WORDLESS = 'a word between each pair of quotes (")'


class InvalidSearch(ValueError):
    """A search that can't be read; its text says what is expected."""


class SearchPart(NamedTuple):
    """A part of a search as it was written, without its `-` and quotes."""

    written: str
    is_phrase: bool
    is_excluded: bool


class SearchTerm(NamedTuple):
    """What a text must have: all of these words, or if they are `adjacent`, these words one after the other."""

    words: tuple[str, ...]
    adjacent: bool = False


class TextSearch(NamedTuple):
    """The conditions of a search: a text must have all that is required, and nothing that is excluded."""

    required: tuple[SearchTerm, ...] = ()
    excluded: tuple[SearchTerm, ...] = ()


def parse_search(text: str) -> TextSearch:
    """Return a text as a search, which is empty if the text has no words; raises InvalidSearch."""
    if text.count('"') % 2:
        raise InvalidSearch(UNCLOSED)
    terms: dict[bool, dict[SearchTerm, None]] = {False: {}, True: {}}
    for part in search_parts(text):
        if (term := _term(part)).words:
            terms[part.is_excluded][term] = None
        elif part.is_phrase:
            raise InvalidSearch(WORDLESS)
    return TextSearch(tuple(terms[False]), tuple(terms[True]))


def search_parts(text: str) -> Iterator[SearchPart]:
    """Yield the parts of a search in their order."""
    for found in _PART.finditer(text):
        phrase = found["phrase"]
        yield SearchPart(found["word"] if phrase is None else phrase, phrase is not None, found["excluded"] is not None)


def _term(part: SearchPart) -> SearchTerm:
    words = index_words(part.written) if part.is_phrase else query_words(part.written)
    return SearchTerm(words, adjacent=part.is_phrase and len(words) > 1)


def found_places(text: str, search: TextSearch) -> list[tuple[int, int]]:
    """The places, half-open and in order, at which a decoded text has what a search requires; those that overlap are joined."""
    places: list[tuple[int, int]] = []
    for start, end in sorted(_places(located_words(text), search)):
        if places and start < places[-1][1]:
            start, end = places[-1][0], max(end, places.pop()[1])
        places.append((start, end))
    return places


def _places(located: Sequence[LocatedWord], search: TextSearch) -> Iterator[tuple[int, int]]:
    words = [each.word for each in located]
    for term in search.required:
        parts = [term.words] if term.adjacent else [(word,) for word in term.words]
        for part in parts:
            for at in range(len(words) - len(part) + 1):
                if tuple(words[at : at + len(part)]) == part:
                    yield located[at].start, located[at + len(part) - 1].end
