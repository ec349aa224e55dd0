"""Everything that is derived from tweets: roll-ups, presence, hashtags, the word index, id ranges.

Whoever changes tweets does so within `maintain`, or calls `add_new` for new ones. All of it follows from the rows alone, and
`database verify` recounts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from collector.tweets import presence
from collector.tweets.rollups import ROLLUPS
from collector.values import TaggedTweet
from database.functions import among, quarter_hour, whole_hour
from database.statements import bulk_upsert, extend_range
from models import TWEET_WORDS, Hashtag, IdRange, Presence, Tweet, TweetHashtag
from text.names import hashtags
from text.words import index_words

MOST_KEYS = 10_000


@contextmanager
def maintain(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Keep everything derived right while the tweets with these ids, and no others, are added, changed or removed.

    A range of ids stands for tweets that are all removed, their entries in the word index by the caller.
    """
    texts = _texts(session, ids)
    counts = [rollup.count(session, ids) for rollup in ROLLUPS]
    written = presence.tweets_by_author(session, ids)
    yield
    session.flush()
    _index_changes(session, texts, _texts(session, ids))
    for rollup, before in zip(ROLLUPS, counts, strict=True):
        changes = rollup.count(session, ids)
        changes.subtract(before)
        rollup.change(session, changes)
    written_now = presence.tweets_by_author(session, ids)
    written_now.subtract(written)
    presence.change(session, written_now)
    _extend_ranges(session, (tuple(row) for row in session.execute(RANGES.where(among(Tweet.id, ids)))))


def add_new(session: Session, added: Sequence[TaggedTweet]) -> None:
    """Derive everything from tweets that were just inserted. All rows of theirs are those that are passed."""
    if not added:
        return
    texts = [(tagged.tweet.id, tagged.tweet.text) for tagged in added]
    TWEET_WORDS.add(session, words(texts))
    links = link_hashtags(session, texts)
    for rollup in ROLLUPS:
        rollup.change(session, Counter(key for tagged in added for key in rollup.keys_of(tagged, links[tagged.tweet.id])))
    written, ranges = presence.Written(), dict[int, tuple[int, int]]()
    for tweet in (tagged.tweet for tagged in added):
        created = int(tweet.created.timestamp())
        if tweet.author_id is not None:
            written[tweet.author_id, created // quarter_hour.seconds * quarter_hour.seconds] += 1
        hour = created // whole_hour.seconds * whole_hour.seconds
        first, last = ranges.get(hour, (tweet.id, tweet.id))
        ranges[hour] = (min(first, tweet.id), max(last, tweet.id))
    presence.change(session, written)
    _extend_ranges(session, ((hour, *range_) for hour, range_ in ranges.items()))


def clear(session: Session) -> None:
    """Delete everything derived, when all tweets are deleted. The rows of authors are left to the caller."""
    for table in (TweetHashtag, Presence, IdRange, *(rollup.table for rollup in ROLLUPS if not rollup.lasting)):
        session.execute(delete(table))
    TWEET_WORDS.clear(session)


def words(texts: Iterable[tuple[int, str]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Words of texts by tweet id, sorted by id, as the index stores them."""
    return ((tweet_id, index_words(text)) for tweet_id, text in sorted(texts))


def link_hashtags(session: Session, texts: Iterable[tuple[int, str]]) -> dict[int, list[int]]:
    """Link tweets to the hashtags of their texts, and return the ids of the hashtags by tweet."""
    named = [(tweet_id, hashtags(text)) for tweet_id, text in texts]
    spellings = {key: tag for _, tags in reversed(named) for key, tag in tags.items()}
    ids = _store_hashtags(session, spellings)
    links = {tweet_id: [ids[key] for key in tags] for tweet_id, tags in named}
    tweets = [tweet_id for tweet_id, linked in links.items() for _ in linked]
    bulk_upsert(session, TweetHashtag, {"tweet_id": tweets, "hashtag_id": [one for linked in links.values() for one in linked]})
    return links


def _texts(session: Session, ids: Collection[int]) -> dict[int, str]:
    if isinstance(ids, range):
        return {}
    rows = session.execute(select(Tweet.id, Tweet.text).where(among(Tweet.id, ids)))
    return {row.id: row.text for row in rows}


def _index_changes(session: Session, before: dict[int, str], after: dict[int, str]) -> None:
    """Index the words and hashtags of the texts that changed. The hashtag links of a removed tweet are deleted with it."""
    changed = {tweet_id: text for tweet_id, text in after.items() if before.get(tweet_id) != text}
    TWEET_WORDS.remove(session, words(before.items() - after.items()))
    if changed:
        TWEET_WORDS.add(session, words(changed.items()))
        session.execute(delete(TweetHashtag).where(among(TweetHashtag.tweet_id, changed)))
        link_hashtags(session, changed.items())


def _store_hashtags(session: Session, spellings: Mapping[str, str]) -> dict[str, int]:
    """Store the hashtags that are new, spelled as they are here, and return the ids of all by key."""
    ids = _ids_by_key(session, list(spellings))
    new = [{"key": key, "tag": tag, "tweets": 0} for key, tag in spellings.items() if key not in ids]
    if new:
        ids |= {row.key: row.id for row in session.execute(_INSERT_HASHTAGS, new)}
    return ids


def _ids_by_key(session: Session, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(keys), MOST_KEYS):
        rows = select(Hashtag.key, Hashtag.id).where(Hashtag.key.in_(keys[start : start + MOST_KEYS]))
        found |= {row.key: row.id for row in session.execute(rows)}
    return found


def _extend_ranges(session: Session, ranges: Iterable[tuple[Any, ...]]) -> None:
    extend_range(session, IdRange, [{"start": start, "first_id": first, "last_id": last} for start, first, last in ranges])


_hour = whole_hour(Tweet.created).label("hour")
RANGES = select(_hour, func.min(Tweet.id), func.max(Tweet.id)).group_by(_hour)
"""Lowest and highest id of the tweets of each hour, by which a list sorted by id is limited to a period.

Ids tell the time of nearly every tweet, but archives hold others. A stored range is never narrowed: tweets may be in it.
"""
_hashtags: Any = Hashtag.__table__
_INSERT_HASHTAGS = insert(_hashtags).returning(_hashtags.c.key, _hashtags.c.id)
