"""Terms: the words and pairs of words that tell a text's subject."""

from __future__ import annotations

import pytest

from text.stop_words import stop_words
from text.terms import terms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", set()),
        ("The status page is DOWN, down", {"status", "page", "status page", "down", "down down"}),
        ("status: page", {"status", "page", "status page"}),
        ("Outage! https://t.co/Ab?x=1#sre page www.a.example", {"outage", "page"}),
        ("outage @Bo_1 page, a@b", {"outage", "page"}),
        ("#outage #SRE page ＃sre #sre2", {"outage", "page", "sre2"}),
        ("&#sre R&amp;Dept &lt;page&gt;", {"sre", "dept", "page", "dept page"}),
        ("障害情報 page 2", {"障害", "害情", "情報", "page"}),
        ("#障害 が", {"障害"}),
        ("café CAFE\u0301", {"café", "café café"}),
        ("x" * 101 + " ok", {"x" * 100}),
    ],
)
def test_the_terms_of_a_text(text: str, found: set[str]) -> None:
    assert terms(text, stop_words=stop_words("en"), tags={"#sre"}) == found


@pytest.mark.parametrize(
    ("lang", "word", "is_one"),
    [
        (None, "the", True),
        (None, "não", False),
        ("pt", "não", True),
        ("pt-BR", "não", True),
        ("pt", "the", True),
        ("xx", "the", True),
        ("in", "yang", True),
        ("iw", "של", True),
        ("ja", "です", True),
        ("en", "don", True),
        ("en", "page", False),
        ("en", "outage", False),
    ],
)
def test_stop_words_are_those_of_the_language_and_of_english(lang: str | None, word: str, is_one: bool) -> None:
    assert (word in stop_words(lang)) is is_one
