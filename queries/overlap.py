"""Tags beside each other: the tweets and authors that several of them have, and the engagement and languages of each.

A tweet counts for each of the tags that found it, so `any_tags` of the filters, which are the same tags, are no condition.
Authors are told apart by X's id; tweets without an author count for none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from database.functions import part_by_part
from models import Tag, TagLang, Tweet, TweetTag
from queries.filters import ALL, BY_TIME, Filters, conditions, within
from queries.lists import TweetList, sorted_queries

UNKNOWN = ""


def newest(session: Session, filters: Filters, *, most: int) -> Filters:
    """Return the filters for the newest matching tweets: `most` of them, and those of the same second as the last of these."""
    [by_time] = sorted_queries(session, TweetList(filters, BY_TIME))
    row = session.execute(by_time.offset(most).limit(1)).first()
    return filters if row is None else filters._replace(since=row.value)


class SharedTags(NamedTuple):
    """How many tweets, or authors, have exactly these of the tags, by the places of these tags."""

    counts: dict[frozenset[int], int]

    def having(self, *places: int) -> int:
        """Return how many have all of these tags, and perhaps others."""
        return sum(count for own, count in self.counts.items() if own.issuperset(places))


class TagOverlap(NamedTuple):
    """The tweets and the authors of several tags, by the tags that they have."""

    tweets: SharedTags
    authors: SharedTags


def overlap(session: Session, filters: Filters, *, keys: Sequence[str]) -> TagOverlap:
    """Return how many matching tweets, and authors of these, have which of these tags; unknown tags have none."""
    part_by_part(session)
    bits = {tag_id: 1 << keys.index(key) for tag_id, key in _keys_by_id(session, keys).items()}
    if not bits:
        return TagOverlap(SharedTags({}), SharedTags({}))
    any_link = [func.max(case((TweetTag.tag_id == tag_id, bit), else_=0)) for tag_id, bit in bits.items()]
    tags = sum(any_link[1:], start=any_link[0]).label("tags")
    tweets = _links(filters, bits).with_only_columns(tags).group_by(TweetTag.tweet_id)
    authors = _links(filters, bits, joined=True).with_only_columns(tags)
    authors = authors.where(Tweet.author_id.is_not(None)).group_by(Tweet.author_id)
    return TagOverlap(_shared(session, tweets), _shared(session, authors))


def _keys_by_id(session: Session, keys: Sequence[str]) -> dict[int, str]:
    rows = session.execute(select(Tag.id, Tag.key).where(Tag.key.in_(keys)))
    return {tag_id: key for tag_id, key in rows}  # noqa: C416 (a dict of rows)


def _links(filters: Filters, tag_ids: Sequence[int] | dict[int, int], *, joined: bool = False) -> Select[Any]:
    """Return the query of the links of matching tweets to these tags, joined with the tweets where these are needed."""
    rows = select(TweetTag).where(TweetTag.tag_id.in_(list(tag_ids)), *within(TweetTag.created, filters))
    left = filters._replace(any_tags=(), since=None, until=None)
    if left == ALL and not joined:
        return rows
    return rows.join(Tweet, Tweet.id == TweetTag.tweet_id).where(*conditions(left, whole=True))


def _shared(session: Session, masks: Select[Any]) -> SharedTags:
    found = masks.subquery()
    rows = session.execute(select(found.c.tags, func.count()).group_by(found.c.tags))
    return SharedTags({frozenset(at for at in range(int(tags).bit_length()) if int(tags) >> at & 1): n for tags, n in rows})


class TagEngagement(NamedTuple):
    """The sum of a tag's tweets whose engagement is known, their number, and when that was first and last measured (UTC)."""

    total: int
    tweets: int
    first: datetime | None
    last: datetime | None

    @property
    def mean(self) -> float | None:
        """The engagement per tweet; None where none is known."""
        return self.total / self.tweets if self.tweets else None


def engagement(session: Session, filters: Filters, *, keys: Sequence[str]) -> dict[str, TagEngagement]:
    """Return the engagement of the matching tweets of each of these tags, by key; unknown tags have none."""
    part_by_part(session)
    ids = _keys_by_id(session, keys)
    columns = (func.sum(Tweet.engagement), func.count(Tweet.engagement), func.min(Tweet.measured), func.max(Tweet.measured))
    rows: Select[*tuple[Any, ...]] = _links(filters, list(ids), joined=True).with_only_columns(TweetTag.tag_id, *columns)
    known = rows.where(Tweet.engagement.is_not(None)).group_by(TweetTag.tag_id)
    found = {ids[tag_id]: TagEngagement(int(total), *more) for tag_id, total, *more in session.execute(known).all()}
    return {key: found.get(key, TagEngagement(0, 0, None, None)) for key in keys}


def languages(session: Session, filters: Filters, *, keys: Sequence[str]) -> dict[str, Counter[str]]:
    """Return the matching tweets of each of these tags by language, by key; "" is the language of those that X gave none."""
    ids = _keys_by_id(session, keys)
    if filters._replace(any_tags=()) == ALL:
        rows = select(TagLang.tag_id, TagLang.lang, TagLang.tweets).where(TagLang.tag_id.in_(list(ids)))
    else:
        part_by_part(session)
        lang = func.coalesce(Tweet.lang, UNKNOWN)
        rows = _links(filters, list(ids), joined=True).with_only_columns(TweetTag.tag_id, lang, func.count())
        rows = rows.group_by(TweetTag.tag_id, lang)
    found = {key: Counter[str]() for key in keys}
    for tag_id, lang_code, tweets in session.execute(rows):
        found[ids[tag_id]][lang_code.lower()] += tweets
    return found
