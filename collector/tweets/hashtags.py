"""Hashtags that occur in the texts of tweets: the links between both, and whether these are right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from database.statements import bulk_upsert
from models import Hashtag, Tweet, TweetHashtag
from text.hashtags import hashtags, key

MOST_KEYS = 10_000
BATCH = 10_000


def link(session: Session, texts: Iterable[tuple[int, str]]) -> dict[int, list[int]]:
    """Link tweets to the hashtags of their texts, and return the ids of the hashtags by tweet."""
    named = [(tweet_id, hashtags(text)) for tweet_id, text in texts]
    spellings = {key: tag for _, tags in reversed(named) for key, tag in tags.items()}
    ids = _store_hashtags(session, spellings)
    links = {tweet_id: [ids[key] for key in tags] for tweet_id, tags in named}
    tweets = [tweet_id for tweet_id, linked in links.items() for _ in linked]
    bulk_upsert(session, TweetHashtag, {"tweet_id": tweets, "hashtag_id": [one for linked in links.values() for one in linked]})
    return links


def misfiled_tweets(session: Session) -> Iterator[int]:
    """Ids of the tweets that are not linked to exactly the hashtags of their text."""
    names = {number: key for number, key in session.execute(select(Hashtag.id, Hashtag.key))}  # noqa: C416 (a dict of rows)
    after = -1
    while texts := session.execute(TEXTS.where(Tweet.id > after)).all():
        linked: dict[int, set[str | None]] = {row.id: set() for row in texts}
        links = select(TweetHashtag.tweet_id, TweetHashtag.hashtag_id)
        for tweet_id, hashtag in session.execute(links.where(TweetHashtag.tweet_id.between(texts[0].id, texts[-1].id))):
            linked[tweet_id].add(names.get(hashtag))
        yield from (row.id for row in texts if hashtags(row.text).keys() != linked[row.id])
        after = texts[-1].id


def misnamed_hashtags(session: Session) -> int:
    """How many hashtags have a key that isn't their spelling's."""
    return sum(key(tag) != stored for tag, stored in session.execute(select(Hashtag.tag, Hashtag.key)))


def _store_hashtags(session: Session, spellings: Mapping[str, str]) -> dict[str, int]:
    """Store the hashtags that are new, spelled as they are here, and return the ids of all by key."""
    ids = _ids_by_key(session, list(spellings))
    new = [{"key": key, "tag": tag, "tweets": 0} for key, tag in spellings.items() if key not in ids]
    if new:
        ids |= {row.key: row.id for row in session.execute(_INSERT, new)}
    return ids


def _ids_by_key(session: Session, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(keys), MOST_KEYS):
        rows = select(Hashtag.key, Hashtag.id).where(Hashtag.key.in_(keys[start : start + MOST_KEYS]))
        found |= {row.key: row.id for row in session.execute(rows)}
    return found


TEXTS = select(Tweet.id, Tweet.text).order_by(Tweet.id).limit(BATCH)
_hashtags: Any = Hashtag.__table__
_INSERT = insert(_hashtags).returning(_hashtags.c.key, _hashtags.c.id)
