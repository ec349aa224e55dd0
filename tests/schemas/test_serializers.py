"""Answers of queries in the shapes of the API, as JSON, NDJSON and ids; what is written is read back as the same tweets."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from collector.x.parsing import LARGEST_ID
from queries.authors import AuthorRank
from queries.collections import CollectionView, TagOutcome
from queries.gaps import Gap
from queries.tweets import TweetView
from schemas import serializers
from schemas.records import record
from schemas.serializers import encode
from schemas.tweets import encode_tweet, id_pieces, json_pieces, ndjson_pieces, tweet_json
from tests.schemas.views import MANY, views

NOON = datetime(2026, 11, 17, 12, 34, 56, tzinfo=UTC)
TEXT = "<b>&amp; \u2028 “ünïcödé” 🦉"
FULL = TweetView(
    text=TEXT,
    author="Ada Muster",
    followers=120,
    created=NOON,
    lang="en",
    country="Colombia",
    rash="#sre",
    id=LARGEST_ID,
    username="ada_muster",
    tags=("#devops", "#sre"),
    country_code="CO",
    author_id=2**53 + 1,
    observed=NOON,
    version=LARGEST_ID,
    versions=(LARGEST_ID,),
    likes=5,
    reposts=0,
    views=900,
    engagement=5,
    measured=NOON,
    has=("media", "link"),
    links=("https://example.com/a",),
    mentions=("eve",),
)
BARE = TweetView("x", None, None, NOON, None, None, None, 1, None, (), None, None, None, 1, (1,))


def test_a_tweet_s_keys_are_the_original_ones_first_in_their_order() -> None:
    assert list(tweet_json(FULL))[:7] == ["tweet", "author", "followers", "created", "lang", "country", "rash"]
    assert tweet_json(FULL) == {
        "tweet": TEXT,
        "author": "Ada Muster",
        "followers": 120,
        "created": "2026-11-17T12:34:56Z",
        "lang": "en",
        "country": "Colombia",
        "rash": "#sre",
        "id": "9223372036854775807",
        "username": "ada_muster",
        "tags": ("#devops", "#sre"),
        "country_code": "CO",
        "author_id": "9007199254740993",
        "observed": "2026-11-17T12:34:56Z",
        "version": "9223372036854775807",
        "versions": ("9223372036854775807",),
        "likes": 5,
        "reposts": 0,
        "replies": None,
        "quotes": None,
        "bookmarks": None,
        "views": 900,
        "engagement": 5,
        "measured": "2026-11-17T12:34:56Z",
        "has": ("media", "link"),
        "links": ("https://example.com/a",),
        "mentions": ("eve",),
    }


def test_what_x_did_not_give_is_null_and_a_stand_in_for_an_author_s_id_is_not_shown() -> None:
    given = {name: value for name, value in tweet_json(BARE).items() if value is not None}
    none = {"tags": (), "has": (), "links": (), "mentions": ()}
    assert given == {"tweet": "x", "created": "2026-11-17T12:34:56Z", "id": "1", "version": "1", "versions": ("1",), **none}
    assert tweet_json(FULL._replace(author_id=-5))["author_id"] is None


def test_the_pieces_of_all_tweets_are_one_json_document() -> None:
    many: list[list[list[TweetView]]] = [[], [[FULL]], [[FULL, BARE], [BARE]]]
    for batches in many:
        pieces = list(json_pieces([encode_tweet(view) for view in batch] for batch in batches))
        views = [json.loads(json.dumps(tweet_json(view))) for batch in batches for view in batch]
        assert json.loads(b"".join(pieces)) == {"tweets": views}
        assert len(pieces) == len(batches) + 2
    assert list(id_pieces([[1, 2], [], [3]])) == [b"1\n2\n", b"", b"3\n"]


def test_an_author_has_the_contract_s_keys() -> None:
    assert json.loads(encode({"authors": [AuthorRank("Ada Muster", None, "ada_muster", 3, 12)]})) == {
        "authors": [{"author": "Ada Muster", "followers": None, "username": "ada_muster", "tweets": 3, "engagement": 12}]
    }


def test_a_collection_shows_its_spend_in_dollars_between_floor_and_ceiling() -> None:
    outcome = TagOutcome("#sre", "failed", 0, "X is unwell: status 503")
    gap = Gap("#sre", 10, 20, False, 7)
    view = CollectionView(7, "running", NOON, None, 3, 100, 60, 500_000, 1_100_000, None, (outcome,), (gap,))
    assert json.loads(encode(serializers.collection(view))) == {
        "id": 7,
        "state": "running",
        "started": "2026-11-17T12:34:56Z",
        "ended": None,
        "tweets_added": 3,
        "tags": [{"tag": "#sre", "state": "failed", "added": 0, "reason": "X is unwell: status 503"}],
        "spend": {"posts": 100, "users": 60, "floor_usd": 0.5, "ceiling_usd": 1.1},
        "gaps": [{"tag": "#sre", "since_id": "10", "until_id": "20", "expired": False}],
        "error": None,
    }


@MANY
@given(st.lists(views(), max_size=4), st.booleans())
def test_a_line_is_read_back_as_the_tweet_that_was_written(batch: list[TweetView], escaped: bool) -> None:
    lines = b"".join(ndjson_pieces([[encode_tweet(view) for view in batch], []])).splitlines()
    assert len(lines) == len(batch)
    for line, view in zip(lines, batch, strict=True):
        read = record(json.dumps(json.loads(line)).encode() if escaped else line)
        assert not read.refused
        ((tweet, tags, rash),) = read.tweets
        assert (tweet.id, tweet.version, tweet.versions) == (view.id, view.version, view.versions)
        assert (tweet.text, tweet.created, tweet.lang) == (view.text, view.created, view.lang)
        assert (tweet.country, tweet.country_code, tweet.author_id) == (view.country, view.country_code, view.author_id)
        assert (tags, rash) == (view.tags, view.rash)
        assert (tweet.links, tweet.mentions) == (view.links, view.mentions)
        flags = {"media": tweet.has_media, "link": tweet.has_link, "reply": tweet.is_reply, "quote": tweet.is_quote}
        assert {name for name, flag in flags.items() if flag} == set(view.has)
        assert [(*one[1:], one.engagement, one.at) for one in tweet.measurements] == ([view[15:23]] if view.measured else [])
        assert [author[:5] for author in read.authors] == (
            [(view.author_id, view.username, view.author, view.followers, view.observed)] if view.author_id else []
        )
