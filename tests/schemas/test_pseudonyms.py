"""Pseudonyms: the same under a key, nothing of the original left, and tweets that can be imported."""

from __future__ import annotations

import re
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.x.parsing import LARGEST_ID
from queries.tweets import TweetView
from schemas.pseudonyms import KEY_BYTES, Pseudonyms, new_key
from schemas.records import record
from schemas.tweets import tweet_json
from tests.schemas.views import MANY, views

KEY = bytes(range(KEY_BYTES))
NAMES = Pseudonyms(KEY)
IDS = st.integers(0, LARGEST_ID)
LINK, MENTION = r"https://url\.invalid/[a-z2-7]{14}", r"@u[a-z2-7]{14}"


@MANY
@given(IDS, IDS)
def test_different_ids_have_different_pseudonyms(one: int, other: int) -> None:
    found = NAMES.number("tweet", one), NAMES.number("tweet", other)
    assert all(0 <= number <= LARGEST_ID for number in found)
    assert (found[0] == found[1]) == (one == other)


def test_the_pseudonyms_of_ids_in_a_row_are_in_no_order_and_depend_on_the_kind_and_the_key() -> None:
    numbers = [NAMES.number("tweet", 2028387331077046272 + number) for number in range(1000)]
    ups = sum(one < other for one, other in pairwise(numbers))
    assert 400 < ups < 600
    assert len(set(numbers)) == 1000
    assert all(400 < sum(number >> bit & 1 for number in numbers) < 600 for bit in range(63))
    assert NAMES.number("author", 5) != NAMES.number("tweet", 5) != Pseudonyms(new_key()).number("tweet", 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hi @Ada_1, and＠ada_1!", rf"hi {MENTION}, and{MENTION}!"),
        ("@adaさん", rf"{MENTION}さん"),
        ("@Бо", MENTION),
        ("see https://t.co/AbC1x!これ", rf"see {LINK}!これ"),
        ("see http://example.com/ada?x=@ada#sre now", rf"see {LINK} now"),
        ("https://müller.de/ü", LINK),
        ("www.example.com/ada x.com/ada/status/1 pic.twitter.com/abc t.co/x", rf"{LINK} {LINK} {LINK} {LINK}"),
        ("write to ada.m+x@mail.example.com", r"write to [a-z2-7]{14}@address\.invalid"),
        ("https://t.co/AbC?u=johndoe https://t.co/AbC/johndoe, (https://t.co/AbC)", rf"{LINK} {LINK}, \({LINK}\)"),
        ("nitter.net/johndoe instagram.com/johndoe x.com:443/johndoe", rf"{LINK} {LINK} {LINK}"),
        ("(twitter.com?u=johndoe) ...x.com/johndoe. x\u200d.com./johndoe", rf"\({LINK}\) {LINK}\. {LINK}"),
        ("see https://example.com/johndoe.", rf"see {LINK}\."),
        ("@x.com/johndoe @https://x.com/johndoe", rf"@{LINK} @{LINK}"),
        ("JohnDoe@localhost a@x.com/johndoe a@https://x.com/johndoe", " ".join([r"[a-z2-7]{14}@address\.invalid"] * 3)),
        ("o'john\u200ddoe@x.com", r"[a-z2-7]{14}@address\.invalid"),
        ("@john\u200ddoe! @\u2066john @josé\u0301doe", rf"{MENTION}! {MENTION} {MENTION}"),
        ("こんにちは@adaさん", rf"こんにちは{MENTION}さん"),
        ("Node.js: e.g./i.e. 1.5/2 and/or file.py", r"Node\.js: e\.g\./i\.e\. 1\.5/2 and/or file\.py"),
        ("#sre #devops stay, 12:30 too. And @ alone", r"\#sre\ \#devops\ stay,\ 12:30\ too\.\ And\ @\ alone"),
    ],
)
def test_mentions_and_urls_have_pseudonyms_and_the_rest_of_a_text_stays(text: str, expected: str) -> None:
    assert re.fullmatch(expected, NAMES.text(text))


def test_a_mention_is_the_pseudonym_of_the_author_in_any_spelling() -> None:
    for spelling in ("@ADA_Muster", "＠ada_muster", "@\u2066ada\u200d_muster\u2069"):
        assert NAMES.text(spelling) == f"@{NAMES.username('ada_muster')}"


@MANY
@given(views())
def test_nothing_is_left_of_who_wrote_it_and_the_tweet_can_be_imported(view: TweetView) -> None:
    shown = Pseudonyms(KEY).tweet(view)
    before, after = tweet_json(view), tweet_json(shown)
    for name in ("id", "version", "author_id", "author", "username"):
        assert (after[name] is None) == (before[name] is None)
        assert before[name] is None or before[name] != after[name]
    assert after["versions"] == (after["id"],)
    assert all(after[name] == before[name] for name in ("followers", "created", "lang", "country", "rash", "tags", "observed"))
    assert all(re.fullmatch(LINK, link) for link in after["links"])
    assert len(after["links"]) == len(before["links"])
    assert after["mentions"] == tuple(map(NAMES.username, before["mentions"]))
    read = record(orjson.dumps(after))
    assert not read.refused
    ((tweet, tags, _),) = read.tweets
    assert (tweet.id, tweet.version, tweet.text, tweet.created) == (shown.id, shown.id, shown.text, shown.created)
    assert (tweet.author_id, tags) == (shown.author_id, shown.tags)


SLOW = ["a" * 50_000, "a." * 25_000, "a@" * 25_000, "x@y" + ".y" * 25_000, "http:/" * 10_000, "+" * 50_000, "." * 50_000]
SLOW += ["a://" + "!" * 50_000, "a.aa?" * 10_000, "\u200d" * 50_000, "@\u200d" * 25_000, "@a." * 16_000, "@a.aa" * 10_000]
SLOW += ["@www." * 10_000, "@www." + "!" * 50_000, "t.co/a" * 8_000, "@a://" * 10_000, "www." + "!w" * 20_000]


@pytest.mark.parametrize("texts", [SLOW[:9], SLOW[9:]])
def test_no_text_takes_long(texts: list[str]) -> None:
    """A pattern that tries again from every sign would be busy for minutes, so that nobody could miss it."""
    for text in texts:
        NAMES.text(text)
