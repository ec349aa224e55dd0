"""What a tag asks of X: its own terms, so that unwanted posts aren't bought. Never raw operators."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from collector.values import TagRef

LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2})?")
MOST_LANGUAGES = 20
EXCLUSIONS = {"quotes": "is:quote", "replies": "is:reply"}


class Rules(NamedTuple):
    """Languages (any of them) and kinds of posts to leave out, both by name; how many posts a collection may buy."""

    lang: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tw_number: int | None = None

    @classmethod
    def of_row(cls, lang: str | None, exclude: str | None, tw_number: int | None) -> Rules:
        """Return the terms as a row of tags has them."""
        return cls(_words(lang), _words(exclude), tw_number)

    def query(self, tag: str) -> str:
        """Return the query for X; with the most languages it stays below X's 512 characters."""
        languages = " OR ".join(f"lang:{lang}" for lang in self.lang)
        excluded = [f"-{EXCLUSIONS[kind]}" for kind in self.exclude]
        return " ".join(filter(None, [tag, f"({languages})" if len(self.lang) > 1 else languages, *excluded]))


class TagOrder(NamedTuple):
    """A tag that is collected: its query, and the most posts that a collection may buy of it."""

    tag: TagRef
    query: str
    most: int


def join_words(words: Iterable[str]) -> str | None:
    """Return words as a row of tags keeps them: each once, by name."""
    return ",".join(sorted(set(words))) or None


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
