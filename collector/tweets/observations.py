"""Stores what X says of tweets when it is asked for them again by their ids: newer numbers, and edits made meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from collector import counters
from collector.tweets.store import store
from collector.values import TaggedTweet, TweetVersion
from collector.x import parsing
from collector.x.documents import pack_tweet, unpack
from database.functions import among
from models import Payload, Tweet, Version


def store_observations(session: Session, found: Iterable[TweetVersion], *, run_id: int) -> set[int]:
    """Store what X gave of tweets that are stored, as parsing.page reads it, and return their ids. Others are left out.

    Their numbers become the newest measurement unless a newer one is stored, an edit's text is shown, and the payloads are
    kept. Their tags, their `rash` and their authors stay. An answer without places keeps the places that are known.
    """
    found = list(found)
    stored = _stored_ids(session, {version for tweet in found for version in tweet.versions})
    known = [tweet for tweet in found if not stored.keys().isdisjoint(tweet.versions)]
    ids = {stored[version] for tweet in known for version in tweet.versions if version in stored}
    places = _known_places(session, ids)
    store(session, [TaggedTweet(_with_place(tweet, places), ()) for tweet in known], [], run_id=run_id)
    if ids:
        counters.bump_sequence(session)
    return ids


def _stored_ids(session: Session, versions: set[int]) -> dict[int, int]:
    """Return the ids of tweets by those of their versions that are stored."""
    own = select(Tweet.id, Tweet.id).where(among(Tweet.id, versions))
    later = select(Version.id, Version.tweet_id).where(among(Version.id, versions))
    return dict[int, int]((row[0], row[1]) for row in session.execute(union(own, later)))


def _known_places(session: Session, ids: Iterable[int]) -> dict[str, Mapping[str, Any]]:
    """Return the places that the payloads of tweets contain, by id."""
    bodies = session.scalars(select(Payload.body).where(among(Payload.tweet_id, ids)))
    return {str(place["id"]): place for body in bodies for place in _places(body)}


def _places(body: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        return [place for place in unpack(body).get("includes", {}).get("places", ()) if "id" in place]
    except (ValueError, AttributeError, TypeError):
        return []


def _with_place(tweet: TweetVersion, places: Mapping[str, Mapping[str, Any]]) -> TweetVersion:
    if not places or not tweet.payload or not tweet.retrieved or _places(tweet.payload):
        return tweet
    post = parsing.mapping(unpack(tweet.payload).get("data"))
    place = places.get(parsing.text(parsing.mapping(post.get("geo")).get("place_id")) or "")
    if not place:
        return tweet
    return parsing.tweet(post, place=place).observed_at(tweet.retrieved)._replace(payload=pack_tweet(post, place))
