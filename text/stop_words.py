"""Stop words: words so frequent in a language that they tell nothing of a text's subject."""

from __future__ import annotations

from functools import cache, lru_cache

from text.words import words_in_order

X_CODES = {"in": "id", "iw": "he"}
"""Codes of languages that X writes in their older form."""
DEFAULT = "en"
TELLING = frozenset((
    "affected", "auth", "bill", "cause", "caused", "causes", "computer", "copy", "down", "effect", "empty", "fire",
    "homepage", "html", "http", "index", "information", "key", "keys", "microsoft", "null", "page", "pages", "problem",
    "problems", "research", "state", "states", "system", "test", "value", "webpage", "website", "world",
))  # fmt: skip
"""Words of the English list that do tell a subject here, as in `status page` or `system down`."""


@lru_cache
def stop_words(lang: str | None) -> frozenset[str]:
    """Return the stop words of a language by its code at X, together with those of English, which is mixed into all of them."""
    code = (lang or DEFAULT).lower().partition("-")[0]
    return _listed(X_CODES.get(code, code)) | _listed(DEFAULT)


@cache
def _listed(code: str) -> frozenset[str]:
    """Return the library's list of a language, folded and split as texts are; an entry of several words is left out."""
    import stopwordsiso  # reads its file when it is imported: 35 ms and 7 MB, which a start need not pay

    entries = (entry for entry in stopwordsiso.stopwords(code) if " " not in entry)
    return frozenset(word for entry in entries for word in words_in_order(entry)) - TELLING
