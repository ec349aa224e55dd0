"""Stores what a second look brought: newer payloads and texts of tweets that are stored; nothing is added."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from collector.tweets.store import store
from collector.values import FoundTweets, TaggedTweet, TweetVersion
from collector.x.documents import Unpackable, pack_tweet, unpack
from collector.x.parsing import items, mapping, text
from database.functions import among
from models import Payload, Tweet, Version


def store_again(session: Session, found: FoundTweets, *, run_id: int) -> None:
    """Store tweets that were looked up, without those that were deleted meanwhile. A known place stays with its tweet."""
    stored = _stored_versions(session, {tweet.version for tweet in found.tweets})
    tweets = [tweet for tweet in found.tweets if not stored.isdisjoint(tweet.versions)]
    store(session, [TaggedTweet(tweet, ()) for tweet in _with_places(session, tweets)], (), run_id=run_id)


def _stored_versions(session: Session, versions: Collection[int]) -> set[int]:
    own = select(Tweet.id).where(among(Tweet.id, versions))
    later = select(Version.id).where(among(Version.id, versions))
    return set(session.scalars(union_all(own, later)))


def _with_places(session: Session, tweets: Collection[TweetVersion]) -> Iterator[TweetVersion]:
    """Yield the tweets with the places that their stored payloads have: a look-up brings only the place's id."""
    located = {tweet.version for tweet in tweets if tweet.payload and _place_id(unpack(tweet.payload))}
    rows = session.execute(select(Payload.id, Payload.body).where(among(Payload.id, located))) if located else ()
    places = {row.id: _places(row.body) for row in rows}
    for tweet in tweets:
        yield _with_place(tweet, places.get(tweet.version) or {})


def _with_place(tweet: TweetVersion, places: dict[str, Any]) -> TweetVersion:
    """Return a tweet with its place, by which its country is known."""
    given = unpack(tweet.payload) if tweet.payload and places else {}
    place = places.get(_place_id(given) or "")
    if place is None:
        return tweet
    country, code = text(place.get("country")), text(place.get("country_code"))
    try:
        return tweet._replace(payload=pack_tweet(mapping(given.get("data")), place), country=country, country_code=code)
    except Unpackable:
        return tweet


def _place_id(payload: dict[str, Any]) -> str | None:
    return text(mapping(mapping(payload.get("data")).get("geo")).get("place_id"))


def _places(body: bytes) -> dict[str, Any]:
    """Return the places of a stored payload by their ids; none where it can't be read."""
    try:
        found = items(mapping(unpack(body).get("includes")).get("places"))
    except ValueError:
        return {}
    return {key: mapping(place) for place in found if (key := text(mapping(place).get("id")))}
