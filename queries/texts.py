"""Texts: which hashtags stand in those of the wanted tweets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import CTE, Select, func, select
from sqlalchemy.orm import Session

from models import Hashtag, TweetHashtag
from queries.filters import ALL, Filters
from queries.orders import sort_parts
from queries.sources import source
from queries.tweets import BY_TIME, tweet_count

MOST_LOOKED_AT = 10_000


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
    query, columns = source(session, filters, BY_TIME)
    [by_time] = sort_parts(query, BY_TIME, None, columns)
    return by_time.limit(most).cte("newest").prefix_with("MATERIALIZED")


def _of(newest: CTE) -> Select[Any]:
    """Count the tweets of a table by hashtag."""
    counts = select(TweetHashtag.hashtag_id, func.count().label("tweets")).join(newest, newest.c.id == TweetHashtag.tweet_id)
    counted = counts.group_by(TweetHashtag.hashtag_id).subquery()
    return _count_words(counted.c.tweets).join(counted, counted.c.hashtag_id == Hashtag.id)


def _count_words(tweets: Any) -> Select[Any]:
    return select(Hashtag.tag, tweets).select_from(Hashtag).order_by(tweets.desc(), Hashtag.key)
