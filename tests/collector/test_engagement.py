"""Numbers, links and mentions of tweets, in whatever order X and archives give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from alchemy import Database
from collector.runs import runs
from collector.tweets.deletions import delete_tweet
from collector.tweets.measurements import COLUMNS
from collector.tweets.observations import store_observations
from collector.tweets.rereading import reread_payloads
from collector.tweets.store import store
from collector.values import TaggedTweet
from collector.x import parsing
from collector.x.documents import unpack
from models import EarlierMeasurement, Payload, Tweet, TweetLink, TweetMention
from tests.collector.conftest import rows
from tests.fixtures.archives import Json, edited, page, post

pytestmark = pytest.mark.usefixtures("database_backend")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMES = ("like", "retweet", "reply", "quote", "bookmark", "impression")


def counted(*numbers: int | None) -> Json:
    return {"public_metrics": {f"{name}_count": n for name, n in zip(NAMES, numbers, strict=False) if n is not None}}


def linking(*urls: str, **more: Any) -> Json:
    return {"entities": {"urls": [{"url": "https://t.co/a", "expanded_url": url} for url in urls], **more}}


def stored(database: Database, *observed: tuple[Json, datetime]) -> None:
    """Store tweets, each observed at a time and in a transaction of its own."""
    for one, when in observed:
        with database.writing() as session:
            found = [TaggedTweet(tweet, ()) for tweet in parsing.page(page(one), observed=when).tweets]
            store(session, found, [], run_id=runs.begin_import(session))


def numbers(database: Database) -> Any:
    return rows(database, select(*(getattr(Tweet, name) for name in COLUMNS)).order_by(Tweet.id))


def earlier(database: Database) -> Any:
    return rows(database, select(EarlierMeasurement.at, EarlierMeasurement.likes).order_by(EarlierMeasurement.at))


def contents(database: Database) -> tuple[Any, ...]:
    flags = select(Tweet.has_media, Tweet.has_link, Tweet.is_reply, Tweet.is_quote).order_by(Tweet.id)
    links = select(TweetLink.domain, TweetLink.url).order_by(TweetLink.url)
    mentions = select(TweetMention.username).order_by(TweetMention.username)
    return tuple(tuple(tuple(row) for row in rows(database, query)) for query in (flags, links, mentions))


def later(hours: int) -> datetime:
    return NOON + timedelta(hours=hours)


@pytest.mark.dialects
@pytest.mark.parametrize("order", ["0123", "3210", "1032", "2301"])
def test_the_newest_measurement_is_shown_and_the_others_are_kept(database: Database, order: str) -> None:
    first, second = post(1, **counted(1, 2, 3, 4, 5, 6)), edited(1, 2, text="on call again", **counted(9, 8, None, 0, 1, None))
    observed = [(first, NOON), (second, later(2)), (post(1), later(3)), (first, later(1))]
    stored(database, *(observed[int(n)] for n in order), observed[0])
    assert numbers(database) == [(9, 8, None, 0, 1, None, 17, later(2))]
    assert earlier(database) == [(NOON, 1), (later(1), 1)]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_measurements_in_a_second_the_higher_numbers_count(database: Database, turned: bool) -> None:
    observed = [(post(1, **counted(1, 5, None)), NOON), (post(1, **counted(2, 4, 0)), NOON + timedelta(microseconds=7))]
    stored(database, *(reversed(observed) if turned else observed))
    assert numbers(database) == [(2, 5, 0, None, None, None, 7, NOON)]
    assert earlier(database) == []


@pytest.mark.parametrize(
    "metrics", [None, {}, {"like_count": None, "retweet_count": -1, "reply_count": "x"}, {"like_count": 10**16}]
)
def test_a_tweet_without_numbers_was_never_measured(database: Database, metrics: Any) -> None:
    stored(database, (post(1, public_metrics=metrics), NOON))
    assert numbers(database) == [(None,) * len(COLUMNS)]


def test_views_alone_are_a_measurement_without_engagement(database: Database) -> None:
    stored(database, (post(1, **counted(None, None, None, None, None, 7)), NOON))
    assert numbers(database) == [(None, None, None, None, None, 7, None, NOON)]


def test_both_vocabularies_of_x_are_read() -> None:
    renamed = {"public_metrics": {"like_count": 1, "repost_count": 2, "reply_count": "3"}}
    referring = {"referenced_posts": [{"type": "quoted", "id": "1"}, {"type": "replied_to", "id": "2"}]}
    note = {"text": "words", **linking("https://example.com/long")}
    found = parsing.tweet({**post(1), **renamed, **referring, **linking("https://example.com/a"), "note_post": note})
    assert (found.measurements[0][1:5], found.is_reply, found.is_quote) == ((1, 2, 3, None), True, True)
    assert found.links == ("https://example.com/a", "https://example.com/long")


def test_an_address_that_x_resolved_counts_and_each_once() -> None:
    resolved = {"expanded_url": "https://short.example/1", "unwound_url": "https://www.example.com/a?utm_source=x"}
    found = parsing.tweet({**post(1), "entities": {"urls": [resolved, {"expanded_url": "https://example.com/a#top"}, 7, {}]}})
    assert found.links == ("https://example.com/a",)


@pytest.mark.dialects
@pytest.mark.parametrize("order", ["012", "021", "102", "120", "201", "210"])
def test_links_mentions_and_kind_are_those_of_the_newest_version(database: Database, order: str) -> None:
    first = post(1, **linking("https://one.example/a", mentions=[{"username": "Ada"}]), attachments={"media_keys": ["3_1"]})
    mentioned = [{"username": "Bob"}, {"username": "bob"}, {"username": "no name"}]
    second = edited(1, 2, text="edited", **linking("https://two.example/b", mentions=mentioned), in_reply_to_user_id="7")
    alone = {**second, "edit_history_tweet_ids": [second["id"]]}
    stored(database, *([(first, NOON), (alone, later(1)), (second, later(2))][int(n)] for n in order))
    assert contents(database) == (((False, True, True, False),), (("two.example", "https://two.example/b"),), (("bob",),))
    assert rows(database, select(TweetLink.created)) == rows(database, select(Tweet.created))


def test_what_a_newer_answer_says_of_the_same_version_replaces_what_it_linked_to(database: Database) -> None:
    stored(database, (post(1, **linking("https://one.example")), NOON), (post(1, **linking("https://two.example")), later(1)))
    assert contents(database)[1] == (("two.example", "https://two.example"),)
    stored(database, (post(1), later(2)))
    assert contents(database) == (((False, False, False, False),), (), ())


@pytest.mark.dialects
def test_it_all_goes_with_the_tweet(database: Database) -> None:
    one = post(1, **counted(1), **linking("https://one.example", mentions=[{"username": "ada"}]))
    stored(database, (one, NOON), (one, later(1)))
    assert earlier(database)
    with database.writing() as session:
        delete_tweet(session, int(one["id"]))
    assert (earlier(database), contents(database)) == ([], ((), (), ()))


@pytest.mark.dialects
def test_what_an_older_program_did_not_store_is_read_from_the_payloads(database: Database) -> None:
    second = edited(1, 2, text="edited", **counted(5), **linking("https://two.example", mentions=[{"username": "ada"}]))
    stored(database, (post(1, **counted(3), **linking("https://one.example")), NOON), (second, later(1)), (post(3), NOON))
    before = numbers(database), earlier(database), contents(database)
    with database.writing() as session:
        nothing = dict.fromkeys(COLUMNS) | dict.fromkeys(("has_media", "has_link", "is_reply", "is_quote"), False)
        session.execute(update(Tweet).values(**nothing))
        for table in (EarlierMeasurement, TweetLink, TweetMention):
            session.execute(delete(table))
        reread_payloads(session)
    assert (numbers(database), earlier(database), contents(database)) == before
    with database.writing() as session:
        reread_payloads(session)
    assert (numbers(database), earlier(database), contents(database)) == before


PLACE = {"id": "p1", "full_name": "Berlin", "country": "Germany", "country_code": "DE", "place_type": "city"}


def seen_again(database: Database, *posts: Json, at: datetime) -> set[int]:
    with database.writing() as session:
        read = parsing.page(page(*posts), observed=at)
        return store_observations(session, read.tweets, run_id=runs.begin_import(session))


@pytest.mark.dialects
def test_a_second_look_stores_newer_numbers_and_edits_of_stored_tweets_only(database: Database) -> None:
    first = post(1, **counted(1), geo={"place_id": "p1"})
    with database.writing() as session:
        read = parsing.page(page(first, post(5), places=[PLACE]), observed=NOON)
        store(session, [TaggedTweet(one, ()) for one in read.tweets], [], run_id=runs.begin_import(session))
    again = edited(1, 2, text="edited", **counted(9), geo={"place_id": "p1"})
    first_id, other_id = int(first["id"]), int(post(5)["id"])
    assert seen_again(database, again, post(5, **counted(0)), post(8, **counted(7)), at=later(1)) == {first_id, other_id}
    shown = select(Tweet.text, Tweet.country, Tweet.likes, Tweet.measured).order_by(Tweet.id)
    expected = [("edited", "Germany", 9, later(1)), (post(5)["text"], None, 0, later(1))]
    assert rows(database, shown) == expected
    assert earlier(database) == [(NOON, 1)]
    kept = rows(database, select(Payload.body).where(Payload.id == int(again["id"])))
    assert unpack(kept[0].body) == {"data": again, "includes": {"places": [PLACE]}}
    seen_again(database, again, at=NOON - timedelta(hours=1))
    assert rows(database, shown) == expected
    assert seen_again(database, post(8), at=later(2)) == set()
