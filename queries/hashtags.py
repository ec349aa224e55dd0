"""Hashtags in the texts of tweets: the most frequent ones, and those that are related to a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from models import FacetCount, Hashtag, Tag, TagHashtag, TagLang, Tweet, TweetHashtag, TweetTag
from queries.filters import ALL, BY_TIME, Filters, conditions
from queries.lists import TweetList, sorted_queries
from queries.tweets import matching_count, tweet_count

MOST_EXAMINED = 10_000

Query = Select[*tuple[Any, ...]]


class HashtagCount(NamedTuple):
    """A hashtag with its #, the number of examined tweets that have it in their text, and their share of these."""

    tag: str
    tweets: int
    share: float


class Hashtags(NamedTuple):
    """Hashtags of the newest `among` matching tweets, most tweets first, ties by key; `whole` if no other tweets match."""

    rows: tuple[HashtagCount, ...]
    among: int
    whole: bool


def hashtags(session: Session, filters: Filters, *, most: int, besides: Sequence[str] = ()) -> Hashtags:
    """Return at most `most` hashtags of the matching tweets' texts, except those with the keys `besides`.

    With filters, only the newest 10,000 of these tweets are examined.
    """
    if filters == ALL:
        rows, examined, whole = _ranking(Hashtag.tweets), tweet_count(session), True
    else:
        found = matching_count(session, filters, most=MOST_EXAMINED + 1)
        rows, examined, whole = _newest_ranking(session, filters), min(found, MOST_EXAMINED), found <= MOST_EXAMINED
    shown = rows.where(Hashtag.key.not_in(besides)).limit(most)
    shares = (HashtagCount(tag, tweets, tweets / examined) for tag, tweets in session.execute(shown))
    return Hashtags(tuple(shares), examined, whole)


def _newest_ranking(session: Session, filters: Filters) -> Select[Any]:
    """Return the hashtags of the newest matching tweets, most tweets first."""
    [by_time] = sorted_queries(session, TweetList(filters, BY_TIME))
    newest = by_time.limit(MOST_EXAMINED).cte("newest").prefix_with("MATERIALIZED")
    counts = select(TweetHashtag.hashtag_id, func.count().label("tweets")).join(newest, newest.c.id == TweetHashtag.tweet_id)
    counted = counts.group_by(TweetHashtag.hashtag_id).subquery()
    return _ranking(counted.c.tweets).join(counted, counted.c.hashtag_id == Hashtag.id)


def _ranking(tweets: Any) -> Select[Any]:
    return select(Hashtag.tag, tweets).select_from(Hashtag).order_by(tweets.desc(), Hashtag.key)


class RelatedHashtag(NamedTuple):
    """A hashtag in `tweets` of a tag's tweets, and their `share` of these.

    `lift` is that share by the hashtag's share of all tweets, rounded.
    """

    tag: str
    tweets: int
    share: float
    lift: float


def related_hashtags(session: Session, tag_id: int, *, limit: int, filters: Filters = ALL) -> list[RelatedHashtag]:
    """Return at most `limit` hashtags other than the tag's own, most tweets first, ties by name.

    With filters, only the matching tweets count, also in the shares of all tweets.
    """
    counted, numbers = (_rollup_query(tag_id), _rollup_totals(tag_id)) if filters == ALL else _filtered_queries(tag_id, filters)
    base, everything = session.execute(numbers).one()
    rows = counted.where(Hashtag.key != select(Tag.key).where(Tag.id == tag_id).scalar_subquery())
    return [
        RelatedHashtag(tag, tweets, tweets / base, round(tweets * everything / (base * everywhere), 2))
        for tag, tweets, everywhere in session.execute(rows.limit(limit))
    ]


def _rollup_query(tag_id: int) -> Query:
    rows = select(Hashtag.tag, TagHashtag.tweets, Hashtag.tweets).join(TagHashtag, TagHashtag.hashtag_id == Hashtag.id)
    return rows.where(TagHashtag.tag_id == tag_id).order_by(TagHashtag.tweets.desc(), Hashtag.key)


def _rollup_totals(tag_id: int) -> Query:
    """Return the query for the tag's tweets and for all tweets: each has one language, which may be the unknown one."""
    base = select(func.sum(TagLang.tweets)).where(TagLang.tag_id == tag_id).scalar_subquery()
    return select(base, select(func.sum(FacetCount.tweets)).where(FacetCount.facet == "lang").scalar_subquery())


def _filtered_queries(tag_id: int, filters: Filters) -> tuple[Query, Query]:
    """Return the queries for the hashtags of the tag's matching tweets, and for the totals."""
    found = (TweetTag.tweet_id == Tweet.id) & (TweetTag.tag_id == tag_id)
    wanted = select(func.count(TweetTag.tweet_id), func.count()).select_from(Tweet).outerjoin(TweetTag, found)
    wanted = wanted.where(*conditions(filters, whole=True))
    links = wanted.join(TweetHashtag, TweetHashtag.tweet_id == Tweet.id).group_by(TweetHashtag.hashtag_id)
    counts = links.with_only_columns(
        TweetHashtag.hashtag_id, func.count(TweetTag.tweet_id).label("tweets"), func.count().label("everywhere")
    ).subquery()
    rows = select(Hashtag.tag, counts.c.tweets, counts.c.everywhere).join(counts, counts.c.hashtag_id == Hashtag.id)
    return rows.where(counts.c.tweets > 0).order_by(counts.c.tweets.desc(), Hashtag.key), wanted
