"""Hashtags in the texts of tweets: the most frequent ones, and those that are related to a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import CTE, Select, func, select
from sqlalchemy.orm import Session

from models import FacetCount, Hashtag, Tag, TagHashtag, TagLang, Tweet, TweetHashtag, TweetTag
from queries.filters import ALL, BY_TIME, Filters, conditions
from queries.lists import TweetList, sorted_queries
from queries.tweets import tweet_count

MOST_LOOKED_AT = 10_000

Query = Select[*tuple[Any, ...]]


class HashtagCount(NamedTuple):
    """A hashtag with its #, how many of the tweets that were looked at have it in their text, and their share of these."""

    tag: str
    tweets: int
    share: float


class Hashtags(NamedTuple):
    """Hashtags, most tweets first, ties by key; `among` so many tweets, the newest, which are all where it is `whole`."""

    rows: tuple[HashtagCount, ...]
    among: int
    whole: bool


def hashtags(session: Session, filters: Filters, *, most: int, besides: Sequence[str] = ()) -> Hashtags:
    """Return at most `most` hashtags of the wanted tweets' texts, but for those with the keys `besides`.

    With filters, the newest 10,000 of these tweets are looked at.
    """
    if filters == ALL:
        rows, looked_at, whole = _count_words(Hashtag.tweets), tweet_count(session), True
    else:
        found = session.scalar(select(func.count()).select_from(_newest(session, filters, MOST_LOOKED_AT + 1))) or 0
        looked_at, whole = min(found, MOST_LOOKED_AT), found <= MOST_LOOKED_AT
        rows = _of(_newest(session, filters, MOST_LOOKED_AT))
    asked = rows.where(Hashtag.key.not_in(besides)).limit(most)
    shares = (HashtagCount(tag, tweets, tweets / looked_at) for tag, tweets in session.execute(asked))
    return Hashtags(tuple(shares), looked_at, whole)


def _newest(session: Session, filters: Filters, most: int) -> CTE:
    """Return a table of the ids of at most `most` wanted tweets, the newest."""
    [by_time] = sorted_queries(session, TweetList(filters, BY_TIME))
    return by_time.limit(most).cte("newest").prefix_with("MATERIALIZED")


def _of(newest: CTE) -> Select[Any]:
    """Count the tweets of a table by hashtag."""
    counts = select(TweetHashtag.hashtag_id, func.count().label("tweets")).join(newest, newest.c.id == TweetHashtag.tweet_id)
    counted = counts.group_by(TweetHashtag.hashtag_id).subquery()
    return _count_words(counted.c.tweets).join(counted, counted.c.hashtag_id == Hashtag.id)


def _count_words(tweets: Any) -> Select[Any]:
    return select(Hashtag.tag, tweets).select_from(Hashtag).order_by(tweets.desc(), Hashtag.key)


class RelatedHashtag(NamedTuple):
    """A hashtag in `tweets` of a tag's, their `share` of these, and by how much it exceeds its share of all (`lift`)."""

    tag: str
    tweets: int
    share: float
    lift: float


def related_hashtags(session: Session, tag_id: int, *, limit: int, filters: Filters = ALL) -> list[RelatedHashtag]:
    """Return at most `limit` hashtags but the tag's own, most tweets first, ties by name.

    With filters, only the wanted tweets count, everywhere.
    """
    counted, numbers = (_rollup_query(tag_id), _rollup_totals(tag_id)) if filters == ALL else _filtered_queries(tag_id, filters)
    base, everything = session.execute(numbers).one()
    rows = counted.where(Hashtag.key != select(Tag.key).where(Tag.id == tag_id).scalar_subquery())
    return [
        RelatedHashtag(tag, tweets, tweets / base, tweets * everything / (base * everywhere))
        for tag, tweets, everywhere in session.execute(rows.limit(limit))
    ]


def _rollup_query(tag_id: int) -> Query:
    rows = select(Hashtag.tag, TagHashtag.tweets, Hashtag.tweets).join(TagHashtag, TagHashtag.hashtag_id == Hashtag.id)
    return rows.where(TagHashtag.tag_id == tag_id).order_by(TagHashtag.tweets.desc(), Hashtag.key)


def _rollup_totals(tag_id: int) -> Query:
    """Ask how many tweets the tag has found, and how many there are: each has one language, were it the unknown one."""
    base = select(func.sum(TagLang.tweets)).where(TagLang.tag_id == tag_id).scalar_subquery()
    return select(base, select(func.sum(FacetCount.tweets)).where(FacetCount.facet == "lang").scalar_subquery())


def _filtered_queries(tag_id: int, filters: Filters) -> tuple[Query, Query]:
    """Ask the same of the wanted tweets."""
    found = (TweetTag.tweet_id == Tweet.id) & (TweetTag.tag_id == tag_id)
    wanted = select(func.count(TweetTag.tweet_id), func.count()).select_from(Tweet).outerjoin(TweetTag, found)
    wanted = wanted.where(*conditions(filters, whole=True))
    links = wanted.join(TweetHashtag, TweetHashtag.tweet_id == Tweet.id).group_by(TweetHashtag.hashtag_id)
    counts = links.with_only_columns(
        TweetHashtag.hashtag_id, func.count(TweetTag.tweet_id).label("tweets"), func.count().label("everywhere")
    ).subquery()
    rows = select(Hashtag.tag, counts.c.tweets, counts.c.everywhere).join(counts, counts.c.hashtag_id == Hashtag.id)
    return rows.where(counts.c.tweets > 0).order_by(counts.c.tweets.desc(), Hashtag.key), wanted
