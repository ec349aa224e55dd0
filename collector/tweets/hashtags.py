"""Hashtags: which ones stand in the texts of tweets, and how many tweets have them, among all and among a tag's."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from collector.tweets.counts import Rollup, recount_changes
from collector.values import TaggedTweet
from database.functions import among
from database.statements import bulk_upsert
from models import Hashtag, StoredCounter, TagHashtag, Tweet, TweetHashtag, TweetTag
from text import hashtags

MOST_NAMES = 10_000
BATCH = 10_000
COUNTER = "hashtags"

log = logging.getLogger(__name__)

Links = list[tuple[int, int]]


@contextmanager
def maintain(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Keep the hashtags of the tweets with these ids right while these are added, changed or removed.

    A removed tweet's links go with it.
    """
    with recount_changes(session, ROLLUPS, ids):
        before = _texts(session, ids)
        yield
        session.flush()
        changed = {own: text for own, text in _texts(session, ids).items() if before.get(own) != text}
        session.execute(delete(TweetHashtag).where(among(TweetHashtag.tweet_id, changed)))
        _link(session, changed.items())


def follow_rules(session: Session) -> None:
    """File all tweets anew where that was done by other rules, such as those of another Python's Unicode data."""
    if session.scalar(select(StoredCounter.value).where(StoredCounter.name == COUNTER, StoredCounter.label == hashtags.RULES)):
        return
    if session.scalar(select(Tweet.id).limit(1)) is not None:
        log.warning("all tweets are filed under their hashtags anew", extra={"rules": hashtags.RULES})
    clear(session)
    after = -1
    while texts := session.execute(_TEXTS.where(Tweet.id > after)).all():
        links = _link(session, ((row.id, row.text) for row in texts))
        HASHTAGS.change(session, Counter((hashtag,) for _, hashtag in links))
        after = texts[-1].id
    columns = ("tag_id", "hashtag_id", "tweets")
    session.execute(insert(TagHashtag).from_select(columns, TAG_HASHTAGS.counted[0]))
    session.execute(delete(StoredCounter).where(StoredCounter.name == COUNTER))
    bulk_upsert(session, StoredCounter, {"name": [COUNTER], "label": [hashtags.RULES], "value": [1]})


def add_new(session: Session, finds: Collection[TaggedTweet]) -> None:
    """File tweets that have just been added under the hashtags of their texts."""
    links = _link(session, ((find.tweet.id, find.tweet.text) for find in finds))
    tags = {find.tweet.id: find.tags for find in finds}
    HASHTAGS.change(session, Counter((hashtag,) for _, hashtag in links))
    TAG_HASHTAGS.change(session, Counter((tag.id, hashtag) for own, hashtag in links for tag in tags[own]))


def clear(session: Session) -> None:
    """Forget all hashtags."""
    for table in (TweetHashtag, TagHashtag, Hashtag):
        session.execute(delete(table))


def count_misfiled(session: Session) -> Iterator[int]:
    """Give the ids of the tweets that are not filed under exactly the hashtags of their text."""
    names = {number: key for number, key in session.execute(select(Hashtag.id, Hashtag.key))}  # noqa: C416 (a dict of rows)
    after = -1
    while texts := session.execute(_TEXTS.where(Tweet.id > after)).all():
        filed: dict[int, set[str | None]] = {row.id: set() for row in texts}
        links = select(TweetHashtag.tweet_id, TweetHashtag.hashtag_id)
        for own, hashtag in session.execute(links.where(TweetHashtag.tweet_id.between(texts[0].id, texts[-1].id))):
            filed[own].add(names.get(hashtag))
        yield from (row.id for row in texts if hashtags.hashtags(row.text).keys() != filed[row.id])
        after = texts[-1].id


def count_misnamed(session: Session) -> int:
    """Return how many hashtags have a key that isn't their spelling's."""
    return sum(hashtags.key(tag) != key for tag, key in session.execute(select(Hashtag.tag, Hashtag.key)))


def _texts(session: Session, ids: Collection[int]) -> dict[int, str]:
    return {row.id: row.text for row in session.execute(select(Tweet.id, Tweet.text).where(among(Tweet.id, ids)))}


def _link(session: Session, texts: Iterable[tuple[int, str]]) -> Links:
    """Link tweets to the hashtags of these texts, and return the links."""
    found = [(own, hashtags.hashtags(text)) for own, text in texts]
    spellings = {key: tag for _, named in reversed(found) for key, tag in named.items()}
    numbers = _numbers(session, spellings)
    links = [(own, numbers[key]) for own, named in found for key in named]
    bulk_upsert(session, TweetHashtag, {"tweet_id": [own for own, _ in links], "hashtag_id": [one for _, one in links]})
    return links


def _numbers(session: Session, spellings: Mapping[str, str]) -> dict[str, int]:
    """Return the ids of hashtags by their keys; those that are new are stored as they are spelt here."""
    known = _ids_by_key(session, list(spellings))
    new = [key for key in spellings if key not in known]
    bulk_upsert(session, Hashtag, {"key": new, "tag": [spellings[key] for key in new], "tweets": repeat(0, len(new))})
    return known | _ids_by_key(session, new)


def _ids_by_key(session: Session, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(keys), MOST_NAMES):
        rows = select(Hashtag.key, Hashtag.id).where(Hashtag.key.in_(keys[start : start + MOST_NAMES]))
        found |= {row.key: row.id for row in session.execute(rows)}
    return found


_TEXTS = select(Tweet.id, Tweet.text).order_by(Tweet.id).limit(BATCH)
_hashtag = TweetHashtag.hashtag_id
_by_tag = select(TweetTag.tag_id, _hashtag, func.count()).join(TweetHashtag, TweetHashtag.tweet_id == TweetTag.tweet_id)

HASHTAGS = Rollup(
    what="tweets per hashtag",
    table=Hashtag,
    keys=("id",),
    counted=(select(_hashtag, func.count()).group_by(_hashtag),),
    ids=TweetHashtag.tweet_id,
    standing=True,
)
TAG_HASHTAGS = Rollup(
    what="tweets per tag and hashtag",
    table=TagHashtag,
    keys=("tag_id", "hashtag_id"),
    counted=(_by_tag.group_by(TweetTag.tag_id, _hashtag),),
    ids=TweetTag.tweet_id,
    joined=(TweetHashtag.tweet_id,),
)
ROLLUPS = (HASHTAGS, TAG_HASHTAGS)
