"""Hashtags in texts: what X would link, and what can be tracked."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.tags import TagRefused, hashtag
from text.hashtags import hashtags, key

LONGEST = "y" * 100


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("no hashtag here, not even C# or # alone", []),
        ("on call again #sre", ["#sre"]),
        ("#DevOps, (#SRE)! ＃Cloud.", ["#DevOps", "#SRE", "#Cloud"]),
        ("#sre #SRE #Sre", ["#sre"]),
        ("#1 #2026 #1st #5G #_", ["#1st", "#5G", "#_"]),
        ("mail#sre 設計#sre é#sre _#sre 7#sre", []),
        ("AT&#sre &#39;quoted&#39; &amp; #ok", ["#ok"]),
        ("#Straße #STRASSE", ["#Straße"]),
        ("#café #cafe\u0301", ["#café"]),
        ("#हिन्दी and #ไทย", ["#हिन्दी", "#ไทย"]),
        ("#設計、#監視。終わり", ["#設計", "#監視"]),
        ("#a。b#c", ["#a"]),
        ("❤\ufe0f#love\u2764\ufe0f", ["#love"]),
        ("#\ufe0f\u20e3sre #\u20e3sre", []),
        ("#devops#sre", []),
        ("#http://example.com #sre:", ["#sre"]),
        ("##sre #-dev #dev-ops", ["#sre", "#dev"]),
        (f"#{LONGEST} #{LONGEST}z", [f"#{LONGEST}"]),
        ("#a²b #IVⅣ", ["#a", "#IV"]),
    ],
)
def test_a_hashtag_is_found_where_x_sees_one(text: str, found: list[str]) -> None:
    assert list(hashtags(text).values()) == found
    assert list(hashtags(text)) == [key(tag) for tag in found]


@pytest.mark.parametrize(
    "name", ["sre", "Straße", "café", "हिन्दी", "設計", "_", "5G", "1", "a b", "a-b", "²", "Ⅳ", "", "y" * 101]
)
def test_what_is_found_in_a_text_is_what_can_be_tracked(name: str) -> None:
    found = key(name) in hashtags(f"on call #{name}")
    try:
        hashtag(name)
    except TagRefused:
        assert not found
    else:
        assert found


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("#＃_&a1é\u0301\ufe0f。"), max_size=60))
def test_every_hashtag_of_any_text_can_be_tracked(text: str) -> None:
    for found, tag in hashtags(text).items():
        assert hashtag(tag) == tag
        assert key(tag) == found


def test_every_letter_of_unicode_makes_a_hashtag_as_tracking_has_it() -> None:
    letters = [chr(code) for code in range(0x80, sys.maxunicode + 1, 7) if unicodedata.category(chr(code))[0] == "L"]
    assert len(letters) > 10_000
    assert [letter for letter in letters if not hashtags(f" #{letter}1")] == []
