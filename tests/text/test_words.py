"""Words: what a text is found by, in any script."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.schemas.views import MANY
from text.words import LONGEST, RULES, index_words, query_words

SIGNS = [chr(sign) for sign in [*range(0x20000), *range(0x20000, 0x110000, 97)]]
LETTERS = [sign for sign in SIGNS[::7] if unicodedata.category(sign)[0] in "LN"]
WRITTEN = st.text(st.characters(codec="utf-8") | st.sampled_from("aÉßİΣи東京ひーガ食ที่ខ្មែमि한️‍_ 1②\u0301"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("Again, and AGAIN: on-call_2!", ("again", "and", "again", "on", "call_2")),
        ("#SRE @ada_m https://t.co/Ab1", ("sre", "ada_m", "https", "t", "co", "ab1")),
        ("R&amp;D isn't", ("r", "d", "isn", "t")),
        ("Café CAFE\u0301 cafe", ("café", "café", "cafe")),
        ("STRASSE Straße ΣΊΣΥΦΟΣ σίσυφος", ("strasse", "strasse", "σίσυφοσ", "σίσυφοσ")),
        ("हिन्दी में, بالعَرَبِيّة", ("हिन्दी", "में", "بالعَرَبِيّة")),
        ("한국어 단어", ("한국어", "단어")),
        ("1️⃣ ❤️ 🚀 ½ ②", ("1", "½", "②")),
        ("\u0301 \u0301a", ("a",)),
        ("a\0b\ud800c", ("a", "b", "c")),
    ],
)
def test_a_text_is_found_by_its_words(text: str, words: tuple[str, ...]) -> None:
    assert index_words(text) == words
    assert query_words(text) == tuple(dict.fromkeys(words))


@pytest.mark.parametrize(
    ("text", "found_by", "asks_for"),
    [
        ("食", ("食",), ("食",)),
        ("東京へ", ("東", "東京", "京", "京へ", "へ"), ("東京", "京へ")),
        ("AI東京2020", ("ai", "東", "東京", "京", "2020"), ("ai", "東京", "2020")),
        ("葛\U000e0100城", ("葛", "葛城", "城"), ("葛城",)),
        ("が か\u3099", ("が", "が"), ("が",)),
        ("ที่", ("ท", "ที", "ี่"), ("ที", "ี่")),
        ("ラー・メン", ("ラ", "ラー", "ー", "メ", "メン", "ン"), ("ラー", "メン")),
    ],
)
def test_scripts_without_spaces_are_cut_into_pairs(text: str, found_by: tuple[str, ...], asks_for: tuple[str, ...]) -> None:
    assert (index_words(text), query_words(text)) == (found_by, asks_for)


def test_a_long_word_is_cut_the_same_in_text_and_question() -> None:
    assert index_words("é" * (LONGEST + 1)) == query_words("É" * (LONGEST + 50)) == ("é" * LONGEST,)
    assert unicodedata.unidata_version in RULES  # of another one, all texts are indexed anew


def test_every_letter_and_number_is_a_word_and_nothing_else_is() -> None:
    assert all(len(query_words(sign)) == 1 for sign in LETTERS)
    rest = "".join(sign for sign in SIGNS if unicodedata.category(sign)[0] not in "LNM" and sign != "_")
    assert index_words(rest) == ()


@MANY
@given(WRITTEN, st.integers(0, 50), st.integers(0, 50))
def test_what_stands_in_a_text_is_found_by_it(text: str, start: int, end: int) -> None:
    """Between spaces or at its ends, or anywhere in a script without spaces."""
    assert set(query_words(text)) <= set(index_words(text))
    for part in text.split():
        assert set(query_words(part)) <= set(index_words(text))
    unspaced = "".join(sign for sign in text if "\u4e00" <= sign <= "\u9fff")
    assert set(query_words(unspaced[start:end])) <= set(index_words(f"x {unspaced}y"))
    assert index_words(unicodedata.normalize("NFD", text)) == index_words(text)  # however it is written
    plain = text.replace("\u0345", "")
    assert query_words(plain.casefold()) == query_words(plain)
