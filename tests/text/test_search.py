"""Searches: where a text has what is searched for, whatever its script and however it is written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.schemas.views import MANY
from text.search import TextSearch, found_places, parse_search
from text.words import index_words, located_words

WRITTEN = st.text(st.characters(codec="utf-8") | st.sampled_from("aÉßİΣи東京ひーガ食ที่ខ្មែមि한️‍_ 1②\u0301&;"))


@pytest.mark.parametrize(
    ("search", "text", "marked"),
    [
        ("CALL on", "On-call again, oncall", ["On", "call"]),
        ('"on call" -again', "call on: on ... CALL, again", ["on ... CALL"]),
        ('"a a"', "a a a b a", ["a a a"]),
        ("cafe\u0301", "Cafe\u0301 café CAFÉ cafe", ["Cafe\u0301", "café", "CAFÉ"]),
        ("strasse", "Die Straße.", ["Straße"]),
        ("東京", "東東京都の東 京", ["東京"]),
        ('"東京 2020"', "新東京2020年", ["東京2020"]),
        ('"京 東"', "東京東 京, 東", ["京, 東"]),
        ("한국어", unicodedata.normalize("NFD", "한국어 단어"), [unicodedata.normalize("NFD", "한국어")]),
        ("i\u0307stanbul", "<İstanbul>", ["İstanbul"]),
        ("-again", "again", []),
    ],
)
def test_what_was_searched_for_is_located(search: str, text: str, marked: list[str]) -> None:
    assert [text[start:end] for start, end in found_places(text, parse_search(search))] == marked


@MANY
@given(WRITTEN)
def test_words_are_located_as_they_are_indexed(text: str) -> None:
    located = located_words(text)
    assert located or not index_words(text.replace("&", " "))
    assert all(0 <= each.start < each.end <= len(text) for each in located)


@MANY
@given(WRITTEN, st.integers(0, 50), st.integers(0, 50))
def test_a_part_of_a_text_is_a_phrase_of_it(text: str, start: int, end: int) -> None:
    """Between spaces, or anywhere in a script without spaces; elsewhere it would end within a word."""
    unspaced, written = "".join(sign for sign in text if "\u4e00" <= sign <= "\u9fff"), text.replace("&", " ")
    for whole, part in ((f"x{unspaced}y", unspaced[start:end]), (written, " ".join(written.split()[start % 5 : end % 5]))):
        words, own = index_words(whole), index_words(part)
        assert any(words[at : at + len(own)] == own for at in range(len(words) + 1))


def test_an_empty_search_is_found_nowhere() -> None:
    assert found_places("on call", TextSearch()) == []
