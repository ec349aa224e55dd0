"""Everything that is derived from tweets: roll-ups, presence, hashtags, the word index, id ranges, copies of columns.

Whoever changes tweets does so within `maintain`, or calls `add_new` for new ones. All of it follows from the rows alone, and
`database verify` recounts it. Words and hashtags of all tweets are indexed again when the rules by which a text is read differ
from those of the last run; they change with this program and with Python's Unicode data.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from collector.tweets.rollups import AGGREGATES, HASHTAGS, ROLLUPS, SUMS, TAG_HASHTAGS, Aggregate
from collector.values import TaggedTweet
from database.functions import among, whole_hour
from database.statements import bulk_upsert, extend_range, upsert
from models import (
    TWEET_WORDS,
    Author,
    Hashtag,
    IdRange,
    Presence,
    StoredCounter,
    TagHashtag,
    Tweet,
    TweetHashtag,
    TweetLink,
    TweetTag,
)
from text.names import RULES as HASHTAG_RULES
from text.names import hashtags
from text.words import RULES as WORD_RULES
from text.words import index_words

MOST_KEYS = BATCH = 10_000
WORDS_COUNTER, HASHTAGS_COUNTER = "words", "hashtags"
TEXTS = select(Tweet.id, Tweet.text).order_by(Tweet.id).limit(BATCH)

log = logging.getLogger(__name__)


@contextmanager
def maintain(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Keep everything derived right while the tweets with these ids, and no others, are added, changed or removed.

    A range of ids stands for tweets that are all removed, their entries in the word index by the caller.
    """
    texts = _texts(session, ids)
    with _recounted(session, ids, AGGREGATES):
        yield
        session.flush()
        _index_changes(session, texts, _texts(session, ids))
    _extend_ranges(session, (tuple(row) for row in session.execute(RANGES.where(among(Tweet.id, ids)))))


@contextmanager
def maintain_sums(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Keep the sums of engagement right while nothing but the numbers of the tweets with these ids is changed."""
    with _recounted(session, ids, [rollup for rollup in ROLLUPS if rollup.values == SUMS]):
        yield


@contextmanager
def _recounted(session: Session, ids: Collection[int], aggregates: Sequence[Aggregate]) -> Iterator[None]:
    """Add to aggregates the difference between what these tweets add to them after and before."""
    counts = [aggregate.count(session, ids) for aggregate in aggregates]
    yield
    for aggregate, before in zip(aggregates, counts, strict=True):
        changes = aggregate.count(session, ids)
        changes.subtract(before)
        aggregate.change(session, changes)


def add_new(session: Session, added: Sequence[TaggedTweet]) -> None:
    """Derive everything from tweets that were just inserted. All rows of theirs are those that are passed."""
    if not added:
        return
    texts = [(tagged.tweet.id, tagged.tweet.text) for tagged in added]
    TWEET_WORDS.add(session, words(texts))
    links = link_hashtags(session, texts)
    for aggregate in AGGREGATES:
        aggregate.change(session, aggregate.count_new((one, links[one.tweet.id]) for one in added))
    ranges = dict[int, tuple[int, int]]()
    for tweet in (tagged.tweet for tagged in added):
        hour = int(tweet.created.timestamp()) // whole_hour.seconds * whole_hour.seconds
        first, last = ranges.get(hour, (tweet.id, tweet.id))
        ranges[hour] = (min(first, tweet.id), max(last, tweet.id))
    _extend_ranges(session, ((hour, *range_) for hour, range_ in ranges.items()))


def refresh_copies(session: Session, ids: Iterable[int]) -> None:
    """Copy again what these tweets repeat of their authors, who may be others now, and what their links repeat of them.

    Tweets repeat their author's followers, and links of tags and to pages the tweet's time, because sorted lists are read by
    an index, and an index is over one table.
    """
    ids = list(ids)
    session.execute(update(_tweets).where(among(_tweets.c.id, ids)).values(followers=FOLLOWERS))
    tables: tuple[Any, ...] = (TweetTag, TweetLink)
    for table in tables:
        session.execute(update(table.__table__).where(among(table.tweet_id, ids)).values(created=created_of(table)))


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


def reindex_outdated(session: Session) -> None:
    """Index the words and the hashtags of all tweets again where that was done by other rules than this program's."""
    redo_outdated(session, WORDS_COUNTER, WORD_RULES, _reindex_words)
    redo_outdated(session, HASHTAGS_COUNTER, HASHTAG_RULES, _reindex_hashtags)


def redo_outdated(session: Session, counter: str, rules: str, redo: Callable[[Session], None]) -> None:
    """Do something with all tweets again, unless the counter says that it was done by these rules."""
    outdated = StoredCounter.name == counter
    if session.scalar(select(StoredCounter.value).where(outdated, StoredCounter.label == rules)):
        return
    if session.scalar(select(Tweet.id).limit(1)) is not None:
        log.warning("all tweets are indexed again", extra={"rules": f"{counter} {rules}"})
    redo(session)
    session.execute(delete(StoredCounter).where(outdated))
    upsert(session, StoredCounter, [{"name": counter, "label": rules, "value": 1}])


def index_words_of_all(session: Session) -> None:
    """Index the words of all tweets; the index is empty."""
    after = -1
    while texts := session.execute(TEXTS.where(Tweet.id > after)).all():
        TWEET_WORDS.add(session, words((row.id, row.text) for row in texts))
        after = texts[-1].id


def _reindex_words(session: Session) -> None:
    TWEET_WORDS.clear(session)
    index_words_of_all(session)


def _reindex_hashtags(session: Session) -> None:
    for table in (TweetHashtag, TagHashtag, Hashtag):
        session.execute(delete(table))
    after = -1
    while texts := session.execute(TEXTS.where(Tweet.id > after)).all():
        links = link_hashtags(session, ((row.id, row.text) for row in texts))
        HASHTAGS.change(session, Counter(("tweets", hashtag) for linked in links.values() for hashtag in linked))
        after = texts[-1].id
    session.execute(insert(TagHashtag).from_select(("tag_id", "hashtag_id", "tweets"), TAG_HASHTAGS.counted[0]))


_hour = whole_hour(Tweet.created).label("hour")
RANGES = select(_hour, func.min(Tweet.id), func.max(Tweet.id)).group_by(_hour)
"""Lowest and highest id of the tweets of each hour, by which a list sorted by id is limited to a period.

Ids tell the time of nearly every tweet, but archives hold others. A stored range is never narrowed: tweets may be in it.
"""
_hashtags: Any = Hashtag.__table__
_INSERT_HASHTAGS = insert(_hashtags).returning(_hashtags.c.key, _hashtags.c.id)
_tweets: Any = Tweet.__table__
FOLLOWERS = select(Author.followers).where(Author.id == _tweets.c.author_id).scalar_subquery()


def created_of(table: Any) -> Any:
    """When the tweet of a row of a table was created."""
    return select(Tweet.created).where(Tweet.id == table.tweet_id).scalar_subquery()
