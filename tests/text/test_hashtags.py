"""Hashtags in texts: what X would link, and what can be tracked."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.runs.tags import InvalidTag, hashtag
from tests.schemas.views import MANY
from text.names import hashtags, key

LONGEST = "y" * 100


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("no hashtag here, not even C# or # alone", []),
        ("#DevOps, (#SRE)! ＃Cloud.", ["#DevOps", "#SRE", "#Cloud"]),
        ("#1 #2026 #1st #5G #_ #_1 #__a", ["#1st", "#5G", "#__a"]),
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
        ("#dev\u3164ops #\u3164 #\u115f\u1160 #sre\u034f", ["#dev", "#sre"]),
        ("#a\u0345 #\u03b1\u0345\u0342", ["#ᾷ"]),
        ("辻\U000e0100#sre", []),
    ],
)
def test_a_hashtag_is_found_where_x_sees_one(text: str, found: list[str]) -> None:
    assert list(hashtags(text).values()) == found
    assert list(hashtags(text)) == [key(tag) for tag in found]


def test_what_is_found_in_a_text_is_what_can_be_tracked() -> None:
    for name in ("_", "ㅤ", "a\u0345", "1", "a b", "a-b", "²", "Ⅳ", "", "y" * 101):
        assert key(name) not in hashtags(f"on call #{name}"), name
        with pytest.raises(InvalidTag):
            hashtag(name)


HONEST = """DevOps_2026 5G ÆØÅ Straße İstanbul naïve Việt_Nam ʻOkina ª ᾳ Ελλάδα Київ Қазақстан Հայաստան საქართველო עברית שָׁלוֹם
    العربية مُحَمَّد فارسی اردو हिन्दी বাংলা ਪੰਜਾਬੀ ગુજરાતી தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල ภาษาไทย น้ำ ລາວ བོད မြန်မာ ខ្មែរ አማርኛ
    ᏣᎳᎩ ⵜⴰⵎⴰⵣⵉⵖⵜ ߒߞߏ ꦗꦮ 𞤀𞤣𞤤𞤢𞤥 日本語 カタカナ ｶﾀｶﾅ ﾊﾟﾘ ひらがな 々 ー 中文 繁體 𠮷野家 한국어 각"""


def test_honest_tags_of_all_scripts_are_tracked_and_found_in_texts_however_they_are_composed() -> None:
    for name in HONEST.split():
        for written in (name, unicodedata.normalize("NFD", name)):
            assert hashtag(written) == hashtag(name)
            assert list(hashtags(f"on call #{written} again")) == [key(f"#{name}")]


UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\ufe00\ufe0f\uffa0\U000e0100\U000e01ef\u200b\u2060\xad"


def test_what_has_no_letter_or_what_is_not_seen_is_refused() -> None:
    for name in ("_", "__", "_1", "1_", "\u0301", "a\u0345", "\u0345"):
        with pytest.raises(InvalidTag, match="digits and underscores, one a letter"):
            hashtag(name)
    for sign in UNSEEN:
        for name in (sign, f"sre{sign}", f"{sign}sre", f"s{sign}re", f"설{sign}계"):
            with pytest.raises(InvalidTag, match="nothing unseen"):
                hashtag(name)


@MANY
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("#＃_&a1é\u0301\ufe0f。"), max_size=60))
def test_every_hashtag_of_any_text_can_be_tracked(text: str) -> None:
    for found, tag in hashtags(text).items():
        assert hashtag(tag) == tag
        assert key(tag) == found
